//! The differences between two ELF files, apart from the order of symbols.
//!
//! In-process lld numbers symbols in another order than a link of native objects does. So symbol tables are compared as
//! sets, and whatever holds symbol numbers (relocations, groups, address-significance tables) by the symbols meant.

use object::read::elf::{FileHeader, Rel as _, Rela as _, SectionHeader as _, SectionTable, Sym as _, SymbolTable};
use object::{Endianness, SectionIndex, SymbolIndex, elf};
use std::collections::BTreeMap;

/// One difference: where and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) section: String,
    pub(crate) what: String,
}

/// The result of a comparison.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Sections compared.
    pub(crate) sections: usize,
    /// Symbols compared.
    pub(crate) symbols: usize,
    pub(crate) differences: Vec<Difference>,
}

/// Its content is a hash of the whole file, symbol order included.
const BUILD_ID: &str = ".note.gnu.build-id";
/// Type of `.llvm_addrsig`: symbol numbers as ULEB128.
const SHT_LLVM_ADDRSIG: u32 = 0x6fff_4c03;

type Result<T> = object::read::Result<T>;

/// What suffixes of promoted names in-process are in the other file: see [`thindist_core::promoted_names`].
pub(crate) type NewSuffixes = BTreeMap<String, String>;

/// Compares an in-process output with a distributed one.
pub(crate) fn compare(in_process: &[u8], distributed: &[u8], renamed: &NewSuffixes) -> Result<Comparison> {
    let (left, right) = (read(in_process, renamed)?, read(distributed, &NewSuffixes::new())?);
    let mut comparison = Comparison {
        sections: right.sections.len(),
        symbols: right.symbols.values().sum(),
        differences: compare_headers(&left, &right),
    };
    comparison.differences.extend(compare_sections(&left, &right));
    compare_symbols(&left, &right, &mut comparison.differences);
    Ok(comparison)
}

/// A file as it is compared.
struct Image {
    /// Fields of the ELF header that do not count sections or say where tables are.
    header: Vec<(&'static str, String)>,
    sections: Vec<Section>,
    /// How often each symbol occurs.
    symbols: BTreeMap<String, usize>,
}

#[derive(PartialEq, Eq)]
struct Section {
    name: String,
    /// Type, flags, address, alignment, size, entry size.
    header: String,
    data: Vec<u8>,
    /// What its data means, where that is symbol numbers.
    references: Vec<String>,
}

fn read(bytes: &[u8], renamed: &NewSuffixes) -> Result<Image> {
    match object::FileKind::parse(bytes)? {
        object::FileKind::Elf32 => read_elf::<elf::FileHeader32<Endianness>>(bytes, renamed),
        _ => read_elf::<elf::FileHeader64<Endianness>>(bytes, renamed),
    }
}

/// One class of ELF file, being read.
struct Reader<'a, Elf: FileHeader<Endian = Endianness>> {
    endian: Endianness,
    bytes: &'a [u8],
    sections: SectionTable<'a, Elf>,
    symbols: SymbolTable<'a, Elf>,
    renamed: &'a NewSuffixes,
}

fn read_elf<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8], renamed: &NewSuffixes) -> Result<Image> {
    let header = Elf::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let symbols = sections.symbols(endian, bytes, elf::SHT_SYMTAB)?;
    let reader = Reader { endian, bytes, sections, symbols, renamed };
    let mut image = Image { header: elf_header(header, endian), sections: Vec::new(), symbols: BTreeMap::new() };
    for section in reader.sections.iter() {
        image.sections.extend(reader.section(section)?);
    }
    for symbol in reader.symbols.enumerate() {
        *image.symbols.entry(reader.symbol(symbol.0)?).or_default() += 1;
    }
    Ok(image)
}

/// All of it but the places of the tables, which follow from the sections.
fn elf_header<Elf: FileHeader<Endian = Endianness>>(header: &Elf, endian: Endianness) -> Vec<(&'static str, String)> {
    let ident = header.e_ident();
    vec![
        ("class", format!("{:?}", ident.class)),
        ("data", format!("{:?}", ident.data)),
        ("OS/ABI", format!("{:?}", ident.os_abi)),
        ("ABI version", format!("{:?}", ident.abi_version)),
        ("type", format!("{:?}", header.e_type(endian))),
        ("machine", format!("{:?}", header.e_machine(endian))),
        ("version", format!("{:?}", header.e_version(endian))),
        ("entry point", format!("{:#x}", header.e_entry(endian).into())),
        ("flags", format!("{:?}", header.e_flags(endian))),
        ("number of program headers", format!("{}", header.e_phnum(endian))),
    ]
}

