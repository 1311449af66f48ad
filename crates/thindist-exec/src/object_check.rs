//! Whether a compiler's output can be a native object. An exit status of 0 does not say so: it is also that of a full
//! disk, of a compiler that ignores an unknown option, and of one for another machine.

use object::Endianness;
use object::FileKind;
use object::elf;
use object::read::elf::FileHeader;

/// What is wrong with `bytes` as a relocatable ELF object for `machine`, in the words of a message.
pub fn check(bytes: &[u8], machine: u16) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("empty".to_owned());
    }
    match FileKind::parse(bytes) {
        Ok(FileKind::Elf32) => check_header::<elf::FileHeader32<Endianness>>(bytes, machine),
        Ok(FileKind::Elf64) => check_header::<elf::FileHeader64<Endianness>>(bytes, machine),
        _ => Err("not an ELF object".to_owned()),
    }
}

fn check_header<H: FileHeader<Endian = Endianness>>(bytes: &[u8], machine: u16) -> Result<(), String> {
    let damaged = |error| format!("a damaged ELF object ({error})");
    let header = H::parse(bytes).map_err(damaged)?;
    let endian = header.endian().map_err(damaged)?;
    if header.e_type(endian) != elf::ET_REL {
        return Err(format!("not a relocatable object (ELF type {})", header.e_type(endian).0));
    }
    let found = header.e_machine(endian).0;
    if found != machine {
        return Err(format!("for machine {found}, expected {machine}"));
    }
    // The section table is at the end of the file, so a truncated object has none.
    let sections = header.sections(endian, bytes).map_err(damaged)?;
    if sections.is_empty() { Err("an ELF object without sections".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The least that counts as a relocatable ELF64 object: a header, an empty string, its section and a null section.
    pub(crate) fn tiny_object(machine: u16) -> Vec<u8> {
        let mut bytes = vec![0; 200];
        bytes[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\0");
        let fields = [(16, elf::ET_REL.0), (18, machine), (20, 1), (40, 72), (52, 64), (58, 64), (60, 2), (62, 1)];
        let string_section = [(136 + 4, 3), (136 + 24, 64), (136 + 32, 1)];
        for (offset, value) in fields.into_iter().chain(string_section) {
            bytes[offset..offset + 2].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    fn check_error(bytes: &[u8], expect: &str) {
        assert_eq!(check(bytes, 62), Err(expect.to_owned()));
    }

    #[test]
    fn an_object_for_the_machine_passes() {
        assert_eq!(check(&tiny_object(62), 62), Ok(()));
    }

    #[test]
    fn the_message_says_what_is_wrong() {
        check_error(b"", "empty");
        check_error(b"BC\xc0\xde", "not an ELF object");
        check_error(&tiny_object(183), "for machine 183, expected 62");
        let mut executable = tiny_object(62);
        executable[16] = 2;
        check_error(&executable, "not a relocatable object (ELF type 2)");
    }

    #[test]
    fn a_truncated_object_does_not_pass() {
        for length in 0..200 {
            assert!(check(&tiny_object(62)[..length], 62).is_err(), "cut to {length} bytes");
        }
    }
}
