//! The differences as text, one a line, or as JSON. Both are sorted and stable: scripts read them.
//!
//! Text: what became of it, what it is, the object, the source file that it is local to, the name, the causes, with tabs
//! between; a dash for what there is not. JSON: `schema`, `objects`, `definitions` (counts), and `differences`, each with
//! `status`, `kind`, `object`, `file`, `name`, `causes`.

use super::compare::{Difference, Status};
use super::image::Kind;
use crate::ui;
use clap::ValueEnum;
use serde::Serialize;
use thindist_engine::failure::{Failure, Result};

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum Format {
    /// A line each, with tabs between its fields
    #[default]
    Text,
    /// One object
    Json,
}

/// All that differs.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Objects compared.
    pub(super) objects: usize,
    /// Definitions in those that are not equal as files.
    pub(super) definitions: usize,
    pub(super) lines: Vec<Line>,
}

#[derive(Debug)]
pub(super) struct Line {
    /// The object's name below the directory; nothing, if two objects were named.
    pub(super) object: String,
    pub(super) difference: Difference,
    pub(super) causes: Vec<String>,
}

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    objects: usize,
    definitions: usize,
    differences: Vec<JsonLine<'a>>,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    status: &'static str,
    kind: &'static str,
    object: &'a str,
    file: &'a str,
    name: &'a str,
    causes: &'a [String],
}

impl Report {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn print(&self, format: Format) -> Result<()> {
        let text = match format {
            Format::Text => self.lines.iter().map(Line::text).collect::<String>(),
            Format::Json => self.json()?,
        };
        ui::print(&text);
        Ok(())
    }

    fn json(&self) -> Result<String> {
        let differences = self.lines.iter().map(Line::json).collect();
        let json = Json { schema: 1, objects: self.objects, definitions: self.definitions, differences };
        serde_json::to_string(&json).map(|text| text + "\n").map_err(Failure::of)
    }
}

impl Line {
    fn json(&self) -> JsonLine<'_> {
        let Difference { kind, file, name, status } = &self.difference;
        let (status, kind) = (status_word(*status), kind_word(*kind));
        JsonLine { status, kind, object: &self.object, file, name, causes: &self.causes }
    }

    fn text(&self) -> String {
        let line = self.json();
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let words = [or_dash(line.object), or_dash(line.file), line.name.to_owned(), line.causes.join(", ")];
        format!("{}\t{}\t{}\n", line.status, line.kind, words.join("\t"))
    }
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Added => "added",
        Status::Changed => "changed",
        Status::Removed => "removed",
        Status::Renamed => "renamed",
    }
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Function => "function",
        Kind::Variable => "variable",
        Kind::Section => "section",
    }
}
