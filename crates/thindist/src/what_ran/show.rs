//! The actions of a link as a table.

use thindist_engine::what_ran::{Action, From, Ran};

const HEADING: [&str; 9] = ["where", "queue", "fetch", "execute", "upload", "up", "down", "key", "module"];
/// Enough of a key to name it.
const KEY: usize = 12;

pub(super) fn table(ran: &Ran) -> String {
    let rows: Vec<[String; 9]> =
        std::iter::once(HEADING.map(str::to_owned)).chain(ran.actions.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row.get(column).map_or(0, |cell| cell.chars().count())).max();
    let widths: Vec<usize> = (0..HEADING.len()).map(|column| width(column).unwrap_or(0)).collect();
    let lines = rows.iter().map(|row| line(row, &widths));
    let how = if ran.link.way.is_empty() { String::new() } else { format!(", {}: {}", ran.link.way, ran.link.why) };
    format!("{} in {}{how}\n{}", ran.link.output, ran.link.directory.display(), lines.collect::<String>())
}

fn line(row: &[String; 9], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
        0 | 7 => format!("{cell:<width$}"),
        8 => cell.clone(),
        _ => format!("{cell:>width$}"),
    });
    cells.collect::<Vec<_>>().join("  ") + "\n"
}

fn row(action: &Action) -> [String; 9] {
    let took = &action.took;
    [
        place(action),
        seconds(took.queue_ms),
        seconds(took.fetch_ms),
        seconds(took.execute_ms),
        seconds(took.upload_ms),
        bytes(took.bytes_up),
        bytes(took.bytes_down),
        action.key.get(..KEY).unwrap_or(&action.key).to_owned(),
        action.module.clone(),
    ]
}

fn place(action: &Action) -> String {
    match action.from {
        From::Executed => "here".to_owned(),
        From::LocalCache => "local cache".to_owned(),
        From::RemoteCache => "remote cache".to_owned(),
        From::RemoteExecuted => {
            format!("remote {}", action.took.worker.as_deref().unwrap_or_default()).trim().to_owned()
        }
        From::Failed => "failed".to_owned(),
        From::NotRun => "not run".to_owned(),
    }
}

fn seconds(ms: Option<u64>) -> String {
    ms.map_or_else(|| "-".to_owned(), |ms| format!("{}.{:03}", ms / 1000, ms % 1000))
}

fn bytes(count: u64) -> String {
    if count == 0 { "-".to_owned() } else { count.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thindist_engine::what_ran::{Link, Took};

    #[test]
    fn what_nobody_told_is_a_dash() {
        let link = Link {
            schema: 1,
            output: "a.out".to_owned(),
            directory: "/d".into(),
            words: Vec::new(),
            settings: std::collections::BTreeMap::new(),
            way: "in-process".into(),
            why: "few modules have changed".into(),
        };
        let took = Took { worker: Some("w7".to_owned()), execute_ms: Some(1234), bytes_up: 5, ..Took::default() };
        let key = "0123456789abcdef".to_owned();
        let action = Action { module: "a.o".to_owned(), key, from: From::RemoteExecuted, took };
        let expect = "\
a.out in /d, in-process: few modules have changed
where      queue  fetch  execute  upload  up  down  key           module
remote w7      -      -    1.234       -   5     -  0123456789ab  a.o
";
        assert_eq!(table(&Ran { link, actions: vec![action] }), expect);
    }
}
