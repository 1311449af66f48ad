//! The file that `thindist thin-link` writes for `thindist final-link`, beside the list of objects.
//!
//! The line and its inputs are there anyway; this has what only the thin link tells (which files lld has loaded, in which
//! order, and which modules were selected), and by which the final link knows that it is the one of this thin link.
//! Of bitcode it has the symbols, which say in which order the output has them, and what natives lose to it. The rest of
//! its content is not in it: of an edit that changes no symbol only a native object comes.
//!
//! JSON, one object, keys in this order: `schema`, `thindist` (the version that wrote it), `line` (digest of the words),
//! `lld` (identity), `trace`, `bitcode` (`candidates`, by identifier, and `yielding`), `regular_object` (path or null),
//! `modules` (identifier and native object), `inputs` (path and content). A reader refuses another schema or version: the next thin link makes it anew.

use crate::bitcode::written_by::{self, OtherWriter};
use crate::digest::{Digest, Hasher};
use crate::lld::ir_symbols::BitcodeSymbols;
use serde::{Deserialize, Serialize};

/// Raised whenever a key changes its meaning.
const SCHEMA: u32 = 2;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalFile {
    schema: u32,
    thindist: String,
    line: Digest,
    /// The identity of the lld that did the thin link.
    pub lld: Digest,
    /// The names of the files that it loaded, in order.
    pub trace: Vec<String>,
    /// What it saw of bitcode.
    pub bitcode: BitcodeSymbols,
    /// Regular LTO's object.
    pub regular_object: Option<String>,
    /// The selected modules in lld's order.
    pub modules: Vec<Module>,
    /// Files of the line that are no bitcode.
    pub inputs: Vec<Input>,
}

/// One selected module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// lld's identifier.
    pub identifier: String,
    /// The path of its native object.
    pub native: String,
}

/// One file of the line, as the thin link saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its path.
    pub path: String,
    /// Its content.
    pub content: Digest,
}

/// What the thin link tells.
#[derive(Debug, Clone)]
pub struct Told {
    /// See [`FinalFile::lld`].
    pub lld: Digest,
    /// See [`FinalFile::trace`].
    pub trace: Vec<String>,
    /// See [`FinalFile::bitcode`].
    pub bitcode: BitcodeSymbols,
    /// See [`FinalFile::regular_object`].
    pub regular_object: Option<String>,
    /// See [`FinalFile::modules`].
    pub modules: Vec<Module>,
    /// See [`FinalFile::inputs`].
    pub inputs: Vec<Input>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FinalFileError {
    /// It is not what this program writes.
    #[error("not what `thindist thin-link` leaves: {0}")]
    Json(#[from] serde_json::Error),
    /// Another program wrote it.
    #[error(transparent)]
    Version(#[from] OtherWriter),
    /// It is of another link.
    #[error("its thin link was one of another line than this")]
    Line,
}

impl FinalFile {
    /// The file for a link of `words`, as this version of thindist writes it.
    #[must_use]
    pub fn new<'a>(words: impl Iterator<Item = &'a str>, version: &str, told: Told) -> Self {
        let Told { lld, trace, bitcode, regular_object, modules, inputs } = told;
        let line = digest(words);
        Self {
            schema: SCHEMA,
            thindist: version.to_owned(),
            line,
            lld,
            trace,
            bitcode,
            regular_object,
            modules,
            inputs,
        }
    }

    /// Reads one that this `version` wrote for a link of `words`.
    ///
    /// # Errors
    /// It is no such file, another version's, or another link's.
    pub fn parse<'a>(
        bytes: &[u8],
        words: impl Iterator<Item = &'a str>,
        version: &str,
    ) -> Result<Self, FinalFileError> {
        let file = written_by::read::<Self, FinalFileError>(bytes, SCHEMA, version)?;
        if file.line == digest(words) { Ok(file) } else { Err(FinalFileError::Line) }
    }

    /// The text of the file.
    ///
    /// # Errors
    /// None that is known: every field is text or a list of it.
    pub fn to_text(&self) -> Result<String, FinalFileError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

fn digest<'a>(words: impl Iterator<Item = &'a str>) -> Digest {
    let mut hasher = Hasher::default();
    words.for_each(|word| hasher.part(word.as_bytes()));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lld::ir_symbols::IrSymbols;
    use crate::lld::symbol_order::{Definition, Symbol, Visibility};

    const WORDS: [&str; 3] = ["a.o", "-o", "out"];

    fn bitcode() -> BitcodeSymbols {
        let symbol =
            |name: &str, definition, weak, visibility| Symbol { name: name.into(), definition, weak, visibility };
        let symbols = vec![
            symbol("main", Definition::Defined, false, Visibility::Default),
            symbol("with a blank", Definition::Undefined, true, Visibility::Protected),
            symbol("tentative@V1", Definition::Common, false, Visibility::Internal),
            symbol("inlined", Definition::Defined, true, Visibility::Hidden),
        ];
        let known = IrSymbols { symbols, groups: vec!["inlined".into()] };
        BitcodeSymbols {
            candidates: [("a.o".to_owned(), Some(known)), ("b.o".to_owned(), None)].into(),
            yielding: ["inlined".to_owned()].into(),
        }
    }

    fn sample() -> FinalFile {
        let told = Told {
            lld: Digest::of(b"lld"),
            trace: vec!["a.o".into(), "lib.a(x y.o)".into()],
            bitcode: bitcode(),
            regular_object: None,
            modules: vec![Module { identifier: "a.o".into(), native: "a.thinlto-native.o".into() }],
            inputs: vec![Input { path: "lib.a".into(), content: Digest::of(b"archive") }],
        };
        FinalFile::new(WORDS.into_iter(), "1.2.3", told)
    }

    #[test]
    fn it_comes_back() {
        let text = sample().to_text().unwrap();
        assert_eq!(FinalFile::parse(text.as_bytes(), WORDS.into_iter(), "1.2.3").unwrap(), sample());
    }

    #[test]
    fn another_link_and_another_version_are_refused() {
        let text = sample().to_text().unwrap();
        let parse = |text: &str, words: &[&str], version| {
            FinalFile::parse(text.as_bytes(), words.iter().copied(), version).unwrap_err()
        };
        assert!(matches!(parse(&text, &["a.o", "-oout"], "1.2.3"), FinalFileError::Line));
        assert!(matches!(parse(&text, &WORDS, "1.2.4"), FinalFileError::Version(_)));
        let newer = text.replace("\"schema\": 2", "\"schema\": 3");
        assert!(matches!(parse(&newer, &WORDS, "1.2.3"), FinalFileError::Version(OtherWriter { schema: 3, .. })));
        let damaged = text.replace("\"D main\"", "\"X main\"");
        assert!(matches!(parse(&damaged, &WORDS, "1.2.3"), FinalFileError::Json(_)));
        assert!(matches!(parse("[]", &WORDS, "1.2.3"), FinalFileError::Json(_)));
    }
}
