//! The man pages: one of the program, with its settings, and one of each command.

use clap::Command;
use clap_mangen::Man;
use std::path::Path;
use std::process::ExitCode;
use thindist_engine::failure::{Failure, Result, io};
use thindist_engine::settings::{LOG_HELP, LOG_VARIABLE, REGISTRY, variable};

pub(super) fn write(line: &Command, directory: &Path) -> Result<ExitCode> {
    std::fs::create_dir_all(directory).map_err(|error| io("create", directory, &error))?;
    for (name, text) in pages(line)? {
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(|error| io("write", &path, &error))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Each page with its file's name.
fn pages(line: &Command) -> Result<Vec<(String, Vec<u8>)>> {
    let mut pages = vec![(format!("{}.1", line.get_name()), [page(line)?, settings().into_bytes()].concat())];
    let mut open: Vec<&Command> = line.get_subcommands().collect();
    while let Some(command) = open.pop() {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        pages.push((format!("{name}.1"), page(command)?));
        open.extend(command.get_subcommands());
    }
    // The name under which it is a linker.
    pages.push(("ld.thindist.1".to_owned(), b".so man1/thindist-ld.1\n".to_vec()));
    Ok(pages)
}

fn page(command: &Command) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    Man::new(command.clone()).render(&mut text).map_err(Failure::of)?;
    Ok(text)
}

/// The registry, as a section of the program's page.
fn settings() -> String {
    let entry = |name: &str, help: &str| format!(".TP\n\\fB{}\\fR\n{}\n", escaped(name), escaped(help));
    let entries = REGISTRY.iter().map(|setting| entry(&variable(setting.name), setting.help));
    let entries = entries.chain([entry(LOG_VARIABLE, LOG_HELP)]).collect::<String>();
    let head = "A setting is an environment variable as below, on a linker's line --thindist-NAME=VALUE, and in thindist.toml \
        (in the working directory or above it, or in $XDG_CONFIG_HOME/thindist) name = value. Flags come before variables, and \
        variables before the file.";
    format!(".SH ENVIRONMENT\n{}\n{}", escaped(head), entries)
}

/// Text that has nothing for roff in it. Dashes are those of options.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let is_command = text.starts_with(['.', '\'']);
    if is_command { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_every_setting_is_in_a_page() {
        let pages = pages(&super::super::command_line()).unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert!(
            ["thindist.1", "thindist-verify.1", "thindist-explain.1", "ld.thindist.1"]
                .iter()
                .all(|it| names.contains(it))
        );
        let main = String::from_utf8(pages[0].1.clone()).unwrap();
        assert!(REGISTRY.iter().all(|setting| main.contains(&variable(setting.name))), "{main}");
    }

    #[test]
    fn text_is_no_command_of_roffs() {
        assert_eq!(escaped(".toml a\\b --c"), "\\&.toml a\\eb \\-\\-c");
    }
}
