//! bazel-remote: a store and an action cache, built from its Go module.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::host::project::Home;
use crate::host::{files, run};

use super::kind::{Engine, Process};

const MODULE: &str = "github.com/buchgr/bazel-remote/v2";
const VERSION: &str = "v2.6.2";

pub(super) const ENGINE: Engine = Engine {
    name: "bazel-remote",
    executes: false,
    provide,
    ports: 1,
    processes,
    ready: |_| true,
    blobs: None,
    merges_on_this_machine: false,
};

/// By a module of our own that requires it: `go install` wants the list of all versions, which not every proxy serves.
fn provide(home: &Home) -> Result<()> {
    let program = program(home);
    if program.is_file() {
        return Ok(());
    }
    let directory = home.dir.join("module");
    files::make_dir(&directory)?;
    files::write(&directory.join("go.mod"), format!("module engine\n\ngo 1.24\n\nrequire {MODULE} {VERSION}\n"))?;
    let mut go = Command::new("go");
    go.current_dir(&directory).args(["build", "-mod=mod", "-o"]).arg(&program).arg(MODULE);
    run::logged("build bazel-remote", &mut go, &home.log("build"))
        .map(drop)
        .map_err(|error| format!("{error}\nbazel-remote needs Go 1.24 or newer"))
}

fn program(home: &Home) -> std::path::PathBuf {
    home.dir.join("bin/bazel-remote")
}

fn processes(home: &Home, data: &Path, ports: &[u16]) -> Result<Vec<Process>> {
    let port = ports.first().ok_or("no port")?;
    let mut command = Command::new(program(home));
    command.arg("--dir").arg(data).args(["--max_size", "2", "--http_address", "127.0.0.1:0"]);
    command.args(["--grpc_address", &format!("127.0.0.1:{port}")]);
    Ok(vec![Process::new("bazel-remote", command)])
}
