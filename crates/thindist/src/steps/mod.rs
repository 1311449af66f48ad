//! The commands that are steps of another build system's build: what their lines say, for the engine.

mod backend;
mod cc;
mod emit;
mod final_link;
mod thin_link;

pub(crate) use backend::{Options as BackendOptions, run as backend};
pub(crate) use cc::{Options as CcOptions, run as cc};
pub(crate) use emit::{Options as EmitOptions, run as emit};
pub(crate) use final_link::{Options as FinalLinkOptions, run as final_link};
pub(crate) use thin_link::{Options as ThinLinkOptions, run as thin_link};

/// What takes the place of `.o` in the name of the bitcode, in the name of its object, if nobody says otherwise.
const NATIVE_SUFFIX: &str = thindist_engine::steps::NATIVE_SUFFIX;
