//! What commands say on the standard output.

use super::tell::warn;
use anstyle::{AnsiColor, Style};
use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use thindist_engine::failure::io;

/// All is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Something is not.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What a paragraph is about.
pub(crate) const EMPHASIS: Style = Style::new().bold();

/// Prints a line on the standard output, as `println!` does; a reader that has gone (`| head`) has seen what it wanted. Styles in it
/// are left out where there are no colours.
macro_rules! say {
    ($($words:tt)*) => {
        $crate::ui::show(format_args!("{}\n", format_args!($($words)*)))
    };
}
pub(crate) use say;

/// The same without the end of the line.
pub(crate) fn show(text: Arguments<'_>) {
    write(&mut anstream::stdout().lock(), text);
}

/// What a script may read: every byte as it stands.
pub(crate) fn print(text: &str) {
    write(&mut std::io::stdout().lock(), format_args!("{text}"));
}

fn write(stdout: &mut impl Write, text: Arguments<'_>) {
    match stdout.write_fmt(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => warn(io("write", "the standard output", &error)),
        _ => {}
    }
}
