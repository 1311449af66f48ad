//! thindist against real engines: a C++ program, linked by one client and then by another that has nothing, after an edit, and by
//! two at once.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::figures::checks::Checks;
use crate::host::project::Home;
use crate::host::{apt, cargo, files, machine, run};

use super::kind::HOME;
use super::subject::{self, Subject};
use super::together;
use super::trial::on_each;

const LLVM: u32 = 22;
/// Each module uses the next one and the standard library, so that backends import and objects are not tiny.
const MODULES: u64 = 32;
/// Nobody calls its function: an edit of it is one object's.
const LEAF: &str = "leaf";
/// Without exceptions: of the groups with their personality routine a `-r` output keeps others than in-process, engine or not.
const FLAGS: [&str; 5] = ["-O2", "-flto=thin", "-fPIC", "-fno-exceptions", "-c"];

/// The task `engine check`: the engines that are named, or all.
pub(super) fn run(names: &[String]) -> Result<()> {
    apt::ensure(&[apt::llvm(LLVM), ["g++", "libstdc++-12-dev"].map(String::from).to_vec()].concat())?;
    let home = Home::open(&format!("{HOME}/program"))?;
    let linker = cargo::install_thindist(&home)?;
    let directory = compile(&home)?;
    let mut checks = Checks::default();
    on_each(names, &mut checks, |place, checks| {
        let subject = Subject {
            home: &home,
            linker: linker.clone(),
            directory: directory.clone(),
            words: &words,
            llvm: LLVM,
            environment: vec![("THINDIST_LLD".to_owned(), format!("ld.lld-{LLVM}"))],
            least_modules: MODULES + 1,
        };
        leaf(&home, &directory, 0)?;
        let edit = || leaf(&home, &directory, 1);
        subject::check(&subject, place, &edit, checks);
        if place.executes {
            checks.record(&format!("{}: two clients at once", place.engine), together::check(&subject, place));
        }
        Ok(())
    })?;
    checks.finish()
}

/// The bitcode of a program of several modules.
fn compile(home: &Home) -> Result<PathBuf> {
    let directory = home.dir.join("source");
    files::remove_dir(&directory)?;
    files::make_dir(&directory)?;
    let numbers: Vec<u64> = (0..MODULES).collect();
    for some in numbers.chunks(machine::cpus()) {
        let compile = |number: &u64| module(home, &directory, &format!("m{number}"), &source(*number));
        std::thread::scope(|scope| {
            let running: Vec<_> = some.iter().map(|number| scope.spawn(move || compile(number))).collect();
            running.into_iter().try_for_each(|one| one.join().unwrap_or_else(|_| Err("a thread has failed".to_owned())))
        })?;
    }
    Ok(directory)
}

fn leaf(home: &Home, directory: &Path, number: u64) -> Result<()> {
    module(home, directory, LEAF, &format!("int leaf(int x) {{ return x * 7 + {number}; }}\n"))
}

fn module(home: &Home, directory: &Path, name: &str, text: &str) -> Result<()> {
    files::write(&directory.join(format!("{name}.cc")), text)?;
    let mut clang = Command::new(format!("clang++-{LLVM}"));
    clang.current_dir(directory).args(FLAGS).arg(format!("{name}.cc"));
    run::quiet(&mut clang, &home.log(&format!("compile-{name}")))
}

fn words(output: &Path) -> Result<Vec<String>> {
    let objects = (0..MODULES).map(|number| format!("m{number}.o"));
    let line = ["-r".to_owned(), "-o".to_owned(), output.display().to_string(), format!("{LEAF}.o")];
    Ok(line.into_iter().chain(objects).collect())
}

fn source(number: u64) -> String {
    let next = (number + 1) % MODULES;
    format!(
        "#include <map>\n#include <string>\n#include <vector>\n\
         int f{next}(int);\n\
         static std::map<std::string, std::vector<int>> seen;\n\
         int f{number}(int x) {{\n\
           seen[std::to_string(x)].push_back(x);\n\
           return x < 0 ? (int)seen.size() : f{next}(x - {number} - 1);\n\
         }}\n"
    )
}
