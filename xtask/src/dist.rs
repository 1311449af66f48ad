//! What a package has beside the program, in the places that /usr/share has for it. The program itself makes all of it, from the
//! same table as its command line.

use std::process::Command;

use crate::Result;
use crate::command::arguments;
use crate::host::project::Home;
use crate::host::{cargo, files, run};

/// Shells, and where each looks for completions.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "bash-completion/completions/thindist"),
    ("zsh", "zsh/site-functions/_thindist"),
    ("fish", "fish/vendor_completions.d/thindist.fish"),
];

/// The task `dist`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    arguments::reject_rest(arguments)?;
    let program = cargo::program()?;
    let share = Home::open("dist")?.dir.join("share");
    for (shell, place) in COMPLETIONS {
        let script = run::output(Command::new(&program).args(["completions", shell]))?;
        let place = share.join(place);
        files::make_dir(place.parent().unwrap_or(&share))?;
        files::write(&place, script)?;
    }
    run::output(Command::new(&program).arg("man-pages").arg(share.join("man/man1")))?;
    println!("{}", share.display());
    Ok(())
}
