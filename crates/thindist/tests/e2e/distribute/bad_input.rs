//! Job files that are malformed, or too large.

use super::{dtlto, left_behind, sandbox};
use crate::programs::{CHAIN_OBJECTS, chain};
use std::path::PathBuf;
use testkit::{Run, Sandbox};

/// The job file of a link that lld left behind, with its inputs.
struct Left {
    sandbox: Sandbox,
    name: String,
    text: String,
}

impl Left {
    fn new() -> Self {
        let sandbox = sandbox();
        chain(&sandbox);
        dtlto(&sandbox, &format!("-no-pie {CHAIN_OBJECTS} --unresolved-symbols=ignore-all --save-temps -o out")).ok();
        sandbox.tool("thindist").args("cache clear").ok();
        let is_job_file = |path: &PathBuf| path.to_string_lossy().ends_with(".dist-file.json");
        let path = left_behind(&sandbox).into_iter().find(is_job_file).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = String::from_utf8(sandbox.read(&name)).unwrap();
        for native in Self::natives(&sandbox) {
            std::fs::remove_file(native).unwrap();
        }
        Self { sandbox, name, text }
    }

    fn natives(sandbox: &Sandbox) -> Vec<PathBuf> {
        left_behind(sandbox).into_iter().filter(|path| path.to_string_lossy().ends_with(".native.o")).collect()
    }

    fn run(&self, options: &str, text: impl AsRef<[u8]>) -> Run {
        self.sandbox.write(&self.name, text);
        self.sandbox.tool("thindist").args("distribute").args(options).arg(&self.name).run()
    }

    /// An error that says each of `words`; no output, nothing stored, nothing left.
    #[track_caller]
    fn refused(&self, text: impl AsRef<[u8]>, words: &[&str]) {
        let mut run = self.run("-no-pie", text).exits(1).says("thindist: error: ").says("thindist: hint: ");
        for word in words {
            run = run.says(word);
        }
        assert_eq!(Self::natives(&self.sandbox), Vec::<PathBuf>::new(), "{run}");
        assert_eq!(self.sandbox.action_results(), 0, "{run}");
        assert_eq!(self.sandbox.temporaries(), Vec::<PathBuf>::new(), "{run}");
    }

    #[track_caller]
    fn without(&self, part: &str) -> String {
        self.with(part, "")
    }

    #[track_caller]
    fn with(&self, part: &str, instead: &str) -> String {
        assert!(self.text.contains(part), "{part} is not in {}", self.text);
        self.text.replacen(part, instead, 1)
    }
}

#[test]
fn job_files_that_make_no_sense() {
    let left = Left::new();
    left.refused("{", &[&left.name, "not a job file"]);
    left.refused("", &[&left.name, "not a job file"]);
    left.refused([0xff, 0xfe, 0], &[&left.name, "not a job file"]);
    left.refused(left.without("\"linker_output\":\"out\","), &[&left.name, "linker_output"]);
    left.refused(left.with("\"jobs\"", "\"version\":2,\"jobs\""), &[&left.name, "version", "newer thindist"]);
    let mut bytes = left.text.clone().into_bytes();
    let place = left.text.find("leaf.o").unwrap();
    bytes[place] = 0xc0;
    left.refused(bytes, &[&left.name, "unicode"]);
    let first = left.text.split_once("\"jobs\":[").unwrap().1.split_once("},").unwrap().0;
    left.refused(left.with("\"jobs\":[", &format!("\"jobs\":[{first}}},")), &[&left.name, "two jobs have the output"]);
    left.refused(left.text.replace("leaf.o\"", "gone.o\""), &[&left.name, "gone.o"]);
    left.refused(left.text.replace("main.1.", "nowhere/main.1."), &[&left.name, "nowhere/main.1.", "directory"]);
    left.sandbox
        .tool("thindist")
        .args("distribute missing.1.dist-file.json")
        .run()
        .exits(1)
        .says("missing.1.dist-file.json");
    left.sandbox.tool("thindist").args("distribute").run().exits(1).says("no job file").says("usage: ");
    left.sandbox.tool("thindist").args("distribute -r").run().exits(1).says("no job file");
}

