//! The head of the files that one step writes for another: their schema, and the version of thindist that wrote them.
//!
//! They are JSON objects that begin with `schema` and `thindist`. It does not know what else is in them.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A file that another program wrote.
#[derive(Debug, thiserror::Error)]
#[error("it was written by thindist {theirs} (schema {schema}); this is {ours} (schema {expected})")]
pub struct OtherWriter {
    /// The writer's version.
    pub theirs: String,
    /// Ours.
    pub ours: String,
    /// The writer's schema.
    pub schema: u32,
    /// Ours.
    pub expected: u32,
}

#[derive(Deserialize)]
struct Head {
    schema: u32,
    thindist: String,
}

/// Reads a file that this `version` wrote with schema `expected`.
pub(crate) fn read<T, E>(bytes: &[u8], expected: u32, version: &str) -> Result<T, E>
where
    T: DeserializeOwned,
    E: From<serde_json::Error> + From<OtherWriter>,
{
    // The head first: what another version wrote may lack a key or have one more.
    let Head { schema, thindist } = serde_json::from_slice(bytes)?;
    if schema != expected || thindist != version {
        return Err(OtherWriter { theirs: thindist, ours: version.to_owned(), schema, expected }.into());
    }
    Ok(serde_json::from_slice(bytes)?)
}
