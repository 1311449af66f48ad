//! Linkers that do what a test says in one part of a link: a script around the real lld.

use crate::Sandbox;
use std::path::PathBuf;

/// What lld does in a link of thindist's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The thin link of separate backends, or that beside an in-process link.
    ThinLink,
    /// The link of their native objects.
    FinalLink,
    /// The whole link.
    InProcess,
    /// The whole link, with native objects from a distributor.
    Distributor,
    /// A run on markers, which tells what each object in lld's cache is of.
    Question,
}

impl Part {
    const ALL: [(Self, &'static str); 5] = [
        (Self::ThinLink, "thin"),
        (Self::FinalLink, "final"),
        (Self::InProcess, "in-process"),
        (Self::Distributor, "distributor"),
        (Self::Question, "question"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(part, _)| *part == self).map_or("", |(_, name)| name)
    }
}

/// A script that stands for lld. Its `--version` is the real one's, which decides what thindist takes it for.
#[derive(Debug)]
pub struct FakeLld {
    /// For THINDIST_LLD.
    pub path: PathBuf,
    log: PathBuf,
}

impl FakeLld {
    /// A linker that runs `body` in this part, and the real one's work in the others, and in this one if the body comes to its end.
    /// In `body`, `$real` is the real lld, `option NAME` gives the word behind this one on the line, and `"$@"` are the words.
    #[must_use]
    pub fn that(sandbox: &Sandbox, part: Part, body: &str) -> Self {
        let (path, log) = (sandbox.root("bin").join("ld.lld-fake"), sandbox.root("parts-of-lld"));
        let script = format!(
            "#!/bin/sh\nreal=/usr/bin/ld.lld-{version}\n\
             option() {{ grep -A1 -x -e \"\\\"$1\\\"\" \"${{words#@}}\" | tail -n 1 | tr -d '\"'; }}\n\
             for words do :; done\n\
             case \"$*\" in\n--version) exec $real --version ;;\n\
             @*/thin.rsp) part=thin ;;\n@*/final.rsp) part=final ;;\n@*/distributor.rsp) part=distributor ;;\n@*/asked.rsp) part=question ;;\n*) part=in-process ;;\nesac\n\
             echo $part >> {log}\nif [ $part = {name} ]; then\n:\n{body}\nfi\nexec $real \"$@\"\n",
            version = sandbox.llvm(),
            log = log.display(),
            name = part.name(),
        );
        sandbox.write_executable(&path, script.as_bytes());
        Self { path, log }
    }

    /// A linker that only notes what it does.
    #[must_use]
    pub fn noting(sandbox: &Sandbox) -> Self {
        Self::that(sandbox, Part::InProcess, "")
    }

    /// What it has been called for since the last time that this was asked, sorted: parts run beside each other.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let _ = std::fs::remove_file(&self.log);
        let part = |line: &str| Part::ALL.into_iter().find(|(_, name)| *name == line).map(|(part, _)| part);
        let mut parts: Vec<Part> = text.lines().filter_map(part).collect();
        parts.sort_unstable();
        parts
    }
}

/// The program that lld calls as its distributor, and no other part of thindist: for links in the test's own process.
#[must_use]
pub fn messenger(sandbox: &Sandbox) -> PathBuf {
    let path = sandbox.root("bin").join("messenger");
    sandbox.write("messenger.c", MESSENGER);
    sandbox.clang(&format!("-O1 messenger.c -o {}", path.display()));
    path
}

/// `messenger tell-linker SOCKET JOB.json`.
const MESSENGER: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(int count, char **words) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *job = count == 4 && !strcmp(words[1], "tell-linker") ? realpath(words[3], NULL) : NULL;
    if (!job || strlen(words[2]) >= sizeof address.sun_path) return 2;
    strcpy(address.sun_path, words[2]);
    int linker = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(linker, (struct sockaddr *)&address, sizeof address)) return 3;
    char answer = 0;
    dprintf(linker, "%s\n", job);
    return read(linker, &answer, 1) == 1 && answer == 'd' ? 0 : 4;
}
"#;
