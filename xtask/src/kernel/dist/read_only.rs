//! A command for which a directory is read-only for every user: root ignores modes, but not a mount.

use std::path::Path;
use std::process::Command;

/// In name spaces of its own, which end with it; it keeps the number of the process.
const SCRIPT: &str = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"";

pub(super) fn command(inner: &Command, directory: &Path) -> Command {
    let mut outer = Command::new("unshare");
    outer.args(["--map-root-user", "--mount", "sh", "-c", SCRIPT]).arg(directory);
    outer.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_be_written_there_and_the_environment_stays() {
        let directory = std::env::temp_dir().join(format!("xtask-read-only-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let mut inner = Command::new("sh");
        inner.arg("-c").arg("echo $FIRST; ! echo x > \"$1\"/file").arg("sh").arg(&directory).env("FIRST", "kept");
        let output = command(&inner, &directory).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "kept\n");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.contains("Read-only"), "{said}");
        std::fs::remove_dir(&directory).unwrap();
    }
}
