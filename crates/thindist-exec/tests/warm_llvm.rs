//! A warm compiler produces the bytes of a plain process, tested with real compilers.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use thindist_exec::process::{self, Finished, Invocation, Status};
use thindist_exec::{CancelToken, WarmCompiler};

const VERSIONS: [u32; 2] = [19, 22];
const MODULES: usize = 8;

/// Each module calls the next one's function, which is small enough to be imported, and has a local that gets promoted.
fn source(number: usize) -> String {
    let next = (number + 1) % MODULES;
    format!(
        "int f{next}(int);\nstatic int count{number};\n\
         static int twice{number}(int x) {{ return x * 2 + count{number}++; }}\n\
         int f{number}(int x) {{ return x > {number} ? f{next}(x - 1) : twice{number}(x); }}\n\
         __attribute__((noinline)) int g{number}(int *p, int n) {{\n\
           int sum = 0; for (int i = 0; i < n; i++) sum += f{number}(p[i]) * f{next}(i); return sum; }}\n"
    )
}

fn tool(directory: &Path, line: &str) {
    let mut words = line.split(' ');
    let name = words.next().expect("a tool's name");
    let output = Command::new(name).args(words).current_dir(directory).output();
    let output = output
        .unwrap_or_else(|error| panic!("this test needs {name} (Debian: clang-19 lld-19 clang-22 lld-22): {error}"));
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Bitcode and indexes of eight modules that import from each other.
fn thin_link(version: u32, directory: &Path) {
    let names: Vec<_> = (0..MODULES).map(|number| format!("m{number}.o")).collect();
    for number in 0..MODULES {
        fs::write(directory.join(format!("m{number}.c")), source(number)).expect("a source can be written");
        tool(directory, &format!("clang-{version} -O2 -flto=thin -c m{number}.c -o m{number}.o"));
    }
    tool(directory, &format!("ld.lld-{version} -r -o out.o {} --thinlto-index-only", names.join(" ")));
}

fn arguments(number: usize, output: &str) -> Vec<OsString> {
    let line = format!(
        "--target=x86_64-linux-gnu -O2 -ffunction-sections -fdata-sections -c -x ir m{number}.o \
         -fthinlto-index=m{number}.o.thinlto.bc -o {output}{number}.o"
    );
    line.split(' ').map(OsString::from).collect()
}

fn expect_object(directory: &Path, name: &str, finished: &Finished) -> Vec<u8> {
    assert_eq!(finished.status, Status::Exited(0), "{}", String::from_utf8_lossy(&finished.stderr));
    fs::read(directory.join(name)).expect("the compiler made an object")
}

fn clang(version: u32) -> PathBuf {
    PathBuf::from(format!("/usr/bin/clang-{version}"))
}

/// With its code where the dynamic linker put it, and on huge pages.
#[test]
fn native_objects_are_those_of_a_plain_spawn() {
    for version in VERSIONS {
        for runs in [1, 1_000_000] {
            let directory = tempfile::tempdir().unwrap();
            let directory = directory.path();
            thin_link(version, directory);
            let warm = WarmCompiler::start(&clang(version), &[], directory, runs).expect("clang can be kept warm");
            let cancel = CancelToken::new();
            std::thread::scope(|scope| {
                for number in 0..MODULES {
                    let (warm, cancel) = (&warm, &cancel);
                    scope.spawn(move || {
                        let finished = warm.run(arguments(number, "warm"), directory, None, cancel).unwrap();
                        let forked = expect_object(directory, &format!("warm{number}.o"), &finished);
                        let plain = Invocation {
                            program: clang(version),
                            arguments: arguments(number, "plain"),
                            environment: vec![],
                            directory: Some(directory.to_owned()),
                        };
                        let finished = process::run(&plain, None, cancel).unwrap();
                        let spawned = expect_object(directory, &format!("plain{number}.o"), &finished);
                        assert!(forked == spawned, "LLVM {version}, {runs} runs: m{number}.o differs");
                    });
                }
            });
            assert_eq!(warm.plain_runs(), 0);
        }
    }
}

#[test]
fn a_compilers_error_is_its_own_words() {
    for version in VERSIONS {
        let directory = tempfile::tempdir().unwrap();
        let warm = WarmCompiler::start(&clang(version), &[], directory.path(), 1).expect("clang can be kept warm");
        let finished = warm.run(arguments(0, "x"), directory.path(), None, &CancelToken::new()).unwrap();
        assert_eq!((finished.status, warm.plain_runs()), (Status::Exited(1), 0));
        let words = String::from_utf8(finished.stderr).unwrap();
        assert!(words.contains("no such file or directory: 'm0.o'"), "{words}");
    }
}
