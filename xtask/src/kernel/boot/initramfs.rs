//! An initramfs in the newc format (the kernel's Documentation/driver-api/early-userspace/buffer-format.rst): enough of
//! it for directories, files and one device node.

/// One entry.
#[derive(Debug)]
pub(crate) enum Entry<'a> {
    Directory(&'a str),
    /// A file that may be executed.
    Program(&'a str, &'a [u8]),
    /// A character device: name, major, minor.
    Device(&'a str, u32, u32),
}

const TRAILER: &str = "TRAILER!!!";

/// Name, mode, device numbers and content of one entry, as its header wants them.
struct Fields<'a> {
    name: &'a str,
    mode: u32,
    device: (u32, u32),
    content: &'a [u8],
}

pub(crate) fn build(entries: &[Entry<'_>]) -> Result<Vec<u8>, std::num::TryFromIntError> {
    let mut archive = Vec::new();
    for (inode, entry) in (1..).zip(entries) {
        append(&mut archive, inode, &fields(entry))?;
    }
    append(&mut archive, 0, &Fields { name: TRAILER, mode: 0, device: (0, 0), content: &[] })?;
    Ok(archive)
}

fn fields<'a>(entry: &Entry<'a>) -> Fields<'a> {
    match *entry {
        Entry::Directory(name) => Fields { name, mode: 0o040_755, device: (0, 0), content: &[] },
        Entry::Program(name, content) => Fields { name, mode: 0o100_755, device: (0, 0), content },
        Entry::Device(name, major, minor) => Fields { name, mode: 0o020_600, device: (major, minor), content: &[] },
    }
}

/// Thirteen hexadecimal numbers of eight digits, the name with its NUL, the content; each part padded to four bytes.
fn append(archive: &mut Vec<u8>, inode: u32, fields: &Fields<'_>) -> Result<(), std::num::TryFromIntError> {
    let (uid, gid, links, time, checksum, holder) = (0, 0, 1, 0, 0, (0, 0));
    let size = u32::try_from(fields.content.len())?;
    let name_size = u32::try_from(fields.name.len() + 1)?;
    let (major, minor) = fields.device;
    archive.extend(b"070701");
    let numbers =
        [inode, fields.mode, uid, gid, links, time, size, holder.0, holder.1, major, minor, name_size, checksum];
    for number in numbers {
        archive.extend(format!("{number:08X}").bytes());
    }
    archive.extend(fields.name.bytes().chain([0]));
    pad(archive);
    archive.extend(fields.content);
    pad(archive);
    Ok(())
}

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_content_are_padded_to_four_bytes() {
        let archive =
            build(&[Entry::Directory("dev"), Entry::Device("dev/console", 5, 1), Entry::Program("init", b"x")])
                .unwrap();
        assert_eq!(archive.len() % 4, 0);
        let text = String::from_utf8(archive).unwrap();
        assert!(text.starts_with("07070100000001000041ED"), "{text}");
        assert!(text.contains("0000000500000001" /* rdev */), "{text}");
        assert!(text.contains("init\0\0x\0\0\x00070701"), "{text}");
        assert_eq!(text.matches("070701").count(), 4);
        assert!(text.trim_end_matches('\0').ends_with(TRAILER));
    }
}
