//! What the value of a setting may be.

/// A kind of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On or off, and what it is if nobody says so.
    Switch {
        /// It is on.
        default_on: bool,
    },
    /// A whole number above 0.
    Count,
    /// A whole number.
    Number,
    /// A number from 0 to 1.
    Share,
    /// Whole seconds above 0, with or without the letter that Bazel takes.
    Seconds,
    /// Bytes, perhaps with K, M or G.
    Size,
    /// One of these words, the first of which it is if nobody says so.
    Choice(&'static [&'static str]),
    /// A path or a name, as the file system has it.
    Path,
    /// Any text.
    Text,
    /// Several texts: kept as lines, and a flag adds one.
    List,
}

impl Kind {
    /// What a value has to be, if `text` is none.
    pub(super) fn expected(self, text: &str) -> Option<String> {
        let (is_one, expected) = match self {
            Self::Switch { .. } => {
                (switch(text).is_some(), "`1`, `true`, `yes`, `on` or `0`, `false`, `no`, `off`".to_owned())
            }
            Self::Count => (count(text).is_some(), "a whole number above 0".to_owned()),
            Self::Number => (number(text).is_some(), "a whole number".to_owned()),
            Self::Share => (share(text).is_some(), "a number from 0 to 1".to_owned()),
            Self::Seconds => (seconds(text).is_some(), "seconds, above 0".to_owned()),
            Self::Size => (size(text).is_some(), "a size such as 20G, 500M or a number of bytes".to_owned()),
            Self::Choice(words) => (words.contains(&text), one_of(words)),
            Self::Path | Self::Text | Self::List => return None,
        };
        (!is_one).then_some(expected)
    }

    /// What the list of settings says of it.
    pub(super) fn note(self) -> &'static str {
        match self {
            Self::Switch { default_on: true } => " (switch, default: on)",
            Self::Switch { default_on: false } => " (switch, default: off)",
            Self::List => " (may be repeated)",
            _ => "",
        }
    }
}

pub(super) fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

pub(super) fn count(text: &str) -> Option<usize> {
    text.parse().ok().filter(|count| *count > 0)
}

pub(super) fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

pub(super) fn share(text: &str) -> Option<f64> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share))
}

pub(super) fn seconds(text: &str) -> Option<u64> {
    text.strip_suffix('s').unwrap_or(text).parse().ok().filter(|seconds| *seconds > 0)
}

pub(super) fn size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'K' | b'k' => (text.get(..text.len() - 1)?, 10),
        b'M' | b'm' => (text.get(..text.len() - 1)?, 20),
        b'G' | b'g' => (text.get(..text.len() - 1)?, 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// `a`, `b` or `c`.
fn one_of(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, good: &[&str], bad: &[&str], expected: &str) {
        for text in good {
            assert_eq!(kind.expected(text), None, "{text}");
        }
        for text in bad {
            assert_eq!(kind.expected(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn each_kind_names_what_it_expects() {
        let switch = Kind::Switch { default_on: true };
        let words = "`1`, `true`, `yes`, `on` or `0`, `false`, `no`, `off`";
        check(switch, &["0", "False", "no", "off", "TRUE", "1"], &["maybe", "", "2"], words);
        check(Kind::Count, &["1", "12"], &["0", "-1", "x", ""], "a whole number above 0");
        check(Kind::Number, &["0", "5"], &["-1", "5.0", ""], "a whole number");
        check(Kind::Share, &["0", "0.5", "1"], &["1.1", "-0.1", "NaN", ""], "a number from 0 to 1");
        check(Kind::Seconds, &["1", "60s"], &["0", "soon", "1m", ""], "seconds, above 0");
        let words = "a size such as 20G, 500M or a number of bytes";
        check(Kind::Size, &["20G", "500m", "1024"], &["x", "", "G", "99999999999G"], words);
        check(Kind::Choice(&["a", "b", "c"]), &["a", "c"], &["A", ""], "`a`, `b` or `c`");
        check(Kind::Choice(&["a", "b"]), &["b"], &["x"], "`a` or `b`");
        check(Kind::List, &["", "x=1"], &[], "");
    }

    #[test]
    fn sizes() {
        assert_eq!(size("20G"), Some(20 << 30));
        assert_eq!(size("1024"), Some(1024));
    }
}
