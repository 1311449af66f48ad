//! The table of tasks, and how a line of arguments finds its row.

use std::fmt::Write as _;

use crate::{Result, apt, demo, kernel, test};

/// One row: what to type, what it does, and the function that does it.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) run: fn(&[String]) -> Result<()>,
}

pub(crate) const TASKS: &[Task] = &[
    Task {
        name: "demo",
        help: "build, boot, edit and rebuild a kernel through ld.thindist; print one table",
        run: demo::run,
    },
    Task {
        name: "test",
        help: "format, clippy, tests and the kernel checks; --fast leaves the kernel out",
        run: test::run,
    },
    Task { name: "bench", help: "measure side by side: `bench kernel [--rounds N] [--llvm N]`", run: bench },
    Task { name: "kernel", help: "one step of the kernel checks; alone, lists the steps", run: kernel::run },
    Task { name: "install", help: "install every Debian package that the other tasks need", run: apt::run },
];

const BENCHES: &[Task] =
    &[Task { name: "kernel", help: "the link of vmlinux.o against in-process ThinLTO", run: kernel::bench::run }];

fn bench(arguments: &[String]) -> Result<()> {
    dispatch(BENCHES, "cargo xtask bench", arguments)
}

/// Runs the row that the first argument names with the arguments after it.
pub(crate) fn dispatch(table: &[Task], prefix: &str, arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first() else {
        return Err(format!("name a task\n{}", help(table, prefix)));
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", help(table, prefix));
        return Ok(());
    }
    match table.iter().find(|task| task.name == name) {
        Some(task) => (task.run)(rest),
        None => Err(format!("there is no task `{name}`\n{}", help(table, prefix))),
    }
}

fn help(table: &[Task], prefix: &str) -> String {
    table.iter().fold(String::new(), |mut text, task| {
        let _ = writeln!(text, "  {prefix} {:<11}  {}", task.name, task.help);
        text
    })
}

/// Takes `flag` out of `arguments`; says whether it was there.
pub(crate) fn take_flag(arguments: &mut Vec<String>, flag: &str) -> bool {
    let before = arguments.len();
    arguments.retain(|argument| argument != flag);
    arguments.len() != before
}

/// Takes `option VALUE` out of `arguments` and reads the value as a number.
pub(crate) fn take_number(arguments: &mut Vec<String>, option: &str) -> Result<Option<u32>> {
    let Some(position) = arguments.iter().position(|argument| argument == option) else {
        return Ok(None);
    };
    arguments.remove(position);
    if position >= arguments.len() {
        return Err(format!("{option} needs a number"));
    }
    let value = arguments.remove(position);
    value.parse().map(Some).map_err(|_| format!("{option} needs a number, not `{value}`"))
}

/// What is left after the options were taken is a mistake: a misspelt `--fats` must not run for half an hour.
pub(crate) fn reject_rest(arguments: &[String]) -> Result<()> {
    if arguments.is_empty() { Ok(()) } else { Err(format!("unknown argument: {}", arguments.join(" "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn options_are_taken_and_the_rest_is_refused() {
        let mut arguments = line("--llvm 19 --in-process extra");
        assert_eq!(take_number(&mut arguments, "--llvm"), Ok(Some(19)));
        assert!(take_flag(&mut arguments, "--in-process"));
        assert_eq!(reject_rest(&arguments), Err("unknown argument: extra".into()));
    }

    #[test]
    fn a_number_that_is_none_is_named() {
        assert!(take_number(&mut line("--llvm new"), "--llvm").is_err());
        assert!(take_number(&mut line("--llvm"), "--llvm").is_err());
        assert_eq!(take_number(&mut line(""), "--llvm"), Ok(None));
    }

    #[test]
    fn an_unknown_task_lists_the_known_ones() {
        let error = dispatch(TASKS, "cargo xtask", &line("dmeo")).unwrap_err();
        assert!(error.contains("dmeo") && error.contains("cargo xtask demo"));
    }
}
