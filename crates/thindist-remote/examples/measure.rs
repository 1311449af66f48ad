//! What an engine costs in addition to the work: `cargo run --release -p thindist-remote --example measure --
//! [ADDRESS]`, for `cargo xtask bench remote`.
//!
//! The compiler is a program that copies its module. It is run here by itself, on an engine in this process that answers at once, and
//! on the engine at ADDRESS, in turn; then as many actions at a time as may wait for a worker go to the one that answers at once.
//! One line of JSON says what that took.

#![expect(clippy::expect_used, reason = "a measurement that cannot be made has nothing else to do")]

mod shared;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use testkit::FakeEngine;
use thindist_core::action::{INDEX_NAME, MODULE_NAME, NATIVE_OBJECT_NAME};
use thindist_core::digest::Digest;
use thindist_exec::{CancelToken, Cas, Job};
use thindist_remote::{Client, Ended, RemoteExecutor, There as _, ToolFile, Toolchain, WAITING, Worker};

const CLANG: &str = "clang-22";
/// Of one action after the other, for a median.
const IN_TURN: u32 = 100;
/// Of many at a time.
const MANY: u32 = 5_000;

/// Takes the module for the native object.
const COPY: &str = r#"
#include <fcntl.h>
#include <unistd.h>
static char bytes[1 << 16];
int main(int count, char **words) {
    int from = open("module.bc", O_RDONLY), to = open(words[count - 1], O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (from < 0 || to < 0) return 1;
    for (ssize_t length; (length = read(from, bytes, sizeof bytes)) > 0;)
        if (write(to, bytes, length) != length) return 2;
    return 0;
}
"#;

fn main() {
    let address = std::env::args().nth(1);
    let directory = tempfile::tempdir().expect("a directory");
    let setup = Setup::new(directory.path());
    let null = FakeEngine::answering_at_once(setup.object.clone());
    let null = setup.client(&null.address());
    let engine = address.map(|address| setup.client(&address));
    // One each, as a link has: what all actions need is sent with the first.
    let (on_null, on_engine) = (setup.executor(&null), engine.as_ref().map(|client| setup.executor(client)));
    let mut turns = Turns::default();
    for number in 0..IN_TURN {
        turns.bare.push(setup.bare(number));
        turns.null.push(setup.remote(&on_null, number));
        if let Some(executor) = &on_engine {
            turns.engine.push(setup.remote(executor, number));
        }
    }
    let (bare, answered, ran) = (median(turns.bare), median(turns.null), median(turns.engine));
    let (seconds, cpu) = setup.many(&on_null);
    println!(
        "{{\"bare_ms\":{bare:.3},\"null_ms\":{answered:.3},\"engine_ms\":{ran:.3},\"actions\":{MANY},\
         \"at_a_time\":{WAITING},\"actions_per_s\":{:.0},\"cpu_ms_per_action\":{:.3}}}",
        f64::from(MANY) / seconds,
        cpu * 1e3 / f64::from(MANY)
    );
}

#[derive(Default)]
struct Turns {
    bare: Vec<f64>,
    null: Vec<f64>,
    engine: Vec<f64>,
}

/// Milliseconds; 0 without any.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

struct Setup {
    directory: PathBuf,
    compiler: PathBuf,
    digest: Digest,
    object: Vec<u8>,
}

impl Setup {
    fn new(directory: &Path) -> Self {
        let (source, compiler) = (directory.join("copy.c"), directory.join("copy"));
        std::fs::write(&source, COPY).expect("room");
        clang(&["-O1", "-static"], &source, &compiler);
        std::fs::write(directory.join("empty.c"), "int x;\n").expect("room");
        clang(&["-c"], &directory.join("empty.c"), &directory.join("empty.o"));
        let object = std::fs::read(directory.join("empty.o")).expect("an object");
        let digest = Digest::of(&std::fs::read(&compiler).expect("a program"));
        Self { directory: directory.to_owned(), compiler, digest, object }
    }

    fn client(&self, address: &str) -> Client {
        Client::connect(&shared::options(address)).expect("an engine")
    }

    fn executor<'a>(&self, client: &'a Client) -> RemoteExecutor<'a> {
        let file = ToolFile { name: "copy".to_owned(), path: self.compiler.clone(), digest: self.digest };
        let (loader, compiler) = ("copy".to_owned(), "copy".to_owned());
        let worker =
            Worker { toolchain: Toolchain::Shipped { files: vec![file], loader, compiler }, properties: Vec::new() };
        let cas = Cas::open(&self.directory.join("cache")).expect("a store");
        RemoteExecutor::new(client, &cas, worker, true).expect("an engine that executes")
    }

    /// The program by itself.
    fn bare(&self, number: u32) -> f64 {
        std::fs::write(self.directory.join(MODULE_NAME), self.module(number)).expect("room");
        let mut command = Command::new(&self.compiler);
        command.current_dir(&self.directory).args(["-o", NATIVE_OBJECT_NAME]);
        let begun = Instant::now();
        assert!(command.status().expect("a program").success());
        begun.elapsed().as_secs_f64() * 1e3
    }

    fn remote(&self, executor: &RemoteExecutor<'_>, number: u32) -> f64 {
        let job = self.job(number);
        let begun = Instant::now();
        self.run(executor, &job);
        begun.elapsed().as_secs_f64() * 1e3
    }

    fn run(&self, executor: &RemoteExecutor<'_>, job: &Job) {
        let ended = executor.run(job, &CancelToken::new(), &mut || ());
        assert!(matches!(ended, Ended::Success(_)), "{ended:?}");
    }

    /// Seconds of all, and of the processors: the engine's part in it included, as it is in this process.
    fn many(&self, executor: &RemoteExecutor<'_>) -> (f64, f64) {
        let next = AtomicU32::new(IN_TURN);
        let jobs: Vec<Job> = (0..MANY).map(|number| self.job(IN_TURN + number)).collect();
        let (begun, before) = (Instant::now(), processor_seconds());
        std::thread::scope(|scope| {
            for _ in 0..WAITING {
                scope.spawn(|| {
                    while let Some(job) = jobs.get((next.fetch_add(1, Ordering::Relaxed) - IN_TURN) as usize) {
                        self.run(executor, job);
                    }
                });
            }
        });
        (begun.elapsed().as_secs_f64(), processor_seconds() - before)
    }

    /// Each is an object and another one.
    fn module(&self, number: u32) -> Vec<u8> {
        [self.object.as_slice(), &number.to_le_bytes(), &std::process::id().to_le_bytes()].concat()
    }

    fn job(&self, number: u32) -> Job {
        let (module, index) = (self.module(number), number.to_le_bytes().repeat(64));
        let arguments = [&format!("-fthinlto-index={INDEX_NAME}"), "-o", NATIVE_OBJECT_NAME].map(str::to_owned);
        shared::job(format!("module {number}"), self.digest, arguments.to_vec(), module.into(), index.into())
    }
}

fn clang(flags: &[&str], source: &Path, output: &Path) {
    let made = Command::new(CLANG).args(flags).arg(source).arg("-o").arg(output).status();
    assert!(made.is_ok_and(|status| status.success()), "{CLANG} is needed");
}

/// Of this process so far: the fourteenth and fifteenth field, in hundredths.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
