//! Output of commands on stdout, whose reader may have closed the pipe.

use crate::failure::io;
use std::io::Write as _;

/// Prints a line on the standard output, as `println!` does; a reader that has gone (`| head`) has seen what it wanted.
macro_rules! say {
    ($($words:tt)*) => {
        $crate::say::print(format_args!("{}\n", format_args!($($words)*)))
    };
}
pub(crate) use say;

/// The same without the end of the line.
pub(crate) fn print(text: std::fmt::Arguments<'_>) {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_fmt(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            io("write", "the standard output", &error).warn();
        }
        _ => {}
    }
}
