//! Record batches of magic 2: the header and the walk over its records.
//!
//! ```text
//!  0 baseOffset i64     8 batchLength i32   12 partitionLeaderEpoch i32  16 magic i8
//! 17 crc u32 (CRC-32C of everything from 21 on)                          21 attributes i16
//! 23 lastOffsetDelta i32   27 baseTimestamp i64   35 maxTimestamp i64    43 producerId i64
//! 51 producerEpoch i16     53 baseSequence i32    57 count i32           61 records
//! ```

use bytes::Bytes;

use super::{Codec, Malformed, Reader};

/// Bytes before the first record.
pub const BATCH_HEADER_BYTES: usize = 61;
/// Bytes of `baseOffset` and `batchLength`, which the length does not count.
const LOG_OVERHEAD_BYTES: usize = 12;
/// Bytes up to and with the magic: as many must be there before a batch is looked at.
const UP_TO_MAGIC_BYTES: usize = 17;
/// The smallest length that any message format of Kafka has had.
const LENGTH_MIN: i32 = 14;
/// Where the bytes under the checksum begin.
const CRC_START: usize = 21;

/// The header of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// What the producer wrote; must be 0.
    pub base_offset: i64,
    /// What the producer wrote; ignored by brokers.
    pub partition_leader_epoch: i32,
    /// The message format.
    pub magic: u8,
    /// Whether checksum and length are right; the fields below mean nothing otherwise.
    pub is_intact: bool,
    /// Codec, timestamp type, transactional and control bits.
    pub attributes: i16,
    /// The offset of the last record, relative to the first.
    pub last_offset_delta: i32,
    /// The timestamp that the records' deltas refer to, in milliseconds.
    pub base_timestamp_ms: i64,
    /// The greatest timestamp, in milliseconds.
    pub max_timestamp_ms: i64,
    /// The producer id, or −1.
    pub producer_id: i64,
    /// The producer epoch, or −1.
    pub producer_epoch: i16,
    /// The sequence number of the first record, or −1.
    pub base_sequence: i32,
    /// The number of records as announced.
    pub record_count: i32,
    /// The records section, still compressed.
    pub records: Bytes,
    /// The whole batch, in bytes.
    pub size_bytes: usize,
}

impl BatchHeader {
    /// The codec; `None` for an unassigned id.
    #[must_use]
    pub const fn codec(&self) -> Option<Codec> {
        Codec::from_attributes(self.attributes)
    }

    /// Attribute bit 3: the timestamps are those of the log.
    #[must_use]
    pub const fn is_stamped(&self) -> bool {
        self.attributes & 0x08 != 0
    }

    /// Attribute bit 4.
    #[must_use]
    pub const fn is_transactional(&self) -> bool {
        self.attributes & 0x10 != 0
    }

    /// Attribute bit 5.
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.attributes & 0x20 != 0
    }
}

/// The first batch of `bytes` and what follows it. `Ok(None)`: no whole batch is there, as a
/// broker's iterator sees it (it drops a batch that is cut).
///
/// # Errors
/// A length or magic that no message format has had.
pub fn first_batch(bytes: &Bytes) -> Result<Option<(BatchHeader, Bytes)>, Malformed> {
    if bytes.len() < LOG_OVERHEAD_BYTES {
        return Ok(None);
    }
    let mut reader = Reader::new(bytes);
    let base_offset = reader.i64()?;
    let length = reader.i32()?;
    if length < LENGTH_MIN {
        return Err(Malformed("record size below the minimum record overhead"));
    }
    if bytes.len() < UP_TO_MAGIC_BYTES {
        return Ok(None);
    }
    let partition_leader_epoch = reader.i32()?;
    let magic = reader.u8()?;
    if magic > 2 {
        return Err(Malformed("invalid magic found in record"));
    }
    let size_bytes = usize::try_from(length).expect("at least 14") + LOG_OVERHEAD_BYTES;
    if bytes.len() < size_bytes {
        return Ok(None);
    }
    let batch = bytes.slice(..size_bytes);
    let rest = bytes.slice(size_bytes..);
    let mut header = BatchHeader {
        base_offset,
        partition_leader_epoch,
        magic,
        is_intact: false,
        attributes: 0,
        last_offset_delta: 0,
        base_timestamp_ms: 0,
        max_timestamp_ms: 0,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: 0,
        records: Bytes::new(),
        size_bytes,
    };
    if magic == 2 && size_bytes >= BATCH_HEADER_BYTES {
        fill(&mut header, &batch)?;
    }
    Ok(Some((header, rest)))
}

