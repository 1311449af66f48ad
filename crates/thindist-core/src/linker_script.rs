//! What a linker script says of other files: which it reads, and where they are searched for.
//!
//! The rest of the language is lld's. Words are found as lld's own reader finds them, but not by their place in the
//! grammar: a file too many costs a look at it.

/// A word of a script that has to do with files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mention {
    /// `SEARCH_DIR(directory)`
    SearchDirectory(String),
    /// `INCLUDE file`
    Include(String),
    /// A file in `INPUT(…)` or `GROUP(…)`, or a library as `-lNAME`.
    Input(String),
}

/// Every mention in order.
#[must_use]
pub fn mentions(script: &str) -> Vec<Mention> {
    let mut words = Words(script);
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "SEARCH_DIR" => found.extend(words.in_parentheses().into_iter().map(Mention::SearchDirectory)),
            "INCLUDE" => found.extend(words.next().map(|file| Mention::Include(file.to_owned()))),
            "INPUT" | "GROUP" => found.extend(words.in_parentheses().into_iter().map(Mention::Input)),
            _ => {}
        }
    }
    found
}

/// The words of a script: quoted, of lld's set of characters, or a single other character.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    /// What stands between the parentheses that follow, commas and inner parentheses aside.
    fn in_parentheses(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        let mut depth = 0_usize;
        for word in self.by_ref() {
            match word {
                "(" => depth += 1,
                ")" if depth <= 1 => break,
                ")" => depth -= 1,
                "," | "AS_NEEDED" => {}
                file => words.push(file.to_owned()),
            }
        }
        words
    }

    fn skip_space(&mut self) {
        loop {
            self.0 = self.0.trim_start();
            let end = match self.0 {
                comment if comment.starts_with("/*") => comment.find("*/").map(|end| end + 2),
                comment if comment.starts_with('#') => comment.find('\n'),
                _ => return,
            };
            self.0 = end.and_then(|end| self.0.get(end..)).unwrap_or_default();
        }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.skip_space();
        if let Some(quoted) = self.0.strip_prefix('"') {
            let (word, rest) = quoted.split_once('"').unwrap_or((quoted, ""));
            self.0 = rest;
            return Some(word);
        }
        let first = self.0.chars().next()?;
        let length = self.0.find(|character| !is_word(character)).unwrap_or(self.0.len()).max(first.len_utf8());
        let (word, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(word)
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_.$/\\~=+[]*?-!^:".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(script: &str, expect: &[&str]) {
        let shown = mentions(script).into_iter().map(|mention| match mention {
            Mention::SearchDirectory(directory) => format!("in {directory}"),
            Mention::Include(file) => format!("include {file}"),
            Mention::Input(file) => file,
        });
        assert_eq!(shown.collect::<Vec<_>>(), expect, "{script}");
    }

    #[test]
    fn files_of_a_script() {
        check("", &[]);
        check("SECTIONS { .text : { *(.text .text.*) } }", &[]);
        check("SEARCH_DIR(libs)SEARCH_DIR ( \"=/usr/l b\" );", &["in libs", "in =/usr/l b"]);
        check("/* SEARCH_DIR(no) */ # INCLUDE no\nINCLUDE \"a b.lds\"\nINCLUDE c", &["include a b.lds", "include c"]);
        check(
            "GROUP ( /lib/libc.so.6 x.a AS_NEEDED ( -lm, y.o ) ) INPUT(z)",
            &["/lib/libc.so.6", "x.a", "-lm", "y.o", "z"],
        );
    }

    #[test]
    fn scripts_that_break_off() {
        check("SEARCH_DIR(", &[]);
        check("SEARCH_DIR(x", &["in x"]);
        check("/* open", &[]);
        check("# open", &[]);
        check("INPUT(\"open", &["open"]);
        check("INCLUDE", &[]);
        check("INPUT(ü)", &["ü"]);
    }
}
