//! Tests that need real LLVM tools of each supported version.

// `cfg(test)` holds for this whole program; it tells clippy that helpers are tests as well.
#[cfg(test)]
mod archive;
#[cfg(test)]
mod bitcode;
#[cfg(test)]
mod import_facts;
#[cfg(test)]
mod ir_symbols;
#[cfg(test)]
mod rename;
#[cfg(test)]
mod tools;
