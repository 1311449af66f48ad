//! Writes the content of one bitstream block as unabbreviated records.
//!
//! Abbreviations would make it smaller and nothing else; what is written here is a few module names in an index.

use crate::bitstream::abbreviation_id;

/// The content of one block, between its length word and the next block.
#[derive(Debug)]
pub struct BlockWriter {
    bytes: Vec<u8>,
    /// Bits not yet in `bytes`, the oldest one lowest; fewer than eight between calls.
    pending: u64,
    pending_bits: u32,
    width: u32,
}

impl BlockWriter {
    /// A block whose abbreviation ids are `width` bits wide, as its head says.
    #[must_use]
    pub fn new(width: u32) -> Self {
        Self { bytes: Vec::new(), pending: 0, pending_bits: 0, width }
    }

    /// Adds one record.
    pub fn record(&mut self, code: u64, values: impl ExactSizeIterator<Item = u64>) {
        self.bits(abbreviation_id::UNABBREV_RECORD, self.width);
        self.vbr6(code);
        self.vbr6(values.len() as u64);
        for value in values {
            self.vbr6(value);
        }
    }

    /// Ends the block; the result is a multiple of 32 bits long.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.bits(abbreviation_id::END_BLOCK, self.width);
        self.bits(0, (8 - self.pending_bits) % 8);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.bytes
    }

    fn bits(&mut self, value: u64, width: u32) {
        self.pending |= value << self.pending_bits;
        self.pending_bits += width;
        while self.pending_bits >= 8 {
            let [low, ..] = self.pending.to_le_bytes();
            self.bytes.push(low);
            self.pending >>= 8;
            self.pending_bits -= 8;
        }
    }

    fn vbr6(&mut self, mut value: u64) {
        while value >= 32 {
            self.bits(value & 31 | 32, 6);
            value >>= 5;
        }
        self.bits(value, 6);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitstream::{Block, BlockInfo, Item, MAGIC, Record};

    #[test]
    fn what_is_written_is_read_back() {
        let records = [(1, vec![0, 31, 32, 0xffff_ffff, u64::MAX]), (2, vec![]), (1_000_000, vec![7; 100])];
        let mut writer = BlockWriter::new(3);
        for (code, values) in &records {
            writer.record(*code, values.iter().copied());
        }
        let content = writer.finish();
        // ENTER_SUBBLOCK in two bits, id 8 in eight, width 3 in four, then the length.
        let head = (1_u32 | 8 << 2 | 3 << 10).to_le_bytes();
        let words = u32::try_from(content.len() / 4).unwrap().to_le_bytes();
        let stream = [&MAGIC[..], &head, &words, &content].concat();

        let (mut info, mut record) = (BlockInfo::default(), Record::default());
        let mut top = Block::top_level(&stream);
        let Item::Block(extent) = top.next(&mut info, &mut record).unwrap() else { panic!("no block") };
        assert_eq!((extent.id, extent.width, extent.end), (8, 3, stream.len()));
        let mut block = top.enter(extent, &info);
        for (code, values) in &records {
            assert_eq!(block.next(&mut info, &mut record).unwrap(), Item::Record);
            assert_eq!((record.code, &record.values), (*code, values));
        }
        assert_eq!(block.next(&mut info, &mut record).unwrap(), Item::End);
    }
}
