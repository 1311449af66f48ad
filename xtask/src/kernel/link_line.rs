//! The link of vmlinux.o alone, or of one module, as Kbuild ran it: for `thindist verify`, for the bench and for the demo's
//! comparison.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::host::project::Home;
use crate::host::{files, run};

use super::build::{self, Linker};
use super::checkout::Kernel;

/// objtool rewrites vmlinux.o in place after the link, and make compares times: a replay never writes to it.
const OUTPUT: &str = "vmlinux.o";

/// The linker's arguments from `.vmlinux.o.cmd`, with the output named `output`.
pub(crate) fn arguments(kernel: &Kernel, output: &Path) -> Result<Vec<String>> {
    let path = kernel.out.join(".vmlinux.o.cmd");
    let saved = files::read(&path)?;
    parse(&saved, &output.display().to_string()).map_err(|error| format!("{}: {error}", path.display()))
}

fn parse(saved: &str, output: &str) -> Result<Vec<String>> {
    let mut words = saved_words(saved, "vmlinux.o")?;
    let position = words.windows(2).position(|pair| matches!(pair, [option, name] if option == "-o" && name == OUTPUT));
    let position = position.ok_or("there is no `-o vmlinux.o`")?;
    words.splice(position + 1..position + 2, [output.to_string()]);
    Ok(words)
}

/// The arguments of the command that Kbuild saved for `target`; kernels before 6.4 call it `cmd_`.
pub(crate) fn saved_words(saved: &str, target: &str) -> Result<Vec<String>> {
    let names = [format!("savedcmd_{target} := "), format!("cmd_{target} := ")];
    let line = saved.lines().find_map(|line| names.iter().find_map(|name| line.strip_prefix(name.as_str())));
    let line = line.ok_or_else(|| format!("there is no savedcmd_{target}"))?;
    let link = line.split(';').next().unwrap_or_default();
    if let Some(special) = link.chars().find(|character| "'\"\\$`".contains(*character)) {
        return Err(format!("the command needs a shell to read it: it has a {special}"));
    }
    Ok(link.split_whitespace().skip(1).map(String::from).collect())
}

/// How a module came to be ELF.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ModuleLink {
    /// The command that made its bitcode, where the link has replaced that: of a module of one object.
    pub(crate) compile: Option<String>,
    /// The linker's arguments.
    pub(crate) words: Vec<String>,
}

/// The link of the module whose object this is, from its `.cmd`.
pub(crate) fn of_module(kernel: &Kernel, object: &Path) -> Result<ModuleLink> {
    let name = object.file_name().unwrap_or_default().to_string_lossy();
    let path = kernel.out.join(object).with_file_name(format!(".{name}.cmd"));
    parse_module(&files::read(&path)?).map_err(|error| format!("{}: {error}", path.display()))
}

fn parse_module(saved: &str) -> Result<ModuleLink> {
    const LINK: &str = " ld -- ";
    let line = saved.lines().find(|line| line.starts_with("savedcmd_"));
    let (_, line) = line.and_then(|line| line.split_once(" := ")).ok_or("there is no saved command")?;
    let (before, after) = line.split_once(LINK).ok_or("its link is not by thindist")?;
    let words = after.split(';').next().unwrap_or_default().split_whitespace().map(String::from).collect();
    let compile = before.rsplit_once(';').map(|(compile, _)| compile.trim().to_string());
    Ok(ModuleLink { compile, words })
}

/// `program` on that link, in the build directory, with `more` at the end.
pub(crate) fn command(kernel: &Kernel, program: &Path, output: &Path, more: &[String]) -> Result<Command> {
    let mut command = Command::new(program);
    command.current_dir(&kernel.out).args(arguments(kernel, output)?).args(more);
    Ok(command)
}

/// `thindist verify`: every native object and every output section against in-process ThinLTO.
pub(crate) fn verify(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    verify_with(kernel, home, linker, &[])
}

/// The same with settings.
pub(crate) fn verify_with(kernel: &Kernel, home: &Home, linker: &Linker, settings: &[(&str, &str)]) -> Result<String> {
    let output = home.dir.join(format!("{}.o", kernel.log_name("verify")));
    let said = verify_line(kernel, home, linker, &arguments(kernel, &output)?, settings);
    files::remove_file(&output)?;
    said
}

/// The same of another line in the build directory.
pub(crate) fn verify_line(
    kernel: &Kernel,
    home: &Home,
    linker: &Linker,
    words: &[String],
    settings: &[(&str, &str)],
) -> Result<String> {
    let name = kernel.log_name("verify");
    let mut command = Command::new(linker.program()?);
    command.current_dir(&kernel.out).args(["verify", "--"]).args(words);
    build::set_environment(&mut command, kernel.llvm, &home.cache());
    command.envs(settings.iter().copied());
    let log = home.log(&name);
    run::logged(&name, &mut command, &log)?;
    let said = files::read(&log)?;
    Ok(said.lines().last().unwrap_or_default().to_string())
}

