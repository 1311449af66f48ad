//! What lld decides in-process by references and definitions that a final link of native objects does not see.
//!
//! The final link has natives in front, LTO objects behind them and libraries at the end, and bitcode is gone from it. For most
//! programs that comes to the same. Where it may not, that is said here, and lld does the link by itself: nothing is repeated.

use crate::lld::symbol_order::{Definition, File, Kind, Symbol};
use std::collections::BTreeSet;

/// Symbols that lld defines itself, if somebody names them; and so are `__start_X` and `__stop_X`.
const OF_LLD: &[&str] = &[
    "_DYNAMIC",
    "_GLOBAL_OFFSET_TABLE_",
    "_TLS_MODULE_BASE_",
    "__bss_start",
    "__data_start",
    "__ehdr_start",
    "__executable_start",
    "__fini_array_end",
    "__fini_array_start",
    "__global_pointer$",
    "__init_array_end",
    "__init_array_start",
    "__preinit_array_end",
    "__preinit_array_start",
    "__rela_iplt_end",
    "__rela_iplt_start",
    "_edata",
    "_end",
    "_etext",
    "edata",
    "end",
    "etext",
];

/// What may come out differently, in a sentence's end; `None`: nothing that is known of. `loaded` are positions in `files`,
/// `objects` the symbols of the LTO objects.
#[must_use]
pub fn doubt<'a>(
    files: &'a [File],
    loaded: &[usize],
    objects: impl Iterator<Item = &'a [Symbol]> + Clone,
) -> Option<String> {
    let is_loaded: BTreeSet<usize> = loaded.iter().copied().collect();
    let of = |wanted: fn(&File) -> bool, with: bool| {
        let files = files.iter().enumerate().filter(|(number, _)| is_loaded.contains(number) == with);
        files
            .map(|(_, file)| file)
            .filter(move |file| wanted(file))
            .flat_map(|file| &file.symbols)
            .collect::<Vec<&Symbol>>()
    };
    let natives = of(|file| file.kind == Kind::Native, true);
    let seen = || natives.iter().copied().chain(objects.clone().flatten());
    let bitcode = of(|file| file.kind == Kind::Bitcode, true);
    let names =
        |symbols: Vec<&'a Symbol>| symbols.into_iter().map(|symbol| stem(&symbol.name)).collect::<BTreeSet<&str>>();
    let strong = names(seen().filter(|symbol| is_open(symbol) && !symbol.weak).collect());
    let weak = names(seen().filter(|symbol| is_open(symbol) && symbol.weak).collect());
    let defined = names(seen().filter(|symbol| !is_open(symbol)).collect());
    for symbol in bitcode.iter().filter(|symbol| is_open(symbol)) {
        let name = stem(&symbol.name);
        if strong.contains(name) || defined.contains(name) {
            continue;
        }
        if !weak.contains(name) && is_of_lld(name) {
            return Some(format!("lld defines `{name}`, which only bitcode names"));
        }
        if !symbol.weak && weak.contains(name) {
            return Some(format!("only bitcode names `{name}` strongly"));
        }
    }
    // In-process it has been defined: a reference that is left is not weak, and no library is asked for it.
    let is_gone = |name: &&str| !defined.contains(name) && (strong.contains(name) || weak.contains(name));
    let mut was_defined = bitcode.iter().filter(|symbol| !is_open(symbol)).map(|symbol| stem(&symbol.name));
    if let Some(name) = was_defined.find(is_gone) {
        return Some(format!("bitcode defines `{name}`, its object does not, and a reference is left"));
    }
    let libraries = of(|file| file.kind == Kind::Shared, true);
    // One that a library defines lld defines all the same, and exports.
    let of_lld = |symbol: &&&Symbol| is_of_lld(stem(&symbol.name));
    if let Some(symbol) = libraries.iter().find(of_lld).filter(|symbol| !defined.contains(stem(&symbol.name))) {
        return Some(format!("a shared library has `{}`, which lld defines", stem(&symbol.name)));
    }
    let shared = names(libraries.into_iter().filter(|symbol| !is_open(symbol)).collect());
    // In-process the library comes first, and its size goes with the bitcode's symbol that the object's replaces.
    let mut common = objects.clone().flatten().filter(|symbol| symbol.definition == Definition::Common);
    if let Some(symbol) = common.find(|symbol| shared.contains(stem(&symbol.name))) {
        return Some(format!("a shared library has `{}`, a common symbol of bitcode", stem(&symbol.name)));
    }
    let lazy =
        names(of(|file| file.kind != Kind::Shared, false).into_iter().filter(|symbol| !is_open(symbol)).collect());
    let mut open = strong.iter().chain(&weak).filter(|name| !defined.contains(*name));
    let both = open.find(|name| shared.contains(*name) && lazy.contains(*name))?;
    Some(format!("a shared library and an archive both define `{both}`"))
}

