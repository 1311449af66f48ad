//! Definitions that native objects and bitcode share.
//!
//! A weak symbol, a common one and a COMDAT group go to whoever comes first on the line. In the final link all natives
//! come before the LTO objects, in-process they keep their places. So where both sides define such a symbol, the link
//! is left to in-process. A strong definition wins from any place (the kernel's linux_banner is one).

use crate::failure::{Failure, Result};
use object::read::elf::{ElfFile32, ElfFile64};
use object::{Endianness, Object as _, ObjectComdat as _, ObjectSymbol as _, ReadRef};
use std::collections::BTreeSet;
use thindist_core::link_line::Refusal;

/// Refuses a native object that defines weakly, commonly or in a COMDAT group what bitcode defines so, too.
pub(crate) fn check(native: &str, bytes: &[u8], in_bitcode: &BTreeSet<String>) -> Result<Option<Refusal>> {
    let yielding = yielding_symbols(bytes).map_err(|error| {
        Failure::new(format_args!("{native}: {error}")).hint("the object is damaged; compile it again")
    })?;
    Ok(yielding.into_iter().find(|name| in_bitcode.contains(name)).map(|name| Refusal {
        option: native.to_owned(),
        reason: format!("it and bitcode both define `{name}`, and which definition is taken depends on their order"),
    }))
}

fn yielding_symbols(bytes: &[u8]) -> object::read::Result<Vec<String>> {
    match object::FileKind::parse(bytes)? {
        object::FileKind::Elf32 => names_in(&ElfFile32::<Endianness>::parse(bytes)?),
        _ => names_in(&ElfFile64::<Endianness>::parse(bytes)?),
    }
}

fn names_in<'data, Elf, R>(file: &object::read::elf::ElfFile<'data, Elf, R>) -> object::read::Result<Vec<String>>
where
    Elf: object::read::elf::FileHeader,
    R: ReadRef<'data>,
{
    let mut names = Vec::new();
    for symbol in file.symbols() {
        if symbol.is_common() || (symbol.is_weak() && symbol.is_definition()) {
            names.push(symbol.name()?.to_owned());
        }
    }
    for comdat in file.comdats() {
        names.push(comdat.name()?.to_owned());
    }
    Ok(names)
}
