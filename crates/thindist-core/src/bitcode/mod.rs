//! LLVM bitcode: what a module says of itself.

pub mod asm_inputs;
mod asm_lexer;
pub mod bitstream;
pub mod bitstream_writer;
pub mod definitions;
mod guid;
pub mod ir_symbols;
pub mod module;
pub mod module_flags;
pub mod written_by;
