//! How a command is called, for a hint.

use clap::builder::StyledStr;

/// The usage of the command of this name that takes `Options`.
pub(crate) fn usage<Options: clap::Args>(name: &'static str) -> String {
    // clap makes one name of both words only for a subcommand that has been built.
    let mut command = Options::augment_args(clap::Command::new(name).bin_name(format!("thindist {name}")));
    on_one_line(&command.render_usage())
}

/// clap's usage as a hint has it.
pub(crate) fn on_one_line(usage: &StyledStr) -> String {
    let text = usage.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ").replacen("Usage: ", "usage: ", 1)
}
