//! A process of an engine: started, waited for, remembered, ended.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use crate::project::Home;
use crate::{Result, files, run};

use super::Engine;

/// How long an engine may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

pub(super) struct Running {
    pid: u32,
    port: u16,
    /// Whom to wait for, if we started it.
    child: Option<Child>,
}

impl Running {
    /// Starts one on a free port and waits until it listens.
    pub(super) fn start(engine: &Engine, home: &Home, data: &Path) -> Result<Self> {
        files::make_dir(data)?;
        let port = free_port()?;
        let mut command = (engine.command)(home, data, port);
        let log = home.log("engine");
        run::attach_log(&mut command, &log)?;
        // A group of its own: it outlives this task, and no Ctrl-C of the terminal reaches it.
        let mut child = command.process_group(0).spawn().map_err(|error| run::cannot_start(&command, &error))?;
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = child.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || begun.elapsed() > PATIENCE {
                let _ = child.kill();
                return Err(format!("{} does not listen on port {port}\n{}", engine.name, run::tail(&log)));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(Self { pid: child.id(), port, child: Some(child) })
    }

    pub(super) fn address(&self) -> String {
        format!("grpc://127.0.0.1:{}", self.port)
    }

    /// So that another task can stop it.
    pub(super) fn remember(&self, home: &Home) -> Result<()> {
        files::write(&file(home), format!("{} {}", self.pid, self.port))
    }

    /// The one that was remembered.
    pub(super) fn recall(home: &Home) -> Result<Self> {
        let path = file(home);
        let text = files::read(&path).map_err(|_| "it has not been started".to_owned())?;
        files::remove_file(&path)?;
        let (pid, port) = text.split_once(' ').ok_or_else(|| format!("{}: not what it should be", path.display()))?;
        let bad = |_| format!("{}: not what it should be", path.display());
        let (pid, port) = (pid.parse().map_err(bad)?, port.parse().map_err(bad)?);
        // The number may be another's by now.
        let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        if !program.starts_with(&home.dir) {
            return Err("it has ended already".to_owned());
        }
        Ok(Self { pid, port, child: None })
    }

    /// Ends it.
    pub(super) fn stop(self) -> Result<()> {
        let pid = i32::try_from(self.pid).map_err(|error| error.to_string())?;
        signal(pid)?;
        let Some(mut child) = self.child else { return Ok(()) };
        child.wait().map(drop).map_err(|error| format!("process {pid}: {error}"))
    }
}

fn signal(pid: i32) -> Result<()> {
    let mut kill = std::process::Command::new("kill");
    let status = kill.arg(pid.to_string()).status().map_err(|error| run::cannot_start(&kill, &error))?;
    if status.success() { Ok(()) } else { Err(format!("cannot end process {pid}")) }
}

fn file(home: &Home) -> PathBuf {
    home.dir.join("running")
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| format!("no free port: {error}"))?;
    Ok(listener.local_addr().map_err(|error| error.to_string())?.port())
}
