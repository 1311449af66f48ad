//! A row of a table of tasks, and how a line of arguments finds its row.

use std::fmt::Write as _;

use crate::Result;

/// One row: what to type, what it does, and the function that does it.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) run: fn(&[String]) -> Result<()>,
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
