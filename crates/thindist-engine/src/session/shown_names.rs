//! The in-process names of files that only the final link knows.
//!
//! Native objects, the regular-LTO object and what is left of archives lie in the link's own directory. In messages, maps
//! and lists their names are those that a user of in-process ThinLTO knows.

use crate::session::workspace::Session;
use std::collections::BTreeMap;
use std::ops::Bound::{Included, Unbounded};

/// Names in-process for paths in the link's own directories.
#[derive(Debug)]
pub(crate) struct ShownNames {
    /// The directories, each with a slash at its end.
    own: Vec<String>,
    /// By path.
    names: BTreeMap<String, String>,
}

impl ShownNames {
    pub(crate) fn of(session: &Session) -> Self {
        Self::below(session.workspace.own_directories().map(|directory| directory.to_string_lossy()))
    }

    fn below<Directory: AsRef<str>>(directories: impl Iterator<Item = Directory>) -> Self {
        let own = directories.map(|directory| format!("{}/", directory.as_ref().trim_end_matches('/'))).collect();
        Self { own, names: BTreeMap::new() }
    }

    /// Does nothing for a path that is in none of the link's own directories.
    pub(crate) fn add(&mut self, path: &str, shown: &str) {
        if self.own.iter().any(|own| path.starts_with(own)) {
            self.names.insert(path.to_owned(), shown.to_owned());
        }
    }

    /// A text of lld's with the names that in-process has in it.
    pub(crate) fn show(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((at, own)) = self.first_own(rest) {
            let (before, from) = rest.split_at(at);
            shown.push_str(before);
            let (path, name) = self.longest_in_front_of(from).unwrap_or((own, own));
            shown.push_str(name);
            rest = from.get(path.len()..).unwrap_or_default();
        }
        shown + rest
    }

    fn first_own(&self, text: &str) -> Option<(usize, &str)> {
        self.own.iter().filter_map(|own| Some((text.find(own.as_str())?, own.as_str()))).min()
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
        let mut names = ShownNames::below(["/c/link-1", "/dev/shm/link-2"].iter());
        for (path, shown) in [
            ("native/0/p.lto.a.o", "x/p.lto.a.o"),
            ("native/0/p.lto.a.o.o", "y/p.lto.a.o.o"),
            ("native/0/p.lto.b.o", "p.lto.b.o"),
            ("native/1/p.lto.a.o", "z/p.lto.a.o"),
            ("loaded/0/lib.a", "d/lib.a"),
        ] {
            names.add(&format!("/c/link-1/{path}"), shown);
        }
        names.add("/dev/shm/link-2/out/p.lto.a.o", "x/p.lto.a.o");
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
        check("/dev/shm/link-2/out/p.lto.a.o and /c/link-1/native/0/p.lto.b.o", "x/p.lto.a.o and p.lto.b.o");
        check("/dev/shm/link-2/other /c/link-1/native/0/p.lto.b.o", "/dev/shm/link-2/other p.lto.b.o");
        check("nothing", "nothing");
    }

    #[test]
    fn a_line_that_is_no_text_stays_as_it_is() {
        let names = ShownNames::below(["/c/link-1"].iter());
        assert_eq!(names.show_bytes(b"\xff /c/link-1/x\n"), b"\xff /c/link-1/x\n");
    }
}
