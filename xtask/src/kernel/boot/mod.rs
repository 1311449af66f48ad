//! Boots a built kernel in QEMU with an init of its own, and asks it for its configuration and to load modules.

mod initramfs;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::Result;
use crate::figures::checks::require;
use crate::host::project::{self, Home};
use crate::host::{files, run};

use super::checkout::Kernel;
use super::config;
use super::modules::Module;

use initramfs::Entry;

/// Without KVM on a busy machine a boot takes some seconds; a kernel that hangs should not take the whole test.
const TIME_LIMIT: Duration = Duration::from_secs(120);
const REACHED: &str = "thindist: init reached";
const RUNNING: &str = "thindist: running ";
const CONFIG_BEGIN: &str = "thindist: config begin\n";
const CONFIG_END: &str = "thindist: config end\n";

/// What init says of a module, before its name.
const LOADED: &str = "thindist: loaded ";
const UNLOADED: &str = "thindist: unloaded ";

/// Boots `kernel`; its init must be reached and /proc/config.gz be the .config it was built from. Returns its version.
pub(crate) fn check(kernel: &Kernel, home: &Home, step: &str) -> Result<String> {
    version_of(&checked(kernel, home, step, &[])?)
}

/// The same, and every one of `modules` must be loaded in that order; and unloaded again, if the kernel can do that.
pub(crate) fn check_modules(kernel: &Kernel, home: &Home, step: &str, modules: &[Module]) -> Result<String> {
    let console = checked(kernel, home, step, modules)?;
    every(modules, &console, LOADED)?;
    if !config::current(kernel)?.contains("CONFIG_MODULE_UNLOAD=y") {
        return Ok(format!("{} modules loaded", modules.len()));
    }
    every(modules, &console, UNLOADED)?;
    Ok(format!("{} modules loaded and unloaded", modules.len()))
}

fn every(modules: &[Module], console: &str, what: &str) -> Result<()> {
    let said: Vec<&str> = console.lines().filter_map(|line| line.strip_prefix(what)).collect();
    let missing: Vec<&str> =
        modules.iter().map(|module| module.name.as_str()).filter(|name| !said.contains(name)).collect();
    require(missing.is_empty(), || format!("the console lacks `{what}` for: {}", missing.join(", ")))
}

fn version_of(console: &str) -> Result<String> {
    let version = console.lines().find_map(|line| line.strip_prefix(RUNNING));
    version.map(str::to_string).ok_or_else(|| format!("the console lacks `{RUNNING}`"))
}

/// What the console showed of a boot as it must be.
fn checked(kernel: &Kernel, home: &Home, step: &str, modules: &[Module]) -> Result<String> {
    let console = boot(kernel, home, step, modules)?;
    require(console.contains(REACHED), || format!("the console lacks `{REACHED}`"))?;
    let inside = inflate(home, &embedded_config(&console)?)?;
    let outside = config::current(kernel)?.into_bytes();
    require(inside == outside, || first_difference(&inside, &outside))?;
    Ok(console)
}

/// Runs QEMU and returns what the serial console showed.
fn boot(kernel: &Kernel, home: &Home, step: &str, modules: &[Module]) -> Result<String> {
    let initrd = initrd(home, modules)?;
    let log = home.log(&kernel.log_name(step));
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-nographic", "-no-reboot", "-m", "512", "-append", "console=ttyS0 panic=-1 oops=panic"]);
    qemu.arg("-kernel").arg(kernel.out.join("arch/x86/boot/bzImage")).arg("-initrd").arg(initrd);
    run::attach_log(&mut qemu, &log)?;
    let mut child = qemu.spawn().map_err(|error| run::cannot_start(&qemu, &error))?;
    let status = wait(&mut child, TIME_LIMIT).map_err(|reason| run::failure(&qemu, &reason, &log))?;
    require(status.success(), || run::failure(&qemu, &status.to_string(), &log))?;
    // A serial line ends its lines with CR LF, and the firmware's part may not be text.
    Ok(String::from_utf8_lossy(&files::read_bytes(&log)?).replace('\r', ""))
}

