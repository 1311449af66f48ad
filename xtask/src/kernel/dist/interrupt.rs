//! A make that is interrupted as by Ctrl-C: its whole process group gets SIGINT.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use crate::Result;
use crate::figures::checks::require;
use crate::host::run;

const POLL: Duration = Duration::from_millis(20);

/// Starts `make`, interrupts it as soon as `enough` says so, and sees that it fails and that nothing of it stays.
pub(super) fn when(make: &mut Command, log: &Path, enough: impl Fn() -> Result<bool>) -> Result<()> {
    run::attach_log(make, log)?;
    let mut child = make.process_group(0).spawn().map_err(|error| run::cannot_start(make, &error))?;
    let waited = wait(&mut child, enough);
    let group = format!("-{}", child.id());
    let told = signal("-INT", &group);
    let status = child.wait().map_err(|error| format!("make: {error}"))?;
    waited.map_err(|reason| run::failure(make, &reason, log))?;
    require(told && !status.success(), || format!("make was interrupted and ended with {status}"))?;
    // Who is still there has been forgotten by make.
    require(!signal("-0", &group), || format!("processes of group {group} outlive make"))
}

fn wait(child: &mut Child, enough: impl Fn() -> Result<bool>) -> Result<()> {
    while !enough()? {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Err(format!("{status} before it could be interrupted"));
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

fn signal(signal: &str, group: &str) -> bool {
    Command::new("kill").args([signal, "--", group]).output().is_ok_and(|output| output.status.success())
}
