//! When there are colours: the option decides, else `NO_COLOR`, `TERM` and whether it is a terminal, as anstream has it.

use clap::ValueEnum;
use std::ffi::{OsStr, OsString};

/// What `--color` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

impl Colour {
    /// What a line says before anything is made of it: its errors have colours as well. What is wrong with the option is told later.
    pub(crate) fn of(words: &[OsString]) -> Self {
        let ours = words.split(|word| word == "--").next().unwrap_or_default();
        let joined = |word: &OsString| word.to_str()?.strip_prefix("--color=").map(OsString::from);
        let apart = ours.windows(2).filter(|pair| pair.first().is_some_and(|word| word == "--color"));
        let apart = apart.filter_map(|pair| pair.last().cloned());
        let said = apart.chain(ours.iter().filter_map(joined)).last();
        let said = said.as_deref().and_then(OsStr::to_str);
        said.and_then(|said| Self::from_str(said, false).ok()).unwrap_or_default()
    }

    /// Is heeded by every line from here on.
    pub(crate) fn choose(self) {
        let choice = match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// Whether the standard error gets colours.
pub(crate) fn is_coloured() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expect: Colour) {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        assert_eq!(Colour::of(&words), expect, "{line}");
    }

    #[test]
    fn the_option_is_found_on_any_line() {
        check("verify -- a.o", Colour::Auto);
        check("--color never frobnicate", Colour::Never);
        check("doctor --color=always", Colour::Always);
        check("verify -- --color always", Colour::Auto);
        check("doctor --color sometimes", Colour::Auto);
        check("doctor --color", Colour::Auto);
    }
}
