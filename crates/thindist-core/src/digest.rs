//! Content identity: a SHA-256 hash together with a size, as the Remote Execution API has it.

use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// The SHA-256 hash and the size in bytes of one blob.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    hash: [u8; 32],
    size: u64,
}

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// A digest put together from its parts, for example from an `ActionResult`.
    #[must_use]
    pub fn from_parts(hash: [u8; 32], size: u64) -> Self {
        Self { hash, size }
    }

    /// The hash alone: 32 bytes.
    #[must_use]
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The blob's size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hash as 64 lower-case hexadecimal digits, the name of the blob in a store.
    #[must_use]
    pub fn hex(&self) -> String {
        let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
        // One allocation: a link names thousands of blobs.
        let mut text = String::with_capacity(2 * self.hash.len());
        self.hash.iter().for_each(|byte| text.extend([digit(byte >> 4), digit(byte & 15)]));
        text
    }
}

/// Digests content that does not fit into one slice.
#[derive(Default)]
pub struct Hasher {
    sha: Sha256,
    size: u64,
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({} bytes)", self.size)
    }
}

impl Hasher {
    /// Adds `bytes` to the content.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Adds the length of `bytes` and them: so many parts are never another list of parts.
    pub fn part(&mut self, bytes: &[u8]) {
        self.update(&(bytes.len() as u64).to_le_bytes());
        self.update(bytes);
    }

    /// The digest of all that was added.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest { hash: self.sha.finalize().into(), size: self.size }
    }
}

/// `hex/size`, the spelling of resource names in the Remote Execution API.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.hex(), self.size)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// As text, `hex/size`.
impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Text that is not `hex/size`.
#[derive(Debug, thiserror::Error)]
#[error("not a digest (64 hexadecimal digits, a slash, a size): {0}")]
pub struct ParseDigestError(String);

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let parse = || {
            let (hex, size) = text.split_once('/')?;
            Some(Self { hash: parse_hash(hex)?, size: size.parse().ok()? })
        };
        parse().ok_or_else(|| ParseDigestError(text.to_owned()))
    }
}

/// Reads 64 lower-case hexadecimal digits; `None` for anything else.
#[must_use]
pub fn parse_hash(hex: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut hash = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (place, pair) in hash.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *place = digit(high)? << 4 | digit(low)?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_nothing_is_sha256_of_nothing() {
        let empty = Digest::of(b"");
        assert_eq!(empty.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(empty.size(), 0);
    }

    #[test]
    fn text_form_is_read_back() {
        let digest = Digest::of(b"thin");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert!("xyz/3".parse::<Digest>().is_err());
        assert!(digest.hex().parse::<Digest>().is_err());
    }
}
