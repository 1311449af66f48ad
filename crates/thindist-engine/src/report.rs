//! What a link says while it runs. Who hears it decides what becomes of it; without anybody nothing is printed.

use std::fmt::Display;
use std::sync::OnceLock;

/// Hears what a link says.
pub trait Report: Sync {
    /// What was asked for is not done, or not as it was asked for.
    fn warning(&self, text: &str);
    /// Why the run fails.
    fn error(&self, text: &str);
    /// What to do about an error.
    fn hint(&self, text: &str);
    /// Something worth knowing.
    fn note(&self, text: &str);
    /// A line of a tool's, as it stands.
    fn tell(&self, line: &str);
    /// How far the backends are, in one line that takes the place of the last one; `None` takes it away.
    fn progress(&self, line: Option<&str>);
    /// Whether [`Report::progress`] is of use.
    fn shows_progress(&self) -> bool;
}

static REPORT: OnceLock<&'static dyn Report> = OnceLock::new();

/// Has `report` hear all that this process's links say from here on. The first one stays.
pub fn listen(report: &'static dyn Report) {
    let _ = REPORT.set(report);
}

fn report(say: impl FnOnce(&dyn Report)) {
    if let Some(report) = REPORT.get() {
        say(*report);
    }
}

pub(crate) fn warning(text: impl Display) {
    report(|report| report.warning(&text.to_string()));
}

pub(crate) fn error(text: impl Display) {
    report(|report| report.error(&text.to_string()));
}

pub(crate) fn hint(text: impl Display) {
    report(|report| report.hint(&text.to_string()));
}

pub(crate) fn note(text: impl Display) {
    report(|report| report.note(&text.to_string()));
}

pub(crate) fn tell(line: impl Display) {
    report(|report| report.tell(&line.to_string()));
}

pub(crate) fn progress(line: Option<&str>) {
    report(|report| report.progress(line));
}

pub(crate) fn shows_progress() -> bool {
    REPORT.get().is_some_and(|report| report.shows_progress())
}
