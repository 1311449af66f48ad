//! The processes of an engine: started, waited for, remembered, ended.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use crate::Result;
use crate::host::project::Home;
use crate::host::{files, run};

use super::kind::{Engine, Process};

/// How long an engine may take until it listens.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a process may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// An engine that runs.
pub(super) struct Running {
    pids: Vec<u32>,
    /// Where clients go.
    port: u16,
    /// Whom to wait for, if we started them.
    children: Vec<Child>,
}

impl Running {
    /// Starts one on free ports and waits until it listens on all of them.
    pub(super) fn start(engine: &Engine, home: &Home, data: &Path) -> Result<Self> {
        files::make_dir(data)?;
        let ports = free_ports(engine.ports)?;
        let port = *ports.first().ok_or("an engine without a port")?;
        let mut running = Self { pids: Vec::new(), port, children: Vec::new() };
        let started = running.start_all(engine, home, (engine.processes)(home, data, &ports)?, &ports);
        match started {
            Ok(()) => Ok(running),
            Err(error) => {
                running.stop()?;
                Err(error)
            }
        }
    }

    fn start_all(&mut self, engine: &Engine, home: &Home, processes: Vec<Process>, ports: &[u16]) -> Result<()> {
        for Process { name, mut command } in processes {
            let log = home.log(&name);
            run::attach_log(&mut command, &log)?;
            // A group of its own: it outlives this task, and no Ctrl-C of the terminal reaches it.
            let child = command.process_group(0).spawn().map_err(|error| run::cannot_start(&command, &error))?;
            self.pids.push(child.id());
            self.children.push(child);
        }
        let listens = |port: &u16| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok();
        let begun = Instant::now();
        while !(ports.iter().all(listens) && (engine.ready)(ports)) {
            if begun.elapsed() > PATIENCE || self.any_ended()? {
                let logs = home.log(engine.name);
                let logs = logs.parent().unwrap_or(&home.dir).display().to_string();
                return Err(format!(
                    "{} does not listen on {ports:?}, or is not complete; its logs are in {logs}",
                    engine.name
                ));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    fn any_ended(&mut self) -> Result<bool> {
        for child in &mut self.children {
            if child.try_wait().map_err(|error| error.to_string())?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn address(&self) -> String {
        format!("grpc://127.0.0.1:{}", self.port)
    }

    /// So that another task can stop it.
    pub(super) fn remember(&self, home: &Home) -> Result<()> {
        let pids: Vec<String> = self.pids.iter().map(ToString::to_string).collect();
        files::write(&file(home), pids.join(" "))
    }

    /// Stops the one that was remembered.
    pub(super) fn stop_earlier(home: &Home) -> Result<()> {
        let path = file(home);
        let text = files::read(&path).map_err(|_| "it has not been started".to_owned())?;
        files::remove_file(&path)?;
        for pid in text.split_whitespace().rev().filter_map(|pid| pid.parse().ok()) {
            let begun = Instant::now();
            // The number may be another's by now.
            let lives = || std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.starts_with(&home.dir));
            if lives() {
                signal(pid, "TERM")?;
            }
            while lives() {
                if begun.elapsed() > GRACE {
                    signal(pid, "KILL")?;
                }
                std::thread::sleep(LOOK_AGAIN);
            }
        }
        Ok(())
    }

    /// Ends it, the last to be started first. A worker without its scheduler waits for that, so patience is bounded.
    pub(super) fn stop(mut self) -> Result<()> {
        while let Some(mut child) = self.children.pop() {
            let begun = Instant::now();
            let lost = |error| format!("process of an engine: {error}");
            if child.try_wait().map_err(lost)?.is_none() {
                signal(child.id(), "TERM")?;
            }
            while child.try_wait().map_err(lost)?.is_none() {
                if begun.elapsed() > GRACE {
                    child.kill().map_err(lost)?;
                }
                std::thread::sleep(LOOK_AGAIN);
            }
        }
        Ok(())
    }
}

fn signal(pid: u32, name: &str) -> Result<()> {
    let mut kill = std::process::Command::new("kill");
    let status =
        kill.args(["-s", name, &pid.to_string()]).status().map_err(|error| run::cannot_start(&kill, &error))?;
    if status.success() { Ok(()) } else { Err(format!("cannot end process {pid}")) }
}

fn file(home: &Home) -> PathBuf {
    home.dir.join("running")
}

/// Different ones: all are held until all are known.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    let no = |error: std::io::Error| format!("no free port: {error}");
    let listeners = (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(no));
    let listeners = listeners.collect::<Result<Vec<_>>>()?;
    listeners.iter().map(|listener| Ok(listener.local_addr().map_err(no)?.port())).collect()
}