/// Reads the fields from the checksum on.
fn fill(header: &mut BatchHeader, batch: &Bytes) -> Result<(), Malformed> {
    let mut reader = Reader::new(&batch[UP_TO_MAGIC_BYTES..]);
    let crc = reader.u32()?;
    header.is_intact = crc32c::crc32c(&batch[CRC_START..]) == crc;
    header.attributes = reader.i16()?;
    header.last_offset_delta = reader.i32()?;
    header.base_timestamp_ms = reader.i64()?;
    header.max_timestamp_ms = reader.i64()?;
    header.producer_id = reader.i64()?;
    header.producer_epoch = reader.i16()?;
    header.base_sequence = reader.i32()?;
    header.record_count = reader.i32()?;
    header.records = batch.slice(BATCH_HEADER_BYTES..);
    Ok(())
}

/// One record, borrowed from the plain records section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// Milliseconds after the batch's base timestamp.
    pub timestamp_delta_ms: i64,
    /// The offset relative to the batch's.
    pub offset_delta: i32,
    /// The key, or null.
    pub key: Option<&'a [u8]>,
    /// The value, or null.
    pub value: Option<&'a [u8]>,
    /// The headers' encoded bytes, already checked; see [`RecordView::headers`].
    headers: &'a [u8],
    /// How many headers.
    header_count: usize,
}

impl<'a> RecordView<'a> {
    /// The headers in order: name and value, which may be null.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut reader = Reader::new(self.headers);
        (0..self.header_count).map(move |_| header(&mut reader).expect("checked by the walk"))
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let length = usize::try_from(reader.varint()?).map_err(|_| Malformed("record length"))?;
        let mut body = Reader::new(reader.take(length)?);
        // The attributes of a record are unused; brokers do not look at them.
        body.u8()?;
        let timestamp_delta_ms = body.varlong()?;
        let offset_delta = body.varint()?;
        let key = field(&mut body)?;
        let value = field(&mut body)?;
        let header_count = body.varint()?;
        let header_count =
            usize::try_from(header_count).map_err(|_| Malformed("negative header count"))?;
        let headers = body.rest();
        if header_count > headers.len() / 2 {
            return Err(Malformed("more headers than bytes"));
        }
        for _ in 0..header_count {
            header(&mut body)?;
        }
        if !body.is_empty() {
            return Err(Malformed("bytes after the last header"));
        }
        Ok(Self {
            timestamp_delta_ms,
            offset_delta,
            key,
            value,
            headers,
            header_count,
        })
    }
}

/// A length and as many bytes; −1 is null.
fn field<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Malformed> {
    let length = reader.varint()?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| Malformed("negative field length"))?;
    reader.take(length).map(Some)
}

fn header<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], Option<&'a [u8]>), Malformed> {
    let name = field(reader)?.ok_or(Malformed("null header name"))?;
    if core::str::from_utf8(name).is_err() {
        return Err(Malformed("header name is not UTF-8"));
    }
    Ok((name, field(reader)?))
}

/// Calls `each` for every record of a plain records section, in order.
///
/// # Errors
/// Fewer or more records than `count`, or a record that does not fill its own length.
pub fn walk_records<'a>(
    plain: &'a [u8],
    count: i32,
    mut each: impl FnMut(RecordView<'a>),
) -> Result<(), Malformed> {
    let mut reader = Reader::new(plain);
    for _ in 0..count {
        each(RecordView::decode(&mut reader)?);
    }
    if reader.is_empty() {
        Ok(())
    } else {
        Err(Malformed("bytes after the last record"))
    }
}