impl<Elf: FileHeader<Endian = Endianness>> Reader<'_, Elf> {
    /// `None` for what is only numbering: the symbol table and its strings.
    fn section(&self, section: &Elf::SectionHeader) -> Result<Option<Section>> {
        let endian = self.endian;
        let kind = section.sh_type(endian);
        let name = self.name(self.sections.section_name(endian, section)?);
        let numbering = [elf::SHT_NULL, elf::SHT_SYMTAB, elf::SHT_SYMTAB_SHNDX].contains(&kind);
        if numbering || (kind == elf::SHT_STRTAB && name != ".dynstr") {
            return Ok(None);
        }
        let references = self.references(section)?;
        let as_data = references.is_empty() && kind != elf::SHT_NOBITS && name != BUILD_ID;
        let data = if as_data { section.data(endian, self.bytes)?.to_vec() } else { Vec::new() };
        let header = format!(
            "type {:?} flags {:?} address {:#x} alignment {} size {:#x} entry size {}",
            kind,
            section.sh_flags(endian),
            section.sh_addr(endian).into(),
            section.sh_addralign(endian).into(),
            if references.is_empty() { section.sh_size(endian).into() } else { 0 },
            section.sh_entsize(endian).into()
        );
        Ok(Some(Section { name, header, data, references }))
    }

    /// The symbols that a section names by number, as text.
    fn references(&self, section: &Elf::SectionHeader) -> Result<Vec<String>> {
        let endian = self.endian;
        if let Some((relocations, _)) = section.rela(endian, self.bytes)?.filter(|(_, link)| self.is_symtab(*link)) {
            return relocations.iter().map(|relocation| self.rela(relocation)).collect();
        }
        if let Some((relocations, _)) = section.rel(endian, self.bytes)?.filter(|(_, link)| self.is_symtab(*link)) {
            return relocations.iter().map(|relocation| self.rel(relocation)).collect();
        }
        if let Some((flag, members)) = section.group(endian, self.bytes)? {
            let signature = self.symbol(SymbolIndex(section.sh_info(endian) as usize))?;
            let names = members.iter().map(|index| self.section_name(index.get(endian)));
            return [Ok(format!("{flag:?} {signature}"))].into_iter().chain(names).collect();
        }
        // lld's `-r` leaves the numbers as they were in the inputs, and says so by linking to no symbol table.
        if section.sh_type(endian).0 == SHT_LLVM_ADDRSIG && self.is_symtab(section.link(endian)) {
            let mut symbols = uleb128(section.data(endian, self.bytes)?)
                .into_iter()
                .map(|number| self.symbol(SymbolIndex(number)))
                .collect::<Result<Vec<_>>>()?;
            symbols.sort_unstable();
            return Ok(symbols);
        }
        Ok(Vec::new())
    }

    fn is_symtab(&self, link: SectionIndex) -> bool {
        self.symbols.section() == link
    }

    fn rela(&self, relocation: &Elf::Rela) -> Result<String> {
        let (endian, place) = (self.endian, relocation.r_offset(self.endian).into());
        let kind = relocation.r_type(endian, false);
        let symbol = self.symbol(SymbolIndex(relocation.r_sym(endian, false) as usize))?;
        let addend: i64 = relocation.r_addend(endian).into();
        Ok(format!("{place:#x}: {kind:?} {symbol} + {addend}"))
    }

    fn rel(&self, relocation: &Elf::Rel) -> Result<String> {
        let (endian, place) = (self.endian, relocation.r_offset(self.endian).into());
        let symbol = self.symbol(SymbolIndex(relocation.r_sym(endian) as usize))?;
        Ok(format!("{place:#x}: {:?} {symbol}", relocation.r_type(endian)))
    }

    /// All that makes up a symbol but its number.
    fn symbol(&self, index: SymbolIndex) -> Result<String> {
        if index.0 == 0 {
            return Ok("no symbol".to_owned());
        }
        let symbol = self.symbols.symbol(index)?;
        let name = self.name(self.symbols.symbol_name(self.endian, symbol)?);
        let section = match self.symbols.symbol_section(self.endian, symbol, index)? {
            Some(section) => self.section_name(u32::try_from(section.0).unwrap_or(u32::MAX))?,
            None => format!("{:?}", symbol.st_shndx(self.endian)),
        };
        Ok(format!(
            "{name} = {section} + {:#x} size {:#x} {:?} {:?}",
            symbol.st_value(self.endian).into(),
            symbol.st_size(self.endian).into(),
            symbol.st_info(),
            symbol.st_other()
        ))
    }

    fn section_name(&self, index: u32) -> Result<String> {
        let section = self.sections.section(SectionIndex(index as usize))?;
        Ok(self.name(self.sections.section_name(self.endian, section)?))
    }

    /// A name of a symbol, or of a section that is named after one.
    fn name(&self, name: &[u8]) -> String {
        let name = String::from_utf8_lossy(name).into_owned();
        let Some((start, suffix)) = name.find(".llvm.").and_then(|at| name.split_at_checked(at)) else { return name };
        let digits = suffix.trim_start_matches(".llvm.").find(|c: char| !c.is_ascii_digit());
        let (suffix, rest) = suffix.split_at(digits.map_or(suffix.len(), |digits| ".llvm.".len() + digits));
        self.renamed.get(suffix).map_or_else(|| name.clone(), |new| format!("{start}{new}{rest}"))
    }
}

