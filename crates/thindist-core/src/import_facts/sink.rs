//! The buffer for a description before it is hashed. Each piece is preceded by its kind or length, so that two
//! descriptions are equal only if their pieces are.

use sha2::{Digest as _, Sha256};

/// The hash of one description. Wide enough to stand for what it describes.
pub(super) type Id = [u8; 32];

/// A description in the making.
#[derive(Debug, Default, Clone)]
pub(super) struct Sink(Vec<u8>);

impl Sink {
    /// A description of this kind of thing.
    pub(super) fn of(kind: u8) -> Self {
        Self(vec![kind])
    }

    pub(super) fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    /// In chunks of seven bits, as most numbers are small.
    pub(super) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push((value & 0x7f) as u8);
    }

    pub(super) fn numbers(&mut self, values: &[u64]) {
        self.number(values.len() as u64);
        for value in values {
            self.number(*value);
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn id(&mut self, id: &Id) {
        self.0.extend_from_slice(id);
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    pub(super) fn finish(&self) -> Id {
        Sha256::digest(&self.0).into()
    }
}
