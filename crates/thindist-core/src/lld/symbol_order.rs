//! The order in which in-process lld enters symbols into its table, and the archive members that it loads for the LTO
//! objects.
//!
//! The order of that table is the order of `.symtab` and `.dynsym`, and of everything that lld allots symbol by symbol: PLT,
//! GOT, copy relocations. In-process the names come from bitcode; in the final link they would come from native objects. And
//! a native archive member that only a native object refers to (memcpy, most often) is loaded in the middle of the LTO
//! objects, in front of the one that wants it.
//!
//! Both follow from lld's rules of resolution, which are repeated here: files in the order of the line, a member as soon as
//! somebody refers to a symbol of it. What is known of a symbol is only what loading depends on. The thin link's trace says
//! whether the result is right: [`Resolution::agrees_with`].

use crate::lld::versions::Version;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How a file has a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definition {
    /// Referred to.
    Undefined,
    /// Defined.
    Defined,
    /// Defined tentatively.
    Common,
}

/// A global symbol of one file. In JSON a word: a letter for each property, a blank, and the name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Symbol {
    /// Its name with its version, as lld enters it.
    pub name: String,
    /// How the file has it.
    pub definition: Definition,
    /// A weak reference or definition.
    pub weak: bool,
    /// Who sees it.
    pub visibility: Visibility,
}

/// Of a symbol that files of a link see differently the last of these holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Visibility {
    /// All of the program.
    #[default]
    Default,
    /// The same, but its own output's definition is not replaced.
    Protected,
    /// Its own output.
    Hidden,
    /// The same, and nobody else has its address.
    Internal,
}

impl Visibility {
    const ALL: [(Self, &'static str); 4] =
        [(Self::Default, ""), (Self::Protected, "p"), (Self::Hidden, "h"), (Self::Internal, "i")];

    fn letter(self) -> &'static str {
        Self::ALL.into_iter().find(|(visibility, _)| *visibility == self).map_or("", |(_, letter)| letter)
    }
}

impl Symbol {
    /// Whether another file's definition may take its place.
    #[must_use]
    pub fn gives_way(&self) -> bool {
        match self.definition {
            Definition::Undefined => false,
            Definition::Defined => self.weak,
            Definition::Common => true,
        }
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> Self {
        let definition = match symbol.definition {
            Definition::Undefined => 'U',
            Definition::Defined => 'D',
            Definition::Common => 'C',
        };
        let (weak, visibility) = (if symbol.weak { "w" } else { "" }, symbol.visibility.letter());
        format!("{definition}{weak}{visibility} {}", symbol.name)
    }
}

impl TryFrom<String> for Symbol {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let unknown = || format!("`{word}` is not a symbol");
        let (properties, name) = word.split_once(' ').ok_or_else(unknown)?;
        let definition = match properties.get(..1) {
            Some("U") => Definition::Undefined,
            Some("D") => Definition::Defined,
            Some("C") => Definition::Common,
            _ => return Err(unknown()),
        };
        let mut others = Visibility::ALL.into_iter().rev();
        let visibility = others.find(|(_, letter)| properties.ends_with(letter)).unwrap_or_default().0;
        Ok(Self { name: name.to_owned(), definition, weak: properties.contains('w'), visibility })
    }
}

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A native object, or data.
    Native,
    /// Bitcode.
    Bitcode,
    /// A shared object.
    Shared,
}

/// A file of the link.
#[derive(Debug, Clone)]
pub struct File {
    /// How lld's trace names it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Read as an archive member: loaded only if somebody wants a symbol of it.
    pub lazy: bool,
    /// Its global symbols in its order.
    pub symbols: Vec<Symbol>,
    /// The name by which a shared object is known: one of each is read.
    pub soname: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Undefined { weak: bool, referenced: bool },
    Lazy { file: usize },
    Shared,
    Common,
    Defined { strong: bool },
}

/// The table while files are read.
#[derive(Debug)]
pub struct Resolution<'a> {
    files: &'a [File],
    /// What a bitcode file defines is entered before what it only names.
    defined_first: bool,
    is_lazy: Vec<bool>,
    numbers: BTreeMap<&'a str, usize>,
    names: Vec<&'a str>,
    states: Vec<State>,
    hidden: Vec<bool>,
    sonames: BTreeSet<&'a str>,
    loaded: Vec<usize>,
}