fn uleb128(bytes: &[u8]) -> Vec<usize> {
    let (mut numbers, mut number, mut shift) = (Vec::new(), 0_usize, 0);
    for byte in bytes {
        number |= usize::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        shift += 7;
        if byte & 0x80 == 0 {
            numbers.push(number);
            (number, shift) = (0, 0);
        }
    }
    numbers
}

fn compare_headers(left: &Image, right: &Image) -> Vec<Difference> {
    let pairs = left.header.iter().zip(&right.header).filter(|(left, right)| left != right);
    let what = |(name, left): &(&str, String), right: &str| format!("{name}: {left} in-process, {right} distributed");
    let difference = |(left, (_, right)): (&(&str, String), &(&str, String))| Difference {
        section: "ELF header".to_owned(),
        what: what(left, right),
    };
    pairs.map(|(left, right)| difference((left, right))).collect()
}

fn compare_sections(left: &Image, right: &Image) -> Vec<Difference> {
    let names = |image: &Image| image.sections.iter().map(|section| section.name.clone()).collect::<Vec<_>>();
    let (left_names, right_names) = (names(left), names(right));
    if left_names != right_names {
        let place = left_names.iter().zip(&right_names).position(|(left, right)| left != right);
        let at = place.unwrap_or(left_names.len().min(right_names.len()));
        let name = |names: &[String]| names.get(at).cloned().unwrap_or_else(|| "(none)".to_owned());
        let what = format!(
            "{} sections in-process, {} distributed; number {at} is {} in-process and {} distributed",
            left_names.len(),
            right_names.len(),
            name(&left_names),
            name(&right_names)
        );
        return vec![Difference { section: name(&left_names), what }];
    }
    left.sections.iter().zip(&right.sections).filter_map(|(left, right)| compare_section(left, right)).collect()
}

fn compare_section(left: &Section, right: &Section) -> Option<Difference> {
    let difference = |what| Some(Difference { section: left.name.clone(), what });
    if left.header != right.header {
        return difference(format!("header: {} in-process, {} distributed", left.header, right.header));
    }
    if let Some(at) = left.data.iter().zip(&right.data).position(|(left, right)| left != right) {
        return difference(format!("content differs from offset {at:#x} on"));
    }
    if left.references.len() != right.references.len() {
        return difference(format!(
            "{} references in-process, {} distributed",
            left.references.len(),
            right.references.len()
        ));
    }
    let (left, right) = left.references.iter().zip(&right.references).find(|(left, right)| left != right)?;
    difference(format!("`{left}` in-process, `{right}` distributed"))
}

fn compare_symbols(left: &Image, right: &Image, differences: &mut Vec<Difference>) {
    let missing = |from: &Image, of: &Image| {
        of.symbols.iter().find(|(name, count)| from.symbols.get(*name) != Some(count)).map(|(name, _)| name.clone())
    };
    for (found, side) in [(missing(right, left), "in-process"), (missing(left, right), "distributed")] {
        if let Some(symbol) = found {
            let what = format!("only {side}, or not as often on the other side: {symbol}");
            differences.push(Difference { section: ".symtab".to_owned(), what });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uleb() {
        assert_eq!(uleb128(&[1, 0x80, 1, 0x7f]), [1, 128, 127]);
    }

    fn section(name: &str, data: &[u8]) -> Section {
        Section { name: name.into(), header: String::new(), data: data.to_vec(), references: Vec::new() }
    }

    fn image(sections: Vec<Section>, symbols: &[&str]) -> Image {
        Image { header: Vec::new(), sections, symbols: symbols.iter().map(|name| ((*name).to_owned(), 1)).collect() }
    }

    #[test]
    fn one_byte_names_its_section() {
        let left = image(vec![section(".text", b"abc")], &[]);
        let right = image(vec![section(".text", b"abd")], &[]);
        assert_eq!(compare_sections(&left, &right)[0].what, "content differs from offset 0x2 on");
        assert!(compare_sections(&left, &left).is_empty());
    }

    #[test]
    fn a_field_of_the_header_is_named() {
        let with = |abi: &str| Image { header: vec![("OS/ABI", abi.to_owned())], ..image(vec![], &[]) };
        let differences = compare_headers(&with("0"), &with("3"));
        assert_eq!(differences[0].what, "OS/ABI: 0 in-process, 3 distributed");
        assert!(compare_headers(&with("0"), &with("0")).is_empty());
    }

    #[test]
    fn a_symbol_on_one_side_is_named() {
        let mut differences = Vec::new();
        compare_symbols(&image(vec![], &["a", "b"]), &image(vec![], &["a", "c"]), &mut differences);
        let texts: Vec<_> = differences.iter().map(|difference| difference.what.as_str()).collect();
        assert!(texts[0].ends_with(": b") && texts[1].ends_with(": c"), "{texts:?}");
    }
}
