//! What a linker script says about other files: which ones it reads, and where they are searched for.
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

/// A file that a script adds to the inputs of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// A path, or a library as `-lNAME`.
    pub name: String,
    /// It stands in `AS_NEEDED(…)`.
    pub as_needed: bool,
}

/// The files of a script in order, and whether it says nothing else.
#[must_use]
pub fn listed_files(script: &str) -> (Vec<Listed>, bool) {
    let mut words = Words(script);
    let (mut files, mut nothing_else) = (Vec::new(), true);
    while let Some(word) = words.next() {
        match word {
            "INPUT" | "GROUP" => files.extend(words.listed()),
            ";" => {}
            _ => nothing_else = false,
        }
    }
    (files, nothing_else)
}

/// Whether a script only says which sections go where: no command but `SECTIONS`, and no symbol is assigned or provided.
#[must_use]
pub fn names_sections_only(script: &str) -> bool {
    const COMMANDS: &[&str] = &[
        "ASSERT",
        "ENTRY",
        "EXTERN",
        "FORCE_COMMON_ALLOCATION",
        "GROUP",
        "INCLUDE",
        "INPUT",
        "INSERT",
        "MEMORY",
        "NOCROSSREFS",
        "OUTPUT",
        "OUTPUT_ARCH",
        "OUTPUT_FORMAT",
        "OVERWRITE_SECTIONS",
        "PHDRS",
        "PROVIDE",
        "PROVIDE_HIDDEN",
        "REGION_ALIAS",
        "SEARCH_DIR",
        "STARTUP",
        "TARGET",
        "VERSION",
        "=",
        "+=",
        "-=",
    ];
    let mut words = Words(script).peekable();
    words.peek().is_some_and(|first| *first == "SECTIONS")
        && !words.any(|word| COMMANDS.contains(&word) || word.contains('='))
}

/// The words of a script that may be patterns for the names of files: all but those that can only name sections.
pub fn file_patterns(script: &str) -> impl Iterator<Item = &str> {
    let names_a_section = |word: &&str| word.starts_with('.') && !word.contains('/');
    Words(script).filter(|word| word.len() > 1).filter(move |word| !names_a_section(word))
}

/// Whether a pattern of a script matches a file as lld sees it: by its name, or by `archive:name`. `archive:` is all members
/// of an archive, `:name` only files that are in none.
#[must_use]
pub fn matches_file(pattern: &str, archive: Option<&str>, name: &str) -> bool {
    if let Some(whole) = pattern.strip_suffix(':') {
        return archive.is_some_and(|archive| glob(whole, archive));
    }
    match (pattern.strip_prefix(':'), archive) {
        (Some(alone), archive) => archive.is_none() && glob(alone, name),
        (None, None) => glob(pattern, name),
        (None, Some(archive)) => glob(pattern, &format!("{archive}:{name}")),
    }
}

/// `*`, `?` and `[…]`.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut place, mut retry) = (0, 0, None);
    while let Some(character) = text.get(place) {
        match pattern.get(at) {
            Some('*') => {
                at += 1;
                retry = Some((at, place + 1));
                continue;
            }
            Some(_) => {
                if let Some(next) = one(&pattern, at, *character) {
                    (at, place) = (next, place + 1);
                    continue;
                }
            }
            None => {}
        }
        let Some((star, from)) = retry else { return false };
        (at, place) = (star, from);
        retry = Some((star, from + 1));
    }
    pattern.iter().skip(at).all(|character| *character == '*')
}

/// Where the pattern goes on if what stands at `at` matches one character.
fn one(pattern: &[char], at: usize, character: char) -> Option<usize> {
    match pattern.get(at)? {
        '?' => Some(at + 1),
        '[' => {
            let end = at + 1 + pattern.get(at + 1..)?.iter().position(|end| *end == ']')?;
            let set = pattern.get(at + 1..end)?;
            let (negated, set) = match set {
                ['^' | '!', rest @ ..] => (true, rest),
                set => (false, set),
            };
            (in_set(set, character) != negated).then_some(end + 1)
        }
        '\\' => (*pattern.get(at + 1)? == character).then_some(at + 2),
        exact => (*exact == character).then_some(at + 1),
    }
}

fn in_set(set: &[char], character: char) -> bool {
    match set {
        [from, '-', to, rest @ ..] => (*from..=*to).contains(&character) || in_set(rest, character),
        [one, rest @ ..] => *one == character || in_set(rest, character),
        [] => false,
    }
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
    /// The files between the parentheses that follow.
    fn listed(&mut self) -> Vec<Listed> {
        let (mut files, mut depth, mut as_needed_at) = (Vec::new(), 0_usize, usize::MAX);
        for word in self.by_ref() {
            match word {
                "(" => depth += 1,
                ")" if depth <= 1 => break,
                ")" => {
                    depth -= 1;
                    if depth < as_needed_at {
                        as_needed_at = usize::MAX;
                    }
                }
                "," => {}
                "AS_NEEDED" => as_needed_at = depth + 1,
                file => files.push(Listed { name: file.to_owned(), as_needed: depth >= as_needed_at }),
            }
        }
        files
    }

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
    fn files_that_a_script_adds() {
        let shown = |script| {
            let (files, nothing_else) = listed_files(script);
            let names = files.iter().map(|file| format!("{}{}", file.name, if file.as_needed { "?" } else { "" }));
            (names.collect::<Vec<_>>().join(" "), nothing_else)
        };
        assert_eq!(shown("INPUT(a.o -lx) /* c */ GROUP ( b.a );"), ("a.o -lx b.a".to_owned(), true));
        assert_eq!(shown("GROUP(a AS_NEEDED(b, c) d AS_NEEDED ( e ))"), ("a b? c? d e?".to_owned(), true));
        assert_eq!(shown("OUTPUT_FORMAT(elf64-x86-64) INPUT(a)"), ("a".to_owned(), false));
        assert_eq!(shown("SECTIONS { .x : { *(.y) } }"), (String::new(), false));
        assert_eq!(shown("INPUT(AS_NEEDED(a"), ("a?".to_owned(), true));
    }

    #[test]
    fn patterns_for_files() {
        let script = "SECTIONS { .text : { d/x.a:m.o(.text.*) *(.data) KEEP(*(SORT(.init))) } }";
        let patterns: Vec<_> = file_patterns(script).collect();
        assert_eq!(patterns, ["SECTIONS", "d/x.a:m.o", "KEEP", "SORT"]);
        let check = |pattern, archive, name, expect| {
            assert_eq!(matches_file(pattern, archive, name), expect, "{pattern} {name}")
        };
        check("*x.a:m.o", Some("d/x.a"), "m.o", true);
        check("d/x.a:m.o", Some("/c/x.a"), "m.o", false);
        check("*x.a:", Some("d/x.a"), "m.o", true);
        check("*x.a:", None, "x.a", false);
        check(":*m.o", Some("d/x.a"), "m.o", false);
        check(":*m.o", None, "d/m.o", true);
        check("*/[a-c]?.o", None, "d/bx.o", true);
        check("*/[!a-c]?.o", None, "d/bx.o", false);
        check("*ab*ab", None, "aabxabab", true);
        check("*ab*ac", None, "aabxabab", false);
        check("[a", None, "a", false);
        check("a\\*", None, "a*", true);
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
