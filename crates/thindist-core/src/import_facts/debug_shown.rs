//! Whose debug information a native object shows: that of which imported modules ([`Traces`]).
//!
//! It does not know what else an object has.

use super::debug::Traces;
use crate::bitcode::guid::guid;
use memchr::memmem;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use std::collections::BTreeSet;

/// The numbers of those of `traces` that `object` shows; `None` if that cannot be told of this object.
///
/// A name that is there for another reason makes a module count that need not.
#[must_use]
pub fn shown<'a>(object: &[u8], traces: impl IntoIterator<Item = Option<&'a Traces>>) -> Option<BTreeSet<usize>> {
    let file = object::File::parse(object).ok()?;
    if !names_units(&file)? {
        return None;
    }
    // Defined ones as well: assembly may define what an import declares. And `f@VERSION` is `f`.
    let names = file.symbols().filter_map(|symbol| symbol.name_bytes().ok());
    let named: BTreeSet<u64> = names.filter_map(|name| name.split(|byte| *byte == b'@').next().map(guid)).collect();
    let is_there = |name: &str| memmem::find(object, format!("{name}\0").as_bytes()).is_some();
    let is_shown = |traces: &Traces| is_there(&traces.unit) || !traces.declared.is_disjoint(&named);
    let numbered = traces.into_iter().enumerate().filter_map(|(number, traces)| Some((number, traces?)));
    Some(numbered.filter(|(_, traces)| is_shown(traces)).map(|(number, _)| number).collect())
}

/// Where there are lines there are the units that they are of, and their names can be read.
fn names_units(file: &object::File<'_>) -> Option<bool> {
    let (mut has_lines, mut has_units) = (false, false);
    for section in file.sections() {
        let name = section.name().ok()?;
        has_lines |= name == ".debug_line";
        has_units |= name == ".debug_info";
        let is_compressed = section.compressed_file_range().ok()?.format != object::CompressionFormat::None;
        if name.starts_with(".debug") && is_compressed {
            return Some(false);
        }
    }
    Some(has_units || !has_lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::write::{Object, StandardSection, Symbol, SymbolSection};
    use object::{Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope};

    fn object(sections: &[(&str, &[u8])], undefined: &[&str]) -> Vec<u8> {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let text = object.section_id(StandardSection::Text);
        object.append_section_data(text, &[0xc3], 16);
        for (name, data) in sections {
            let id = object.add_section(Vec::new(), name.as_bytes().to_vec(), SectionKind::Debug);
            object.append_section_data(id, data, 1);
        }
        for name in undefined {
            object.add_symbol(Symbol {
                name: name.as_bytes().to_vec(),
                value: 0,
                size: 0,
                kind: SymbolKind::Unknown,
                scope: SymbolScope::Unknown,
                weak: false,
                section: SymbolSection::Undefined,
                flags: SymbolFlags::None,
            });
        }
        object.write().unwrap()
    }

    fn traces(unit: &str, declared: &[&str]) -> Traces {
        Traces { unit: unit.to_owned(), declared: declared.iter().map(|name| guid(name.as_bytes())).collect() }
    }

    #[test]
    fn a_unit_or_what_an_import_declares_shows() {
        let object = object(&[(".debug_info", b"x"), (".debug_line", b"x"), (".debug_str", b"\0mm/slab.c\0")], &["g"]);
        let [slab, fork, with_g, with_h] =
            [traces("mm/slab.c", &[]), traces("kernel/fork.c", &[]), traces("one.c", &["g"]), traces("one.c", &["h"])];
        let all = [None, Some(&slab), Some(&fork), Some(&with_g), Some(&with_h)];
        assert_eq!(shown(&object, all), Some([1, 3].into()));
        let versioned = self::object(&[(".debug_info", b"x")], &["h@V1"]);
        assert_eq!(shown(&versioned, [Some(&with_g), Some(&with_h)]), Some([1].into()));
    }

    #[test]
    fn lines_without_units_and_what_is_no_object_tell_nothing() {
        let slab = traces("mm/slab.c", &[]);
        assert_eq!(shown(&object(&[(".debug_line", b"mm/slab.c")], &[]), [Some(&slab)]), None);
        assert_eq!(shown(b"no object", [Some(&slab)]), None);
        assert_eq!(shown(&object(&[], &[]), [Some(&slab)]), Some(BTreeSet::new()));
    }
}
