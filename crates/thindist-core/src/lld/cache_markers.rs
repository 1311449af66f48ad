//! Maps the files of lld's ThinLTO cache to modules, by asking lld itself.
//!
//! lld names the files of `--thinlto-cache-dir` by keys of its own, which say nothing of modules, and `--lto-obj-path` gives
//! empty files for what the cache answers (llvm #211062). So lld links once more with a cache whose files are markers: each
//! is an object of one absolute symbol that is named after its key. lld takes a marker for each module in the order of its
//! tasks, `--trace-symbol` has it say of each symbol in which object it was met, and a symbol that all markers define
//! differently ends that link before anything is laid out. Nothing of lld's key is repeated here, so nothing can be
//! repeated wrongly: a module whose key lld does not find is not told.
//!
//! Rejected: computing lld's key (another one in each version), and comparing objects with modules by their symbols (a guess).

use crate::lld::link_line::options::{Lto, Role};
use crate::lld::link_line::{ArgumentKind, LinkLine};

/// How lld's cache names its files: this and the key in hexadecimal.
pub const CACHE_FILE_PREFIX: &str = "llvmcache-";

const SYMBOL_PREFIX: &str = "thindist_lld_cache_";
/// Defined by every marker, each time with another value: lld ends at the second one.
const STOP: &str = "thindist_lld_cache_stop";
const DEFINITION: &str = ": definition of ";

/// The key in the name of a file of lld's cache; `None` for what is no entry.
#[must_use]
pub fn key_of_file(name: &str) -> Option<&str> {
    let key = name.strip_prefix(CACHE_FILE_PREFIX)?;
    (key.len() == 40 && key.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(key)
}

/// The symbol that the marker of `key` defines.
#[must_use]
pub fn symbol(key: &str) -> String {
    format!("{SYMBOL_PREFIX}{key}")
}

/// The line that asks lld: the user's, with the markers in `directory` for a cache, and an output that it never comes to.
#[must_use]
pub fn question(line: &LinkLine, directory: &str, keys: &[String], output: &str) -> Vec<String> {
    let writes = |kind: &ArgumentKind| match kind {
        ArgumentKind::Option(spec, _) => {
            matches!(
                spec.role,
                Role::Output | Role::Writes(_) | Role::Prints | Role::SelectionReport | Role::Lto(Lto::LldCache)
            )
        }
        ArgumentKind::File(_) | ArgumentKind::Unknown(_) => false,
    };
    let kept = line.arguments().iter().filter(|argument| !writes(&argument.kind));
    let mut words: Vec<String> = kept.flat_map(|argument| argument.words.clone()).collect();
    words.extend(keys.iter().map(|key| format!("--trace-symbol={}", symbol(key))));
    words.extend(["--no-fatal-warnings", "--no-allow-multiple-definition", "--error-limit=1"].map(str::to_owned));
    words.extend([format!("--thinlto-cache-dir={directory}"), "-o".to_owned(), output.to_owned()]);
    words
}

/// What lld has said of markers, in its order: the name of each object, and the key that it is of.
#[must_use]
pub fn told(stdout: &str) -> Vec<(&str, &str)> {
    let told = |line| {
        let (object, symbol) = str::rsplit_once(line, DEFINITION)?;
        Some((object, symbol.strip_prefix(SYMBOL_PREFIX)?))
    };
    stdout.lines().filter_map(told).collect()
}

/// The marker of `key`, an object of the same machine as `like`, which is one of the link's native objects. `number` tells it
/// from the others. `None`: that is no ELF object.
#[must_use]
pub fn marker(like: &[u8], key: &str, number: u32) -> Option<Vec<u8>> {
    Elf::of(like).map(|elf| elf.marker(key, number))
}

/// What a marker has of an object's header.
struct Elf<'a> {
    ident: &'a [u8],
    wide: bool,
    big_endian: bool,
    machine: u16,
    flags: u32,
}

impl<'a> Elf<'a> {
    fn of(object: &'a [u8]) -> Option<Self> {
        let ident = object.get(..16).filter(|ident| ident.starts_with(b"\x7fELF"))?;
        let (wide, big_endian) = (ident.get(4) == Some(&2), ident.get(5) == Some(&2));
        let mut elf = Self { ident, wide, big_endian, machine: 0, flags: 0 };
        elf.machine = u16::try_from(elf.read(object.get(18..20)?)).ok()?;
        let at = if wide { 48 } else { 36 };
        elf.flags = u32::try_from(elf.read(object.get(at..at + 4)?)).ok()?;
        Some(elf)
    }

    fn read(&self, bytes: &[u8]) -> u64 {
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }

    /// A header, no section but the symbol table and its strings, two absolute symbols.
    fn marker(&self, key: &str, number: u32) -> Vec<u8> {
        let strings = format!("\0{}\0{STOP}\0", symbol(key)).into_bytes();
        let stop_name = strings.len() - STOP.len() - 1;
        let (header, entry, section) = if self.wide { (64, 24, 64) } else { (52, 16, 40) };
        let (symbols_at, strings_at) = (header, header + 3 * entry);
        let sections_at = (strings_at + strings.len()).next_multiple_of(8);
        let mut out = Writer { elf: self, bytes: self.ident.to_vec() };
        out.header(header, section, sections_at);
        out.symbol(0, 0, false);
        out.symbol(1, 1, true);
        out.symbol(stop_name, number as usize + 1, true);
        out.bytes.extend_from_slice(&strings);
        out.bytes.resize(sections_at, 0);
        out.section([0; 6]);
        // Type SYMTAB, the strings are section 2, one local symbol, entries of one size.
        out.section([2, symbols_at, 3 * entry, 2, 1, entry]);
        // Type STRTAB.
        out.section([3, strings_at, strings.len(), 0, 0, 0]);
        out.bytes
    }
}

