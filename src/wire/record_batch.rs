//! The header of a record batch (magic 2, Kafka 0.11): stamped when a batch is sealed, and again
//! whenever its producer id, epoch or sequence changes. The body is never touched.
//!
//! ```text
//!  0 base offset i64 | 8 length i32 | 12 partition leader epoch i32 | 16 magic i8 | 17 CRC u32
//! 21 attributes i16 | 23 last offset delta i32 | 27 base timestamp i64 | 35 max timestamp i64
//! 43 producer id i64 | 51 producer epoch i16 | 53 base sequence i32 | 57 record count i32
//! ```
//! The length counts from the leader epoch, the CRC-32C covers everything from the attributes.
//! Java: `DefaultRecordBatch`.

use super::compression::Codec;

/// The header's size.
pub const HEADER_BYTES: usize = 61;

/// Where the part begins that the length counts.
const LENGTH_COUNTS_FROM: usize = 12;
/// Where the part begins that the CRC covers.
const CRC_COVERS_FROM: usize = 21;

/// By what a broker knows a batch again: whose it is and which one (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The producer id, or -1.
    pub producer_id: i64,
    /// The producer epoch, or -1.
    pub producer_epoch: i16,
    /// The sequence number of the first record, or -1. It wraps from 2³¹-1 to 0.
    pub base_sequence: i32,
}

impl Sequence {
    /// Of a batch without idempotence.
    pub const NONE: Self = Self {
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
    };
}

/// Where the header tells them.
const SEQUENCE_AT: usize = 43;

/// What a header says about its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// How the body is compressed.
    pub codec: Codec,
    /// Records in the body: at least one, at most 2³¹-1.
    pub record_count: u32,
    /// `CreateTime` of the first record, from which the deltas count; milliseconds since the Unix
    /// epoch.
    pub base_timestamp: i64,
    /// The latest `CreateTime`, in milliseconds since the Unix epoch.
    pub max_timestamp: i64,
    /// By what the broker knows it again.
    pub sequence: Sequence,
    /// Whether the batch belongs to a transaction.
    pub is_transactional: bool,
}

/// The header for this body. The offsets count from 0: the broker assigns the real ones.
///
/// # Panics
/// Without a record, with more than 2³¹-1, or when header and body exceed 2 GiB.
#[must_use]
pub fn header(stamp: &Stamp, body: &[u8]) -> [u8; HEADER_BYTES] {
    assert!(
        stamp.record_count > 0,
        "an empty batch is never sent: brokers refuse it"
    );
    let record_count = i32::try_from(stamp.record_count).expect("records are counted in 31 bits");
    let length = i32::try_from(HEADER_BYTES - LENGTH_COUNTS_FROM + body.len())
        .expect("a batch is at most 2 GiB: it is bounded where it is filled");
    let attributes = i16::from(stamp.codec.id()) | i16::from(stamp.is_transactional) << 4;

    let mut header = [0; HEADER_BYTES];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(8, &length.to_be_bytes());
    put(12, &(-1_i32).to_be_bytes()); // The leader's epoch is for brokers (KIP-101).
    put(16, &[2]);
    put(21, &attributes.to_be_bytes());
    put(23, &(record_count - 1).to_be_bytes());
    put(27, &stamp.base_timestamp.to_be_bytes());
    put(35, &stamp.max_timestamp.to_be_bytes());
    put(57, &record_count.to_be_bytes());
    restamp(&mut header, stamp.sequence, body);
    header
}

/// Puts another sequence into the header of this body. Costs the checksum of the whole.
pub fn restamp(header: &mut [u8; HEADER_BYTES], sequence: Sequence, body: &[u8]) {
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(SEQUENCE_AT, &sequence.producer_id.to_be_bytes());
    put(SEQUENCE_AT + 8, &sequence.producer_epoch.to_be_bytes());
    put(SEQUENCE_AT + 10, &sequence.base_sequence.to_be_bytes());
    // In two parts, so that header and body need not lie side by side.
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[CRC_COVERS_FROM..]), body);
    header[17..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        codec: Codec::Lz4,
        record_count: 3,
        base_timestamp: 0x0102_0304_0506_0708,
        max_timestamp: 0x1112_1314_1516_1718,
        sequence: Sequence {
            producer_id: 0x2122_2324_2526_2728,
            producer_epoch: 0x3132,
            base_sequence: 0x4142_4344,
        },
        is_transactional: true,
    };

    #[test]
    fn every_field_lies_at_its_place() {
        let header = header(&STAMP, b"body");
        assert_eq!(header[..8], [0; 8], "base offset");
        assert_eq!(header[8..12], [0, 0, 0, 53], "length");
        assert_eq!(
            header[12..17],
            [0xff, 0xff, 0xff, 0xff, 2],
            "leader epoch, magic"
        );
        assert_eq!(header[21..23], [0, 0b1_0011], "attributes");
        assert_eq!(header[23..27], [0, 0, 0, 2], "last offset delta");
        assert_eq!(header[27..35], [1, 2, 3, 4, 5, 6, 7, 8], "base timestamp");
        assert_eq!(
            header[35..43],
            [0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18]
        );
        assert_eq!(
            header[43..51],
            [0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28]
        );
        assert_eq!(
            header[51..57],
            [0x31, 0x32, 0x41, 0x42, 0x43, 0x44],
            "epoch, sequence"
        );
        assert_eq!(header[57..], [0, 0, 0, 3], "record count");
    }

    #[test]
    fn the_checksum_covers_attributes_to_end() {
        let stamped = header(&STAMP, b"body");
        let whole = [&stamped[21..], b"body"].concat();
        assert_eq!(stamped[17..21], crc32c::crc32c(&whole).to_be_bytes());
        let sequence = Sequence {
            base_sequence: 0,
            ..STAMP.sequence
        };
        let other = header(&Stamp { sequence, ..STAMP }, b"body");
        let mut again = stamped;
        restamp(&mut again, sequence, b"body");
        assert_eq!(again, other);
        assert_ne!(stamped[17..21], other[17..21]);
        assert_ne!(stamped[17..21], header(&STAMP, b"bodY")[17..21]);
    }
}