fn wait(child: &mut Child, limit: Duration) -> Result<ExitStatus> {
    const POLL: Duration = Duration::from_millis(50);
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(status);
        }
        std::thread::sleep(POLL);
    }
    let ended = child.kill().and_then(|()| child.wait());
    Err(format!("no end within {} s ({ended:?})", limit.as_secs()))
}

/// The init and what it needs: /proc to mount on, and a console, without which the kernel gives it no output. A
/// module's file begins with its place in the order.
fn initrd(home: &Home, modules: &[Module]) -> Result<PathBuf> {
    let program = compile_init(home)?;
    let init = files::read_bytes(&program)?;
    let named = modules
        .iter()
        .enumerate()
        .map(|(place, module)| Ok((format!("modules/{place:03}-{}", module.name), files::read_bytes(&module.path)?)));
    let named: Vec<(String, Vec<u8>)> = named.collect::<Result<_>>()?;
    let mut entries = vec![
        Entry::Directory("dev"),
        Entry::Device("dev/console", 5, 1),
        Entry::Directory("proc"),
        Entry::Directory("modules"),
        Entry::Program("init", &init),
    ];
    entries.extend(named.iter().map(|(name, content)| Entry::Program(name, content)));
    let path = program.with_file_name("initrd.cpio");
    files::write(&path, initramfs::build(&entries).map_err(|error| format!("initramfs: {error}"))?)?;
    Ok(path)
}

fn compile_init(home: &Home) -> Result<PathBuf> {
    let program = home.dir.join("boot/init");
    files::make_dir(&home.dir.join("boot"))?;
    let mut gcc = Command::new("gcc");
    gcc.args(["-static", "-O1", "-Wall", "-Werror", "-s", "-o"]).arg(&program);
    gcc.arg(project::root().join("xtask/kernel/init.c"));
    run::quiet(&mut gcc, &home.log("init"))?;
    Ok(program)
}

/// The bytes of /proc/config.gz, which init printed in hex.
fn embedded_config(console: &str) -> Result<Vec<u8>> {
    let hex = console.split_once(CONFIG_BEGIN).and_then(|(_, rest)| rest.split_once(CONFIG_END));
    let (hex, _) = hex.ok_or("the console has no configuration: is IKCONFIG_PROC on?")?;
    decode(hex).ok_or_else(|| "what init printed is not hex".to_string())
}

fn decode(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn inflate(home: &Home, compressed: &[u8]) -> Result<Vec<u8>> {
    let path: &Path = &home.dir.join("boot/config.gz");
    files::write(path, compressed)?;
    run::output(Command::new("gzip").arg("-dc").arg(path))
}

fn first_difference(inside: &[u8], outside: &[u8]) -> String {
    let (inside, outside) = (String::from_utf8_lossy(inside), String::from_utf8_lossy(outside));
    let pair = inside.lines().zip(outside.lines()).find(|(left, right)| left != right);
    match pair {
        Some((left, right)) => format!("/proc/config.gz has `{left}` where .config has `{right}`"),
        None => "/proc/config.gz and .config differ in length".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_cut_out_of_the_console() {
        let console = format!("boot\n{REACHED}\n{CONFIG_BEGIN}1f8b\n08\n{CONFIG_END}reboot\n");
        assert_eq!(embedded_config(&console), Ok(vec![0x1f, 0x8b, 8]));
        assert!(embedded_config("boot\n").is_err());
        assert!(embedded_config(&console.replace("08", "0")).is_err());
        assert!(embedded_config(&console.replace("08", "zz")).is_err());
    }

    #[test]
    fn a_difference_shows_both_lines() {
        let reason = first_difference(b"A\nB=1\n", b"A\nB=2\n");
        assert!(reason.contains("B=1") && reason.contains("B=2"));
    }
}