#[test]
fn inputs_that_make_no_sense() {
    let left = Left::new();
    let good = left.sandbox.read("leaf.o");
    left.sandbox.write("leaf.o", &good[..good.len() / 2]);
    left.refused(&left.text, &["leaf.o", "compile it again"]);
    left.sandbox.compile("-O2", "leaf.c", "int leaf(int x) { return x; }");
    left.refused(&left.text, &["leaf.o"]);
    left.sandbox.clang("--target=aarch64-linux-gnu -O2 -flto=thin -c leaf.c -o leaf.o");
    left.refused(&left.text, &["leaf.o", "aarch64"]);
    left.sandbox.write("leaf.o", &good);
    // An index that is not there, one that is none, and one of more modules than the job says.
    let gone = left.text.replace(".thinlto.bc", ".gone.bc");
    left.refused(gone, &[".gone.bc", "No such file"]);
    let index = left_behind(&left.sandbox).into_iter().find(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("main.") && name.ends_with(".thinlto.bc")
    });
    let name = index.unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let whole = left.sandbox.read(&name);
    let (head, jobs) = left.text.split_once("\"jobs\":[").unwrap();
    let first = jobs.split_once("},").unwrap().0.replace(",\"leaf.o\"", "").replace(",\"middle.o\"", "");
    left.refused(format!("{head}\"jobs\":[{first}}}]}}"), &["imports from", "which is not a module of this link"]);
    left.sandbox.write(&name, &whole[..whole.len() / 2]);
    left.refused(&left.text, &["main"]);
}

#[test]
fn a_job_file_without_its_lld() {
    let left = Left::new();
    let undecided = left.run("", &left.text).exits(1).says("at a fixed address").says("`-r` or `-no-pie`");
    assert_eq!(Left::natives(&left.sandbox), Vec::<PathBuf>::new(), "{undecided}");
    let run = left.run("-no-pie", &left.text).exits(0);
    assert_eq!((run.lines_with("warning: "), run.stderr.lines().count()), (1, 1), "{run}");
    assert_eq!(Left::natives(&left.sandbox).len(), 4);
    // The objects are those of the whole link.
    let stats = left
        .sandbox
        .stats_of(dtlto(&left.sandbox, &format!("-no-pie {CHAIN_OBJECTS} --unresolved-symbols=ignore-all -o out")));
    assert_eq!((stats.executed(), stats.local_cache()), (0, 4), "{stats:?}");
    // Of a process that is somebody else's.
    let other = left.name.replacen(|digit: char| digit.is_ascii_digit(), "", 9).replace("..", ".1.");
    left.sandbox.write(&other, &left.text);
    left.sandbox.tool("thindist").args("distribute -no-pie").arg(&other).ok().says("not running");
}

#[test]
fn no_jobs_and_ten_thousand() {
    let left = Left::new();
    let (head, jobs) = left.text.split_once("\"jobs\":[").unwrap();
    left.run("-no-pie", format!("{head}\"jobs\":[]}}")).exits(0);
    let job = jobs.split_once("},").unwrap().0.to_owned() + "}";
    let output = job.rsplit_once("\"outputs\":[\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    let numbered = |number: usize| job.replace(&format!("\"{output}\""), &format!("\"n/{number}.native.o\""));
    let many: Vec<String> = (0..10_000).map(numbered).collect();
    left.sandbox.make_directory(left.sandbox.path("n"));
    let stats = left.sandbox.root("stats");
    left.sandbox.write(&left.name, format!("{head}\"jobs\":[{}]}}", many.join(",")));
    left.sandbox.tool("thindist").args("distribute -no-pie").arg(&left.name).env("THINDIST_STATS", &stats).ok();
    assert_eq!(Left::natives(&left.sandbox).len(), 10_000);
    assert!(std::fs::read_to_string(stats).unwrap().contains("\"modules\":10000,"));
    assert_eq!(left.sandbox.action_results(), 1);
}