/// `thindist compare` of that link: what it prints.
pub(crate) fn compare(kernel: &Kernel, home: &Home, linker: &Linker) -> Result<String> {
    let output = home.dir.join("compare.o");
    let mut command = Command::new(linker.program()?);
    command.current_dir(&kernel.out).args(["compare", "--"]).args(arguments(kernel, &output)?);
    build::set_environment(&mut command, kernel.llvm, &home.cache());
    String::from_utf8(run::output(&mut command)?).map_err(|error| format!("thindist compare: {error}"))
}

/// How many modules import from `object`, as lld itself says: the oracle for the backends that an edit of it concerns.
pub(crate) fn importers(kernel: &Kernel, home: &Home, object: &str) -> Result<u64> {
    let name = kernel.log_name("imports");
    let directory = home.dir.join(&name);
    files::remove_dir(&directory)?;
    files::make_dir(&directory)?;
    let more = [
        "--thinlto-emit-imports-files".to_string(),
        format!("--thinlto-index-only={}", directory.join("list").display()),
        format!("--thinlto-prefix-replace=;{}/", directory.display()),
    ];
    let lld = format!("ld.lld-{}", kernel.llvm);
    let mut command = command(kernel, Path::new(&lld), &directory.join("none"), &more)?;
    run::logged(&name, &mut command, &home.log(&name))?;
    let member = format!("({object} at ");
    let mut count = 0;
    for path in files::below(&directory)? {
        if path.to_string_lossy().ends_with(".imports") && files::read(&path)?.contains(&member) {
            count += 1;
        }
    }
    files::remove_dir(&directory)?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = "savedcmd_vmlinux.o := /x/ld.thindist -m elf_x86_64 -z noexecstack -r -o vmlinux.o  -T .tmp_initcalls.lds \
        --whole-archive vmlinux.a --no-whole-archive --start-group  --end-group  ; ./tools/objtool/objtool --link vmlinux.o\n\n\
        vmlinux.o: $(wildcard ./tools/objtool/objtool)\n";

    #[test]
    fn the_link_is_kept_and_objtool_is_not() {
        let words = parse(SAVED, "/tmp/v.o").unwrap().join(" ");
        assert_eq!(
            words,
            "-m elf_x86_64 -z noexecstack -r -o /tmp/v.o -T .tmp_initcalls.lds --whole-archive vmlinux.a \
             --no-whole-archive --start-group --end-group"
        );
    }

    #[test]
    fn the_older_name_of_a_saved_command() {
        assert_eq!(parse(&SAVED.replace("savedcmd_", "cmd_"), "v.o"), parse(SAVED, "v.o"));
    }

    #[test]
    fn the_link_of_a_module_is_found_beside_what_compiled_it() {
        let multi = "savedcmd_fs/fat/fat.o := THINDIST_LLD=ld.lld-22 /x/thindist ld -- -m elf_x86_64 -r -o fs/fat/fat.o \
                     @fs/fat/fat.mod ; ./tools/objtool/objtool fs/fat/fat.o\n";
        let link = parse_module(multi).unwrap();
        assert_eq!(
            (link.compile, link.words.join(" ")),
            (None, "-m elf_x86_64 -r -o fs/fat/fat.o @fs/fat/fat.mod".into())
        );
        let single = "savedcmd_lib/crc7.o := clang-22 -D'A=\"b\"' -c -o lib/crc7.o lib/crc7.c ; THINDIST_LLD=ld.lld-22 \
                      /x/thindist ld -- -r -o lib/.tmp_crc7.o lib/crc7.o; mv lib/.tmp_crc7.o lib/crc7.o\n";
        let link = parse_module(single).unwrap();
        assert_eq!(link.compile.as_deref(), Some("clang-22 -D'A=\"b\"' -c -o lib/crc7.o lib/crc7.c"));
        assert_eq!(link.words.join(" "), "-r -o lib/.tmp_crc7.o lib/crc7.o");
        assert!(parse_module("savedcmd_x.o := ld.lld-22 -r -o x.o y.o\n").is_err());
    }

    #[test]
    fn what_only_a_shell_can_read_is_refused() {
        assert!(parse(&SAVED.replace("noexecstack", "'no exec'"), "v.o").unwrap_err().contains("shell"));
        assert!(parse("deps_vmlinux.o :=\n", "v.o").is_err());
        assert!(parse(&SAVED.replace("-o vmlinux.o", ""), "v.o").is_err());
    }
}
