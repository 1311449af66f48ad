//! zstd, if an engine offers it.

use std::io::{self, Read};

/// The fastest: objects and bitcode shrink to half, and the network is not to wait for more.
const LEVEL: i32 = 1;

pub(super) fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    zstd::bulk::compress(bytes, LEVEL).ok()
}

/// `size` bytes and not one more, whatever the compressed ones would become.
pub(super) fn decompress(bytes: &[u8], size: u64) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(bytes).ok()?;
    decoder.take(size + 1).read_to_end(&mut content).ok()?;
    (content.len() as u64 == size).then_some(content)
}

/// All that `reader` gives, compressed.
pub(super) fn compressing(reader: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    Ok(Box::new(zstd::stream::read::Encoder::new(reader, LEVEL)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_larger_than_it_says_is_not_unpacked() {
        let packed = compress(&[7; 1 << 20]).unwrap();
        assert_eq!(decompress(&packed, 1 << 20), Some(vec![7; 1 << 20]));
        assert_eq!(decompress(&packed, 100), None);
        assert_eq!(decompress(&packed, 2 << 20), None);
        assert_eq!(decompress(b"no zstd", 7), None);
    }
}
