//! The in-process names of files that only the final link knows.
//!
//! Native objects, the regular-LTO object and what is left of archives lie in the link's own directory. In messages, maps
//! and lists their names are those that a user of in-process ThinLTO knows.

use super::session::Session;
use std::collections::BTreeMap;
use std::ops::Bound::{Included, Unbounded};

/// Names in-process for paths in the link's own directory.
#[derive(Debug)]
pub(crate) struct ShownNames {
    /// The directory, with a slash at its end.
    own: String,
    /// By path below it.
    names: BTreeMap<String, String>,
}

impl ShownNames {
    pub(crate) fn of(session: &Session) -> Self {
        Self::below(&session.path("").to_string_lossy())
    }

    fn below(directory: &str) -> Self {
        Self { own: format!("{}/", directory.trim_end_matches('/')), names: BTreeMap::new() }
    }

    /// `path` is in the link's own directory.
    pub(crate) fn add(&mut self, path: &str, shown: &str) {
        if let Some(path) = path.strip_prefix(&self.own) {
            self.names.insert(path.to_owned(), shown.to_owned());
        }
    }

    /// A text of lld's with the names that in-process has in it.
    pub(crate) fn show(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(&self.own) {
            shown.push_str(before);
            match self.longest_in_front_of(after) {
                Some((path, name)) => {
                    shown.push_str(name);
                    rest = after.get(path.len()..).unwrap_or_default();
                }
                None => {
                    shown.push_str(&self.own);
                    rest = after;
                }
            }
        }
        shown + rest
    }

    /// The same for a file, in which symbols may be no UTF-8: such lines name none of ours.
    pub(crate) fn show_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        lines
            .flat_map(|line| str::from_utf8(line).map_or_else(|_| line.to_vec(), |line| self.show(line).into()))
            .collect()
    }

    /// `a.o` may be a file, and `a.o.o` another.
    fn longest_in_front_of(&self, text: &str) -> Option<(&str, &str)> {
        let mut limit = text;
        loop {
            let (path, name) = self.names.range::<str, _>((Unbounded, Included(limit))).next_back()?;
            if text.starts_with(path.as_str()) {
                return Some((path, name));
            }
            limit = common_beginning(limit, path);
        }
    }
}

fn common_beginning<'a>(a: &'a str, b: &str) -> &'a str {
    let end = a.char_indices().zip(b.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    a.get(..end.unwrap_or(a.len().min(b.len()))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let mut names = ShownNames::below("/c/link-1");
        for (path, shown) in [
            ("native/0/p.lto.a.o", "x/p.lto.a.o"),
            ("native/0/p.lto.a.o.o", "y/p.lto.a.o.o"),
            ("native/0/p.lto.b.o", "p.lto.b.o"),
            ("native/1/p.lto.a.o", "z/p.lto.a.o"),
            ("loaded/0/lib.a", "d/lib.a"),
        ] {
            names.add(&format!("/c/link-1/{path}"), shown);
        }
        assert_eq!(names.show(text), expect);
        assert_eq!(names.show_bytes(format!("{text}\n{text}").as_bytes()), format!("{expect}\n{expect}").as_bytes());
    }

    #[test]
    fn names_in_process() {
        check(">>> referenced by /c/link-1/native/0/p.lto.a.o:(.text)", ">>> referenced by x/p.lto.a.o:(.text)");
        check("/c/link-1/native/0/p.lto.a.o.o", "y/p.lto.a.o.o");
        check("/c/link-1/native/0/p.lto.a.oz", "x/p.lto.a.oz");
        check("/c/link-1/native/1/p.lto.a.o /c/link-1/loaded/0/lib.a(m.o)", "z/p.lto.a.o d/lib.a(m.o)");
        check("/c/link-1/thin.rsp and /c/link-1/", "/c/link-1/thin.rsp and /c/link-1/");
        check("nothing", "nothing");
    }

    #[test]
    fn a_line_that_is_no_text_stays_as_it_is() {
        let names = ShownNames::below("/c/link-1");
        assert_eq!(names.show_bytes(b"\xff /c/link-1/x\n"), b"\xff /c/link-1/x\n");
    }
}
