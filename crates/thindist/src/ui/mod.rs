//! What people see: lines on the two streams, their colour, the progress line.
//!
//! A linker's lines: `thindist: error: …`. A reader of either stream may go at any time (`| head`): that is no failure, and what it does
//! not read any more is not written. Nothing else in the program writes colours.

mod colour;
mod progress;
mod report;
mod say;
mod tell;
mod usage;

pub(crate) use colour::{Colour, is_coloured};
pub(crate) use report::Streams;
pub(crate) use say::{BAD, EMPHASIS, GOOD, print, say, show};
pub(crate) use usage::{on_one_line, usage};
