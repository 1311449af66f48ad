//! The progress line: only on a terminal that can be redrawn in place, cut to its width, gone at the end.

use rustix::termios::tcgetwinsize;
use std::io::{IsTerminal as _, Write as _};

/// Draws the line in the place of the last one, or takes that away.
pub(super) fn draw(line: Option<&str>) {
    let line = line.map_or("", |line| cut(line, columns()));
    // A terminal that has gone is no reason to fail a link.
    let _ = std::io::stderr().write_all(format!("\r{line}\x1b[K").as_bytes());
}

/// A terminal that takes the two commands by which the line is redrawn.
pub(super) fn is_redrawn() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|terminal| terminal != "dumb")
}

/// The terminal's width now: people resize it.
fn columns() -> usize {
    match tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => usize::MAX,
    }
}

/// What fits: a line that wraps would be redrawn one line further down each time. The last column stays free, after which some
/// terminals wrap.
fn cut(line: &str, columns: usize) -> &str {
    let end = line.char_indices().nth(columns.saturating_sub(1)).map_or(line.len(), |(end, _)| end);
    line.get(..end).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_gets_what_fits() {
        assert_eq!(cut("[2/4] 1 running, 2 hits", 20), "[2/4] 1 running, 2 ");
        assert_eq!(cut("[2/4]", 20), "[2/4]");
        assert_eq!(cut("[2/4]", 0), "");
    }
}
