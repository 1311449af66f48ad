//! A compiler that counts how often it runs, and how many of it at a time: a script in front of clang, for make,
//! thindist and workers.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::host::files;

/// The script, and the file to which each compilation adds a line when it begins and when it ends.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) program: PathBuf,
    log: PathBuf,
}

impl Watched {
    pub(crate) fn create(directory: &Path, clang: &str) -> Result<Watched> {
        let watched = Watched { program: directory.join("watched-clang"), log: directory.join("watched.log") };
        let log = watched.log.display();
        // Kconfig and thindist ask the compiler for its version, which is no job.
        let script = format!(
            "#!/bin/sh\ncase \" $* \" in *\" -c \"*|*\" -emit-obj \"*) ;; *) exec {clang} \"$@\" ;; esac\necho + >>{log}\n\
             {clang} \"$@\"\nstatus=$?\necho - >>{log}\nexit $status\n"
        );
        files::write(&watched.program, script)?;
        files::make_executable(&watched.program)?;
        Ok(watched)
    }

    /// From here on.
    pub(crate) fn begin(&self) -> Result<()> {
        files::write(&self.log, "")
    }

    /// Compilations since then, and how many there were at a time.
    pub(crate) fn seen(&self) -> Result<(usize, usize)> {
        Ok(count(&files::read(&self.log)?))
    }
}

fn count(log: &str) -> (usize, usize) {
    let (mut all, mut now, mut most) = (0, 0_usize, 0);
    for line in log.lines() {
        if line == "+" {
            all += 1;
            now += 1;
        } else {
            now = now.saturating_sub(1);
        }
        most = most.max(now);
    }
    (all, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_at_a_time_are_counted() {
        assert_eq!(count("+\n+\n-\n+\n-\n-\n"), (3, 2));
        assert_eq!(count(""), (0, 0));
    }
}