fn is_of_lld(name: &str) -> bool {
    OF_LLD.contains(&name) || name.starts_with("__start_") || name.starts_with("__stop_")
}

fn is_open(symbol: &Symbol) -> bool {
    symbol.definition == Definition::Undefined
}

fn stem(name: &str) -> &str {
    name.split_once('@').map_or(name, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `kind: lazy? symbols`, as in `B _start Ufoo`.
    fn file(text: &str) -> File {
        let mut words = text.split(' ');
        let kind = words.next().unwrap();
        let symbol = |word: &str| {
            let (properties, name) = word.split_once(':').unwrap();
            Symbol::try_from(format!("{properties} {name}")).unwrap()
        };
        File {
            name: text.to_owned(),
            kind: match kind.trim_end_matches('?') {
                "B" => Kind::Bitcode,
                "S" => Kind::Shared,
                _ => Kind::Native,
            },
            lazy: kind.ends_with('?'),
            symbols: words.map(symbol).collect(),
            soname: None,
        }
    }

    #[track_caller]
    fn check(files: &[&str], objects: &str, expect: Option<&str>) {
        let files: Vec<File> = files.iter().map(|text| file(text)).collect();
        let loaded: Vec<usize> = (0..files.len()).filter(|number| !files[*number].lazy).collect();
        let object = file(&format!("N {objects}"));
        let found = doubt(&files, &loaded, std::iter::once(object.symbols.as_slice()));
        assert_eq!(found.as_deref(), expect);
    }

    #[test]
    fn a_usual_program_is_clear() {
        check(&["B D:main U:printf", "S D:printf D:puts", "N? D:helper"], "D:main U:puts", None);
    }

    #[test]
    fn who_defines_it_depends_on_the_order() {
        let both = Some("a shared library and an archive both define `f`");
        check(&["N? D:f", "S D:f", "B D:main U:f"], "D:main U:f", both);
        check(&["N? D:f", "S D:f", "B D:main U:f"], "D:main", None);
        check(&["N? D:f", "S D:g", "B D:main U:f"], "D:main U:f", None);
    }

    /// lld enters it among the symbols where it meets the library.
    #[test]
    fn a_symbol_of_llds_that_a_shared_library_has() {
        let has = Some("a shared library has `etext`, which lld defines");
        check(&["B D:main", "S D:f U:etext"], "D:main", has);
        check(&["S D:f D:etext", "B D:main"], "D:main", has);
        check(&["B D:main", "N D:etext", "S D:f U:etext"], "D:main", None);
    }

    /// lld gives it the size that the library has, unless LTO comes between.
    #[test]
    fn a_common_symbol_that_a_shared_library_has() {
        check(&["B C:s", "S D:s"], "C:s", Some("a shared library has `s`, a common symbol of bitcode"));
        check(&["B C:s", "S D:f"], "C:s", None);
        check(&["B D:s", "S D:s"], "D:s", None);
    }

    #[test]
    fn a_reference_that_was_dropped_is_still_one_in_process() {
        check(&["B D:main U:_end"], "D:main", Some("lld defines `_end`, which only bitcode names"));
        check(&["B D:main Uw:etext"], "D:main", Some("lld defines `etext`, which only bitcode names"));
        check(&["B D:main U:_end"], "D:main U:_end", None);
        check(&["B D:main U:f", "N Uw:f"], "D:main", Some("only bitcode names `f` strongly"));
        check(&["B D:main U:f", "N Uw:f", "N D:f"], "D:main", None);
    }

    /// A variable that is called: LLVM drops it, and nobody defines what is left.
    #[test]
    fn a_definition_that_was_dropped_is_still_one_in_process() {
        let gone = Some("bitcode defines `v`, its object does not, and a reference is left");
        check(&["B D:v", "B D:f Uw:v", "N U:f"], "D:f Uw:v", gone);
        check(&["B D:v", "B D:f U:v", "N? D:v"], "D:f U:v", gone);
        check(&["B D:v", "B D:f U:v", "N U:f"], "D:f", None);
        check(&["B D:v", "B D:f Uw:v", "N U:f"], "D:f D:v Uw:v", None);
    }
}
