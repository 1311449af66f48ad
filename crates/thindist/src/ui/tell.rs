//! What is told on the standard error: a line each, in one write, as links side by side share a terminal.

use anstyle::{AnsiColor, Style};
use std::fmt::{Arguments, Display};
use std::io::Write;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Magenta.on_default().bold();
const NOTE: Style = Style::new().bold();

pub(crate) fn error(what: impl Display) {
    labelled("error", ERROR, what);
}

pub(crate) fn warn(what: impl Display) {
    labelled("warning", WARNING, what);
}

pub(crate) fn hint(what: impl Display) {
    labelled("hint", NOTE, what);
}

pub(crate) fn note(what: impl Display) {
    labelled("note", NOTE, what);
}

/// A line as it stands, such as a tool's: what colours it has are the tool's and its user's.
pub(crate) fn tell(line: impl Display) {
    write(&mut std::io::stderr().lock(), format_args!("{line}\n"));
}

fn labelled(label: &str, style: Style, what: impl Display) {
    write(&mut anstream::stderr().lock(), format_args!("thindist: {style}{label}:{style:#} {what}\n"));
}

fn write(stderr: &mut impl Write, line: Arguments<'_>) {
    // If nobody listens, there is nobody to be told.
    let _ = stderr.write_all(line.to_string().as_bytes());
}
