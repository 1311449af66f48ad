//! The table of tasks.

use crate::bench::{scale, serial_distributor, small};
use crate::command::task::{Task, dispatch};
use crate::host::apt;
use crate::{Result, corpus, demo, dist, docs, engine, fuzz, kernel, lld_tests, matrix, programs, test};

pub(crate) const TASKS: &[Task] = &[
    Task {
        name: "demo",
        help: "build, boot, edit and rebuild a kernel through ld.thindist; print one table",
        run: demo::run,
    },
    Task {
        name: "test",
        help: "format, clippy, tests, programs and the kernel checks; --fast: a part of the tests",
        run: test::run,
    },
    Task {
        name: "bench",
        help: "measure side by side: `bench kernel|ways|dtlto|remote|small|programs|scale [--rounds N]`",
        run: bench,
    },
    Task {
        name: "programs",
        help: "SQLite, zstd, Lua linked, verified, run [NAME…] [--all: RocksDB and cargo's]",
        run: programs::run,
    },
    Task { name: "kernel", help: "one step of the kernel checks; alone, lists the steps", run: kernel::run },
    Task {
        name: "fuzz",
        help: "fuzz the parsers: `fuzz [TARGET…] [--seconds N]`; random links against lld: `fuzz links [--seeds N] [--from SEED] [--llvm N] [--way WAY] [--case FILE]`; random edits of C with debug information: `fuzz edits [--seeds N] [--from SEED] [--llvm N]`",
        run: fuzz::run,
    },
    Task {
        name: "matrix",
        help: "every version of LLVM that there is a package of, tried; writes docs/llvm-versions.md [VERSION…] [--seeds N] [--from SEED] [--no-kernel]; --today: what `test` does of it",
        run: matrix::run,
    },
    Task {
        name: "corpus",
        help: "builds of other people: each link by lld and by thindist; writes docs/corpus.md [NAME…] [--llvm N]",
        run: corpus::run,
    },
    Task {
        name: "lld-tests",
        help: "lld's own ELF tests with thindist in its place, cold and warm [--below DIRECTORY]",
        run: lld_tests::run,
    },
    Task {
        name: "serial-distributor",
        help: "lld's DTLTO one job after the other, for `bench dtlto`",
        run: serial_distributor::run,
    },
    Task { name: "engine", help: "real Remote Execution engines on loopback; alone, lists them", run: engine::run },
    Task {
        name: "dist",
        help: "what a package has beside the program: completions and man pages, below target/dist",
        run: dist::run,
    },
    Task { name: "docs", help: "write docs/reference.md from the registry of settings", run: docs::run },
    Task { name: "install", help: "install every Debian package that the other tasks need", run: apt::run },
];

const BENCHES: &[Task] = &[
    Task {
        name: "kernel",
        help: "the link of vmlinux.o against in-process ThinLTO [--rounds N] [--llvm N]",
        run: kernel::bench::run,
    },
    Task {
        name: "ways",
        help: "make vmlinux in each way, after each kind of edit; writes docs/in-process-or-distributed.md [--rounds N]; --first: the first link alone",
        run: kernel::ways::run,
    },
    Task {
        name: "dtlto",
        help: "the same through lld's DTLTO, beside one job after the other [--rounds N]",
        run: kernel::bench::dtlto::run,
    },
    Task {
        name: "remote",
        help: "what an engine costs beside the work; vmlinux.o here, fetched, and on two workers [--rounds N]",
        run: kernel::bench::remote::run,
    },
    Task {
        name: "small",
        help: "8,000 modules of about 2 ms each against in-process ThinLTO and lld's cache [--rounds N]",
        run: small::run,
    },
    Task {
        name: "edits",
        help: "which backends run and which objects change after each edit of a kernel [SOURCE…] [--no-debug] [--llvm N]",
        run: kernel::bench::edited::run,
    },
    Task { name: "programs", help: "the links of real programs [--rounds N] [NAME…] [--all]", run: programs::bench },
    Task {
        name: "scale",
        help: "client and scheduler against 1 to 1,000 simulated workers [--workers N] [--latency MS]",
        run: scale::run,
    },
];

fn bench(arguments: &[String]) -> Result<()> {
    dispatch(BENCHES, "cargo xtask bench", arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_task_lists_the_known_ones() {
        let error = dispatch(TASKS, "cargo xtask", &["dmeo".to_string()]).unwrap_err();
        assert!(error.contains("dmeo") && error.contains("cargo xtask demo"));
    }
}
