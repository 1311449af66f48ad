//! The table of link lines: docs/link-lines.md says what is done with each kind of input and each option; each of its
//! rows has a small link here.
//!
//! Of a distributed one: `verify` finds the whole output identical, a program does what in-process' does, a second link executes
//! nothing. Of one that is left to in-process: one warning says why, and the output is lld's.

mod bitcode_kinds;
mod cplusplus;
mod definitions;
mod inputs;
mod options;
mod outputs;
mod position;
mod targets;

use testkit::Sandbox;

/// A link.
pub(crate) struct Row {
    /// The first cell of its row in the document.
    pub(crate) what: &'static str,
    /// File, flags of the compiler, text. A file that is no source is only written.
    pub(crate) files: &'static [(&'static str, &'static str, &'static str)],
    /// Lines for `llvm-ar`, run after the compiler.
    pub(crate) archives: &'static [&'static str],
    /// Who reads the line.
    pub(crate) reader: Reader,
    pub(crate) line: &'static str,
    pub(crate) done: Done,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// clang's driver; the program is run.
    Driver,
    /// The linker itself.
    Linker,
    /// The linker itself; QEMU runs the program.
    Emulated(&'static str),
}

#[derive(Clone, Copy)]
pub(crate) enum Done {
    /// By this many backends.
    Distributed(usize),
    /// By in-process; the warning says this.
    InProcess(&'static str),
}

/// Flags of most sources.
pub(crate) const THIN: &str = "-O2 -fPIC -flto=thin";
pub(crate) const NATIVE: &str = "-O2 -fPIC";
pub(crate) const FULL: &str = "-O2 -fPIC -flto";

pub(crate) use Done::{Distributed, InProcess};
pub(crate) use Reader::{Driver, Emulated, Linker};

/// Makes two tests of each row, and a list of all.
macro_rules! rows {
    ($($name:ident: $row:expr),+ $(,)?) => {
        pub(super) const ROWS: &[$crate::link_lines::Row] = &[$($row),+];
        $(mod $name {
            use super::*;
            const ROW: $crate::link_lines::Row = $row;
            #[test]
            fn llvm_19() {
                $crate::link_lines::check(&crate::sandbox(19), &ROW);
            }
            #[test]
            fn llvm_22() {
                $crate::link_lines::check(&crate::sandbox(22), &ROW);
            }
        })+
    };
}
pub(crate) use rows;

fn all() -> impl Iterator<Item = &'static Row> {
    [
        inputs::ROWS,
        outputs::ROWS,
        options::ROWS,
        definitions::ROWS,
        cplusplus::ROWS,
        bitcode_kinds::ROWS,
        position::ROWS,
        targets::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// The document's rows: what, and whether it is distributed.
fn documented(text: &str) -> Vec<(String, bool)> {
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    rows.map(cells)
        .filter(|cells| cells[1] != "done")
        .map(|cells| (cells[0].clone(), cells[1] == "distributed"))
        .collect()
}

#[test]
fn the_document_and_the_table_say_the_same() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/link-lines.md");
    let mut documented = documented(&std::fs::read_to_string(path).unwrap());
    let mut tested: Vec<_> = all().map(|row| (row.what.to_owned(), matches!(row.done, Distributed(_)))).collect();
    documented.sort();
    tested.sort();
    tested.dedup();
    let only = |these: &[(String, bool)], those: &[(String, bool)]| {
        these.iter().filter(|row| !those.contains(row)).cloned().collect::<Vec<_>>()
    };
    let (untested, undocumented) = (only(&documented, &tested), only(&tested, &documented));
    assert!(untested.is_empty() && undocumented.is_empty(), "untested: {untested:?}\nundocumented: {undocumented:?}");
}

pub(crate) fn check(sandbox: &Sandbox, row: &Row) {
    for (name, flags, text) in row.files {
        match std::path::Path::new(name).extension().and_then(|extension| extension.to_str()) {
            Some("c" | "cpp" | "s" | "ll") => sandbox.compile(flags, name, text),
            _ => sandbox.write(name, text),
        }
    }
    row.archives.iter().for_each(|line| sandbox.ar(line));
    let line = if row.reader == Driver { sandbox.linker_line(row.line) } else { row.line.to_owned() };
    match row.done {
        Distributed(modules) => distributed(sandbox, &line, modules),
        InProcess(why) => in_process(sandbox, &line, why),
    }
    sandbox.lld(&format!("{line} -o theirs"));
    match row.reader {
        Driver => run_both(sandbox, |program| sandbox.tool(program)),
        Emulated(emulator) => run_both(sandbox, |program| sandbox.tool(emulator).arg(program)),
        Linker => {}
    }
}

fn distributed(sandbox: &Sandbox, line: &str, modules: usize) {
    let stats = sandbox.link(&format!("{line} -o ours"));
    assert_eq!((stats.modules, stats.executed()), (modules, modules), "{stats:?}");
    let run = sandbox.verify(line).ok();
    assert!(run.stdout.starts_with("identical: ") && run.stdout.trim_end().ends_with("the whole output"), "{run}");
    // Remembered whole, and if not, out of the stores.
    let again = sandbox.link(&format!("{line} -o ours"));
    assert_eq!((again.modules, again.executed()), (modules, 0), "{again:?}");
    let again = sandbox.stats_of(sandbox.ld(&format!("{line} -o ours")).env("THINDIST_MEMO", "0"));
    assert_eq!((again.local_cache(), again.executed()), (modules, 0), "{again:?}");
    assert_eq!(sandbox.temporaries(), Vec::<std::path::PathBuf>::new(), "left behind");
}

fn in_process(sandbox: &Sandbox, line: &str, why: &str) {
    let run = sandbox.ld(&format!("{line} -o ours")).ok().says(why);
    assert_eq!((run.lines_with("thindist: "), run.lines_with("thindist: warning: ")), (1, 1), "{run}");
    sandbox.ld(&format!("{line} -o none")).env("THINDIST_FALLBACK", "never").run().exits(1).says(why);
}

fn run_both(sandbox: &Sandbox, tool: impl Fn(std::path::PathBuf) -> testkit::Tool) {
    let (ours, theirs) = (tool(sandbox.path("ours")).run(), tool(sandbox.path("theirs")).run());
    assert_eq!((ours.status, &ours.stdout), (theirs.status, &theirs.stdout), "{ours}\nin-process: {theirs}");
    assert!(ours.status.code().is_some() && !ours.stdout.is_empty(), "the program says nothing: {ours}");
}
