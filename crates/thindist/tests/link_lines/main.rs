//! The table of link lines: docs/link-lines.md says what is done with each kind of input and each option; each of its rows has
//! small links here, a file each in `cases/`, with its sources, flags, line and expectation.
//!
//! Of a distributed one: `verify` finds the whole output identical, a program does what in-process' does, a second link executes
//! nothing. Of one that is left to in-process: one warning says why, and the output is lld's.
//!
//! `THINDIST_TEST_LLVM` names other versions (`cargo xtask matrix`). What they carry is another matter: exit codes and outputs are lld's.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod case;

use case::{Case, Expect, Reader};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use testkit::{Sandbox, Tool, VERSIONS, versions_or};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = read_all();
    let versions = versions_or(&VERSIONS);
    let of_case = |case: &Case| versions.iter().map(|llvm| trial(case.clone(), *llvm)).collect::<Vec<_>>();
    let mut trials: Vec<Trial> = cases.iter().flat_map(of_case).collect();
    let document = move || {
        the_document_and_the_cases_say_the_same(&cases);
        Ok(())
    };
    trials.push(Trial::test("the_document_and_the_cases_say_the_same", document));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/link_lines/cases")
}

fn read_all() -> Vec<Case> {
    let mut cases = Vec::new();
    for group in entries(&root()) {
        for path in entries(&group) {
            let name = path.strip_prefix(root()).unwrap().with_extension("").to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            cases.push(Case::parse(&name, &text).unwrap_or_else(|wrong| panic!("{}:{wrong}", path.display())));
        }
    }
    assert!(cases.len() > 100, "only {} cases were found", cases.len());
    cases
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn trial(case: Case, llvm: u32) -> Trial {
    let name = format!("{}::llvm_{llvm}", case.name);
    let alone = format!(
        "{}.case; alone: cargo test -p thindist --test link_lines -- {name}",
        root().join(&case.name).display()
    );
    let sandbox = move || Sandbox::new(env!("CARGO_BIN_EXE_thindist"), llvm);
    if VERSIONS.contains(&llvm) {
        let test = move || check(&sandbox(), &case);
        return Trial::test(name, move || catch_unwind(test).map_err(|_| Failed::from(alone)));
    }
    let test = move || as_lld_does(&sandbox(), &case);
    Trial::ignorable_test(name, move || catch_unwind(test).map_err(|_| Failed::from(alone)))
}

/// The document's rows: what, and whether it is distributed.
fn documented(text: &str) -> Vec<(String, bool)> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| row.split_once(" | ")).map(|(what, rest)| (what.trim(), rest.trim()));
    let is_head = |what: &str, done: &str| what.starts_with("---") || done == "done";
    cells
        .map(|(what, rest)| (what, rest.split(" | ").next().unwrap_or_default().trim_end_matches('|').trim()))
        .filter(|(what, done)| !is_head(what, done))
        .map(|(what, done)| (what.to_owned(), done == "distributed"))
        .collect()
}

fn the_document_and_the_cases_say_the_same(cases: &[Case]) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/link-lines.md");
    let mut documented = documented(&std::fs::read_to_string(path).unwrap());
    let said = |case: &Case| (case.what.clone(), matches!(case.expect, Expect::Backends(_)));
    let mut tested: Vec<_> = cases.iter().map(said).collect();
    documented.sort();
    tested.sort();
    tested.dedup();
    let only = |these: &[(String, bool)], those: &[(String, bool)]| {
        these.iter().filter(|row| !those.contains(row)).cloned().collect::<Vec<_>>()
    };
    let (untested, undocumented) = (only(&documented, &tested), only(&tested, &documented));
    assert!(untested.is_empty() && undocumented.is_empty(), "untested: {untested:?}\nundocumented: {undocumented:?}");
}

/// As far as this LLVM knows what the case has: the output and the exit code of lld, cold, warm, and by separate backends.
fn as_lld_does(sandbox: &Sandbox, case: &Case) -> Completion {
    if let Err(panic) = catch_unwind(|| compile(sandbox, case)) {
        let why = panic
            .downcast_ref::<String>()
            .map_or("", |text| text.lines().find(|line| line.contains("error:")).unwrap_or(""));
        return Completion::ignored_with(format!("its clang: {why}"));
    }
    let line = format!("{} -o out", line(sandbox, case));
    let link = |tool: Tool| {
        let run = tool.run();
        let output = std::fs::read(sandbox.path("out")).ok();
        std::fs::remove_file(sandbox.path("out")).ok();
        (run, output)
    };
    let (lld, expected) = link(sandbox.tool(format!("ld.lld-{}", sandbox.llvm())).args(&line));
    for (round, way) in [("cold", "auto"), ("again", "auto"), ("apart", "index-only"), ("apart again", "index-only")] {
        let ours = sandbox.auto(&line).env("THINDIST_MEMO", "0").env("THINDIST_WAY", way);
        let (run, output) = link(ours);
        // An lld that has crashed is nobody's model but for the failure.
        let is_same = lld.status.code().map_or(run.status.code() != Some(0), |code| run.status.code() == Some(code));
        assert!(is_same, "{round}: {run}\nby lld: {lld}");
        assert!(output == expected, "{round}: other bytes than lld's: {run}");
    }
    Completion::Completed
}

fn compile(sandbox: &Sandbox, case: &Case) {
    for file in &case.files {
        match Path::new(&file.name).extension().and_then(|extension| extension.to_str()) {
            Some("c" | "cpp" | "s" | "ll") => sandbox.compile(&file.flags, &file.name, &file.text),
            _ => sandbox.write(&file.name, &file.text),
        }
    }
    case.archives.iter().for_each(|line| sandbox.ar(line));
}

fn line(sandbox: &Sandbox, case: &Case) -> String {
    if case.reader == Reader::Driver { sandbox.linker_line(&case.line) } else { case.line.clone() }
}

fn check(sandbox: &Sandbox, case: &Case) {
    compile(sandbox, case);
    let line = line(sandbox, case);
    match &case.expect {
        Expect::Backends(modules) => distributed(sandbox, &line, *modules),
        Expect::InProcess(why) => in_process(sandbox, &line, why),
    }
    sandbox.lld(&format!("{line} -o theirs"));
    match &case.reader {
        Reader::Driver => run_both(sandbox, |program| sandbox.tool(program)),
        Reader::Emulated(emulator) => run_both(sandbox, |program| sandbox.tool(emulator).arg(program)),
        Reader::Linker => {}
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
    assert_eq!(sandbox.temporaries(), Vec::<PathBuf>::new(), "left behind");
}

fn in_process(sandbox: &Sandbox, line: &str, why: &str) {
    let run = sandbox.ld(&format!("{line} -o ours")).ok().says(why);
    assert_eq!((run.lines_with("thindist: "), run.lines_with("thindist: warning: ")), (1, 1), "{run}");
    sandbox.ld(&format!("{line} -o none")).env("THINDIST_FALLBACK", "never").run().exits(1).says(why);
}

fn run_both(sandbox: &Sandbox, tool: impl Fn(PathBuf) -> Tool) {
    let (ours, theirs) = (tool(sandbox.path("ours")).run(), tool(sandbox.path("theirs")).run());
    assert_eq!((ours.status, &ours.stdout), (theirs.status, &theirs.stdout), "{ours}\nin-process: {theirs}");
    assert!(ours.status.code().is_some() && !ours.stdout.is_empty(), "the program says nothing: {ours}");
}
