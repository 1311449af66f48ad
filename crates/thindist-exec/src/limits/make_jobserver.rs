//! A client of GNU make's jobserver, for the pipe and the fifo styles.
//!
//! Not the `jobserver` crate: its `from_env` is unsafe (it adopts descriptor numbers) and reads the environment of the
//! whole process, which tests cannot set, and its wait cannot be cancelled. Opening `/dev/fd/N` needs none of that: it
//! makes an open file of our own on make's pipe, so non-blocking mode does not reach make.

use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The jobserver of the make that runs us. Cheap to clone; clones share the implicit token.
#[derive(Debug, Clone)]
pub struct MakeJobserver(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    read: File,
    write: File,
    /// Make has paid for one job by running us.
    implicit_taken: AtomicBool,
}

/// The right to run one job under make; given back when dropped.
#[derive(Debug)]
pub struct Token {
    owner: Arc<Shared>,
    /// The byte that was read, which has to be the byte that is written back. `None`: the implicit token.
    byte: Option<u8>,
}

impl MakeJobserver {
    /// This value of `MAKEFLAGS` names one, and it cannot be used: make has run us as one job and no more.
    #[must_use]
    pub fn is_out_of_reach(flags: &str) -> bool {
        authority(flags).is_some() && Self::from_makeflags(flags).is_none()
    }

    /// The jobserver that this value of `MAKEFLAGS` names, if it names one and it can be used.
    ///
    /// Make closes the descriptors to recipes that are not marked `+` but leaves the variable, so that they cannot be
    /// used is no reason for a message.
    #[must_use]
    pub fn from_makeflags(flags: &str) -> Option<Self> {
        let (read, write) = open(authority(flags)?).ok().flatten()?;
        Some(Self(Arc::new(Shared { read, write, implicit_taken: AtomicBool::new(false) })))
    }