struct Writer<'a> {
    elf: &'a Elf<'a>,
    bytes: Vec<u8>,
}

impl Writer<'_> {
    fn number(&mut self, value: usize, size: usize) {
        let bytes = (value as u64).to_le_bytes();
        let little = bytes.iter().take(size);
        if self.elf.big_endian { self.bytes.extend(little.rev()) } else { self.bytes.extend(little) }
    }

    /// As wide as an address of the file's class.
    fn word(&mut self, value: usize) {
        self.number(value, if self.elf.wide { 8 } else { 4 });
    }

    fn header(&mut self, size: usize, section: usize, sections_at: usize) {
        self.number(1, 2); // ET_REL
        self.number(usize::from(self.elf.machine), 2);
        self.number(1, 4);
        self.word(0);
        self.word(0);
        self.word(sections_at);
        self.number(self.elf.flags as usize, 4);
        for half in [size, 0, 0, section, 3, 2] {
            self.number(half, 2);
        }
    }

    /// A global absolute symbol, or the null symbol.
    fn symbol(&mut self, name: usize, value: usize, global: bool) {
        let (info, section) = if global { (0x10, 0xfff1) } else { (0, 0) };
        self.number(name, 4);
        if self.elf.wide {
            self.number(info, 1);
            self.number(0, 1);
            self.number(section, 2);
            self.word(value);
            self.word(0);
        } else {
            self.word(value);
            self.word(0);
            self.number(info, 1);
            self.number(0, 1);
            self.number(section, 2);
        }
    }

    /// Type, offset, size, link, info and size of an entry. Its name is empty: no marker is looked at by hand.
    fn section(&mut self, [kind, offset, size, link, info, entry]: [usize; 6]) {
        self.number(0, 4);
        self.number(kind, 4);
        for word in [0, 0, offset, size] {
            self.word(word);
        }
        self.number(link, 4);
        self.number(info, 4);
        self.word(usize::from(kind != 0));
        self.word(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::{Object as _, ObjectSymbol as _};

    const KEY: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

    /// A header of an object for `machine` with `flags`.
    fn header(class: u8, data: u8, machine: u16, flags: u32) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, data, 1]);
        let at = if class == 2 { 48 } else { 36 };
        let (machine, flags) = match data {
            1 => (machine.to_le_bytes(), flags.to_le_bytes()),
            _ => (machine.to_be_bytes(), flags.to_be_bytes()),
        };
        bytes[18..20].copy_from_slice(&machine);
        bytes[at..at + 4].copy_from_slice(&flags);
        bytes
    }

    #[test]
    fn a_marker_is_an_object_for_the_same_machine() {
        for (class, data, machine, architecture) in [
            (2, 1, 62, object::Architecture::X86_64),
            (2, 2, 22, object::Architecture::S390x),
            (1, 1, 40, object::Architecture::Arm),
            (1, 2, 20, object::Architecture::PowerPc),
            (2, 1, 243, object::Architecture::Riscv64),
        ] {
            let bytes = marker(&header(class, data, machine, 5), KEY, 6).unwrap();
            let file = object::File::parse(bytes.as_slice()).unwrap();
            assert_eq!(file.architecture(), architecture);
            let symbols: Vec<_> = file.symbols().map(|symbol| (symbol.name().unwrap(), symbol.address())).collect();
            assert_eq!(symbols, [(symbol(KEY).as_str(), 1), (STOP, 7)]);
            assert!(file.symbols().all(|symbol| symbol.is_global() && !symbol.is_undefined()));
        }
        assert_eq!(marker(b"BC\xc0\xde", KEY, 0), None);
    }

    #[test]
    fn what_lld_tells() {
        let text = format!(
            "d/p.lto.a.o: definition of {0}\na.o: definition of main\nx: definition of y.o: definition of {0}\n\
             p.lto.b.o: reference to {0}\n",
            symbol(KEY)
        );
        assert_eq!(told(&text), [("d/p.lto.a.o", KEY), ("x: definition of y.o", KEY)]);
    }

    #[test]
    fn the_question_writes_nothing_of_the_users() {
        let words =
            crate::lld::link_line::response_file::tokenize("-o out -Map m a.o -y f --thinlto-cache-policy=x -shared");
        let line = LinkLine::parse(&words).unwrap();
        assert_eq!(
            question(&line, "D", &[KEY.to_owned()], "T/out").join(" "),
            format!(
                "a.o -shared --trace-symbol={} --no-fatal-warnings --no-allow-multiple-definition --error-limit=1 \
                 --thinlto-cache-dir=D -o T/out",
                symbol(KEY)
            )
        );
    }

    #[test]
    fn names_of_entries() {
        assert_eq!(key_of_file(&format!("llvmcache-{KEY}")), Some(KEY));
        for other in ["llvmcache.timestamp", "llvmcache-12", "Thin-a0b1c2.tmp.o", "index"] {
            assert_eq!(key_of_file(other), None);
        }
    }
}