impl<'a> Resolution<'a> {
    /// Reads `files` in the order of the line, after the symbols that `-u` names, as an lld of this version does.
    #[must_use]
    pub fn of(files: &'a [File], undefined: &[&'a str], lld: &Version) -> Self {
        let mut this = Self {
            files,
            defined_first: lld.enters_definitions_first,
            is_lazy: files.iter().map(|file| file.lazy).collect(),
            numbers: BTreeMap::new(),
            names: Vec::new(),
            states: Vec::new(),
            hidden: Vec::new(),
            sonames: BTreeSet::new(),
            loaded: Vec::new(),
        };
        undefined.iter().for_each(|name| this.want(name));
        for (number, file) in files.iter().enumerate() {
            if file.lazy { this.offer(number, file) } else { this.load(number) }
        }
        this
    }

    /// Whether lld has loaded the same files in the same order. At its end the trace may name more, which lld has loaded
    /// for reasons of its own: the entry symbol, functions that code generation may call. They are loaded now.
    pub fn agrees_with(&mut self, trace: &[String]) -> bool {
        loop {
            let same = self.loaded.iter().zip(trace).all(|(number, name)| self.file(*number).name == *name);
            if !same || self.loaded.len() > trace.len() {
                return false;
            }
            let Some(next) = trace.get(self.loaded.len()) else { return true };
            let found = self.files.iter().zip(&self.is_lazy).position(|(file, lazy)| *lazy && file.name == *next);
            let Some(number) = found else { return false };
            self.extract(number);
        }
    }

    /// Enters names that options bring.
    pub fn enter(&mut self, names: &[&'a str]) {
        for name in names {
            self.number(name);
        }
    }

    /// LTO is about to give its objects: what bitcode defines is open until then.
    pub fn reopen_bitcode(&mut self) {
        let loaded: Vec<&'a File> = self.loaded.iter().map(|number| self.file(*number)).collect();
        let symbols = loaded.into_iter().filter(|file| file.kind == Kind::Bitcode).flat_map(|file| &file.symbols);
        for symbol in symbols.filter(|symbol| symbol.definition != Definition::Undefined) {
            let number = self.number(&symbol.name);
            if !matches!(self.state(number), State::Lazy { .. }) {
                self.set(number, State::Undefined { weak: false, referenced: true });
            }
        }
    }

    /// Reads an LTO object. Gives the files that are loaded for it, which lld puts in front of it.
    pub fn add_object(&mut self, symbols: &'a [Symbol]) -> Vec<usize> {
        let before = self.loaded.len();
        self.native(symbols);
        self.loaded.get(before..).unwrap_or_default().to_vec()
    }

    /// Every name in the order of the table.
    #[must_use]
    pub fn names(&self) -> &[&'a str] {
        &self.names
    }

    /// Positions of the loaded files in order.
    #[must_use]
    pub fn loaded(&self) -> &[usize] {
        &self.loaded
    }

    #[expect(clippy::indexing_slicing, reason = "numbers are positions in this slice")]
    fn file(&self, number: usize) -> &'a File {
        &self.files[number]
    }

    fn state(&self, number: usize) -> State {
        self.states.get(number).copied().unwrap_or(State::New)
    }

    fn set(&mut self, number: usize, state: State) {
        if let Some(place) = self.states.get_mut(number) {
            *place = state;
        }
    }

    /// The symbol's number, which it gets when it is first met. `name@@version` is found as `name`.
    fn number(&mut self, name: &'a str) -> usize {
        let name = name.split_once("@@").map_or(name, |(stem, _)| stem);
        let next = self.names.len();
        let number = *self.numbers.entry(name).or_insert(next);
        if number == next {
            self.names.push(name);
            self.states.push(State::New);
            self.hidden.push(false);
        }
        number
    }

    fn load(&mut self, number: usize) {
        let file = self.file(number);
        self.loaded.push(number);
        match file.kind {
            Kind::Native => self.native(&file.symbols),
            Kind::Bitcode => self.bitcode(&file.symbols),
            Kind::Shared => self.shared(file),
        }
    }

    fn extract(&mut self, number: usize) {
        if let Some(lazy) = self.is_lazy.get_mut(number)
            && std::mem::take(lazy)
        {
            self.load(number);
        }
    }

    /// All names are entered before any of them is resolved.
    fn native(&mut self, symbols: &'a [Symbol]) {
        let numbers: Vec<usize> = symbols.iter().map(|symbol| self.number(&symbol.name)).collect();
        let is_open = |(symbol, _): &(&Symbol, usize)| symbol.definition == Definition::Undefined;
        let (open, defined): (Vec<_>, Vec<_>) = symbols.iter().zip(numbers).partition(is_open);
        defined.into_iter().for_each(|(symbol, number)| self.define(symbol, number));
        open.into_iter().for_each(|(symbol, number)| self.refer(symbol, number, true));
    }

    /// Names are entered one by one, so that a member's may come in between.
    fn bitcode(&mut self, symbols: &'a [Symbol]) {
        let is_open = |symbol: &&Symbol| symbol.definition == Definition::Undefined;
        let mut symbols: Vec<&Symbol> = symbols.iter().collect();
        if self.defined_first {
            symbols.sort_by_key(is_open);
        }
        for symbol in symbols {
            let number = self.number(&symbol.name);
            if is_open(&symbol) {
                self.refer(symbol, number, true);
            } else {
                self.define(symbol, number);
            }
        }
    }

    fn shared(&mut self, file: &'a File) {
        if !self.sonames.insert(file.soname.as_deref().unwrap_or(&file.name)) {
            return;
        }
        for symbol in &file.symbols {
            let number = self.number(&symbol.name);
            if symbol.definition == Definition::Undefined {
                self.refer(symbol, number, false);
            } else {
                self.share(number);
            }
        }
    }

    /// A member's definitions. It may be wanted already.
    fn offer(&mut self, file: usize, content: &'a File) {
        for symbol in content.symbols.iter().filter(|symbol| symbol.definition != Definition::Undefined) {
            let number = self.number(&symbol.name);
            match self.state(number) {
                State::New => self.set(number, State::Lazy { file }),
                State::Common if symbol.definition == Definition::Defined && !symbol.weak => self.extract(file),
                State::Undefined { weak: false, .. } => self.extract(file),
                State::Undefined { weak: true, .. } => self.set(number, State::Lazy { file }),
                _ => {}
            }
            if content.kind != Kind::Bitcode && self.is_lazy.get(file) == Some(&false) {
                return;
            }
        }
    }

    fn define(&mut self, symbol: &Symbol, number: usize) {
        self.hide(symbol, number);
        let strong = !symbol.weak;
        let state = match (self.state(number), symbol.definition) {
            (State::Defined { strong: true }, _) | (State::Common, Definition::Common) => return,
            (_, Definition::Common) => State::Common,
            (State::Common | State::Defined { .. }, _) if !strong => return,
            _ => State::Defined { strong },
        };
        self.set(number, state);
    }

    /// `counts`: a reference from a shared object says nothing of the binding.
    fn refer(&mut self, symbol: &Symbol, number: usize, counts: bool) {
        self.hide(symbol, number);
        let weak = symbol.weak;
        match self.state(number) {
            State::New => self.set(number, State::Undefined { weak, referenced: counts }),
            State::Shared if symbol.visibility != Visibility::Default => {
                self.set(number, State::Undefined { weak, referenced: counts })
            }
            State::Lazy { file } if !weak => self.extract(file),
            State::Undefined { weak: was_weak, referenced } if counts => {
                let weak = if !weak || !referenced { weak } else { was_weak };
                self.set(number, State::Undefined { weak, referenced: true });
            }
            _ => {}
        }
    }

    fn want(&mut self, name: &'a str) {
        let number = self.number(name);
        self.set(number, State::Undefined { weak: false, referenced: true });
    }

    /// A shared object's definition satisfies no hidden reference.
    fn share(&mut self, number: usize) {
        let is_hidden = self.hidden.get(number) == Some(&true);
        let open = matches!(self.state(number), State::Undefined { .. } | State::Lazy { .. }) && !is_hidden;
        if open || self.state(number) == State::New {
            self.set(number, State::Shared);
        }
    }

    fn hide(&mut self, symbol: &Symbol, number: usize) {
        if let Some(hidden) = self.hidden.get_mut(number) {
            *hidden |= symbol.visibility != Visibility::Default;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lld::versions::nearest;

    /// `+f` defined, `~f` defined weakly, `=f` common, `f` undefined, `?f` undefined and weak.
    fn symbols(text: &str) -> Vec<Symbol> {
        let symbol = |word: &str| {
            let (definition, weak) = match word.as_bytes().first() {
                Some(b'+') => (Definition::Defined, false),
                Some(b'~') => (Definition::Defined, true),
                Some(b'=') => (Definition::Common, false),
                Some(b'?') => (Definition::Undefined, true),
                _ => (Definition::Undefined, false),
            };
            let name = word.trim_start_matches(['+', '~', '=', '?']).to_owned();
            Symbol { name, definition, weak, visibility: Visibility::Default }
        };
        text.split_ascii_whitespace().map(symbol).collect()
    }

    fn file(kind: Kind, lazy: bool, name: &str, text: &str) -> File {
        File { name: name.to_owned(), kind, lazy, symbols: symbols(text), soname: None }
    }

    #[track_caller]
    fn check(files: &[File], loaded: &str, names: &str) {
        let resolution = Resolution::of(files, &[], nearest(22));
        let order: Vec<&str> = resolution.loaded().iter().map(|number| files[*number].name.as_str()).collect();
        assert_eq!((order.join(" ").as_str(), resolution.names().join(" ").as_str()), (loaded, names));
    }

    use Kind::{Bitcode, Native, Shared};

    #[test]
    fn bitcode_enters_definitions_first_and_natives_all_at_once() {
        check(&[file(Bitcode, false, "a", "f +main g")], "a", "main f g");
        check(&[file(Native, false, "a", "f +main g")], "a", "f main g");
    }

    #[test]
    fn a_member_comes_in_between() {
        let library = [file(Native, true, "l(f)", "+f h"), file(Native, true, "l(h)", "+h")];
        let [f, h] = library;
        check(&[f.clone(), h.clone(), file(Bitcode, false, "a", "f g")], "a l(f) l(h)", "f h g");
        check(&[file(Bitcode, false, "a", "f g"), f, h], "a l(f) l(h)", "f g h");
    }

    #[test]
    fn weak_references_load_nothing() {
        let member = file(Native, true, "l(f)", "+f");
        check(&[file(Native, false, "a", "?f"), member.clone()], "a", "f");
        check(&[member.clone(), file(Native, false, "a", "?f"), file(Native, false, "b", "f")], "a b l(f)", "f");
        check(&[file(Native, false, "a", "?f"), file(Native, false, "b", "f"), member], "a b l(f)", "f");
    }

    #[test]
    fn common_symbols_load_a_member_that_defines_them() {
        let member = |text| file(Native, true, "l(f)", text);
        check(&[file(Native, false, "a", "=f"), member("+f")], "a l(f)", "f");
        check(&[file(Native, false, "a", "=f"), member("~f")], "a", "f");
        check(&[file(Native, false, "a", "=f"), member("=f")], "a", "f");
    }

    #[test]
    fn a_shared_object_satisfies_a_reference_and_has_some() {
        let member = file(Native, true, "l(f)", "+f");
        check(&[file(Native, false, "a", "f"), file(Shared, false, "s", "+f"), member.clone()], "a s", "f");
        check(&[member, file(Shared, false, "s", "f")], "s l(f)", "f");
        check(&[file(Shared, false, "s", "+f"), file(Shared, false, "s", "+g")], "s s", "f");
    }

    #[test]
    fn a_version_that_is_the_default_is_found_without_it() {
        check(&[file(Native, false, "a", "+f@@V f g@V g")], "a", "f g@V g");
    }

    #[test]
    fn members_for_an_lto_object_come_in_front_of_it() {
        let files = [
            file(Bitcode, false, "a", "+main +f"),
            file(Native, true, "l(m)", "+memcpy"),
            file(Native, true, "l(f)", "+f"),
        ];
        let mut resolution = Resolution::of(&files, &[], nearest(22));
        assert!(resolution.agrees_with(&["a".to_owned()]));
        resolution.reopen_bitcode();
        let objects = [symbols("+main f"), symbols("+f memcpy")];
        assert_eq!(resolution.add_object(&objects[0]), Vec::<usize>::new());
        assert_eq!(resolution.add_object(&objects[1]), [1]);
    }

    #[test]
    fn the_trace_has_the_last_word() {
        let files = [file(Bitcode, false, "a", "main"), file(Bitcode, true, "l(memcpy)", "+memcpy")];
        let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(Resolution::of(&files, &[], nearest(22)).agrees_with(&names("a l(memcpy)")));
        assert!(!Resolution::of(&files, &[], nearest(22)).agrees_with(&names("l(memcpy) a")));
        assert!(!Resolution::of(&files, &[], nearest(22)).agrees_with(&names("a b")));
    }
}