    /// A token if there is one now: the implicit one first.
    #[must_use]
    pub fn try_acquire(&self) -> Option<Token> {
        let token = |byte| Some(Token { owner: Arc::clone(&self.0), byte });
        if !self.0.implicit_taken.swap(true, Ordering::AcqRel) {
            return token(None);
        }
        let mut byte = [0];
        loop {
            return match (&self.0.read).read(&mut byte) {
                Ok(1) => token(Some(byte[0])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                _ => None,
            };
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        match self.byte {
            None => self.owner.implicit_taken.store(false, Ordering::Release),
            // The byte came out of this pipe, so there is room for it; if make is gone nobody misses it.
            Some(byte) => drop((&self.owner.write).write_all(&[byte])),
        }
    }
}

/// How many jobs the make that runs us with this `MAKEFLAGS` was told to run, where it has no jobserver for us: `-j1` has none,
/// and recipes that are not marked `+` cannot use it. `-j` alone is no limit.
#[must_use]
pub fn jobs_told(flags: &str) -> Option<usize> {
    options(flags).filter_map(|word| word.strip_prefix("-j")?.parse().ok()).next_back()
}

/// Words after ` -- ` are variables.
fn options(flags: &str) -> impl DoubleEndedIterator<Item = &str> {
    flags.split(" -- ").next().unwrap_or(flags).split_ascii_whitespace()
}

/// The last one counts: make appends. `--jobserver-fds` is make before 4.2.
fn authority(flags: &str) -> Option<&str> {
    let value = |word: &'_ str| -> Option<usize> {
        ["--jobserver-auth=", "--jobserver-fds="].iter().find(|name| word.starts_with(**name)).map(|name| name.len())
    };
    options(flags).filter_map(|word| word.get(value(word)?..)).next_back()
}

/// `None`: these are not the two ends of a jobserver.
fn open(authority: &str) -> io::Result<Option<(File, File)>> {
    let (read, write) = match authority.strip_prefix("fifo:") {
        Some(path) => (PathBuf::from(path), PathBuf::from(path)),
        None => match authority.split_once(',').and_then(|(read, write)| Some((descriptor(read)?, descriptor(write)?)))
        {
            Some(ends) => ends,
            None => return Ok(None),
        },
    };
    let ends = (open_end(&read, true)?, open_end(&write, false)?);
    Ok(same_pipe(&ends.0, &ends.1)?.then_some(ends))
}

fn descriptor(number: &str) -> Option<PathBuf> {
    // Make writes negative numbers for "not for you".
    let number: u32 = number.parse().ok()?;
    Some(Path::new("/dev/fd").join(number.to_string()))
}

/// Non-blocking, or opening the write end of a fifo whose reader is gone would wait for ever. A fifo's read end is
/// opened for writing as well, so that it never reports the end of file.
fn open_end(path: &Path, read: bool) -> io::Result<File> {
    let fifo = !path.starts_with("/dev/fd");
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(read || fifo).write(!read || fifo).custom_flags(flags).open(path)
}

/// A descriptor that make closed may have been opened again for something else.
fn same_pipe(read: &File, write: &File) -> io::Result<bool> {
    let (read, write) = (read.metadata()?, write.metadata()?);
    Ok(read.file_type().is_fifo() && (read.dev(), read.ino()) == (write.dev(), write.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn check(server: &MakeJobserver, explicit: usize) {
        let tokens: Vec<_> = (0..=explicit).map(|_| server.try_acquire().expect("a token")).collect();
        assert!(server.try_acquire().is_none(), "more tokens than the server has");
        drop(tokens);
        let again: Vec<_> = std::iter::from_fn(|| server.try_acquire()).collect();
        assert_eq!(again.len(), explicit + 1, "tokens were lost or made");
    }

    #[test]
    fn pipe_style() {
        let server = jobserver::Client::new(3).unwrap();
        let mut command = Command::new("true");
        server.configure(&mut command);
        let flags = command.get_envs().find(|(name, _)| *name == "CARGO_MAKEFLAGS").and_then(|(_, value)| value);
        check(&MakeJobserver::from_makeflags(flags.unwrap().to_str().unwrap()).unwrap(), 3);
        assert_eq!(server.available().unwrap(), 3);
    }

    #[test]
    fn fifo_style() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        let mut keeper = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        keeper.write_all(b"+-").unwrap();
        let server = MakeJobserver::from_makeflags(&format!("-j --jobserver-auth=fifo:{}", path.display())).unwrap();
        check(&server, 2);
        let mut left = [0; 2];
        keeper.read_exact(&mut left).unwrap();
        left.sort_unstable();
        assert_eq!(&left, b"+-", "tokens are not all alike");
    }

    #[test]
    fn what_cannot_be_used_is_no_jobserver() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let not_a_fifo = format!("--jobserver-auth=fifo:{}", file.path().display());
        for flags in ["", "-k", "--jobserver-auth=", "--jobserver-auth=-2,-2", "--jobserver-auth=98765,98766"] {
            assert!(MakeJobserver::from_makeflags(flags).is_none(), "{flags}");
        }
        assert!(MakeJobserver::from_makeflags("--jobserver-auth=fifo:/nonexistent/fifo").is_none());
        assert!(MakeJobserver::from_makeflags(&not_a_fifo).is_none());
    }

    #[test]
    fn the_last_authority_of_the_options_counts() {
        assert_eq!(authority("kj --jobserver-fds=3,4 --jobserver-auth=5,6 -- X=--jobserver-auth=7,8"), Some("5,6"));
        assert_eq!(authority("k -- --jobserver-auth=7,8"), None);
    }

    #[test]
    fn a_limit_without_a_jobserver_is_still_one() {
        assert_eq!(jobs_told(" -j1 --no-print-directory"), Some(1));
        assert_eq!(jobs_told("ks -j8 --jobserver-auth=3,4 -j3 -- X=-j7"), Some(3));
        assert_eq!(jobs_told(" -j --no-print-directory -- J=-j7"), None);
        assert_eq!(jobs_told(""), None);
    }
}
