//! One record of a batch (magic 2): the hot path of `send`.
//!
//! ```text
//! length varint | attributes i8 | timestamp delta varlong | offset delta varint
//! | key length varint, key | value length varint, value | header count varint
//! | (name length varint, name, value length varint, value) per header
//! ```
//! Every varint is zigzag; a null key or value has length -1. The length counts what follows it.
//! Java: `DefaultRecord`.

use crate::Header;

/// Length, attributes, timestamp delta, offset delta at their longest (Java: the 21 bytes of
/// `DefaultRecord.MAX_RECORD_OVERHEAD`).
const OVERHEAD_BYTES_MAX: usize = LENGTH_BYTES_MAX + 1 + 10 + 5;
/// The length's varint at its longest; a record has less than 2 GiB.
const LENGTH_BYTES_MAX: usize = 5;
/// Zigzag of -1: the length of null.
const NULL: u64 = 1;
/// All that can come before the first copied field: 21 bytes of overhead, two lengths.
const FRONT_BYTES_MAX: usize = 32;
/// What is copied at once, wherever the front starts. A power of two, so that an index masked with
/// it needs no bounds check.
const FRONT_ROOM: usize = 64;
/// The mask for an index into the front.
const FRONT_MASK: usize = FRONT_ROOM - 1;

/// The front of a record, up to its first copied field.
type Front = [u8; FRONT_ROOM];

/// No less than [`encode`] appends for this record, whatever its deltas; at most 19 bytes more.
///
/// Saturates at `usize::MAX`. Java: `DefaultRecord.recordSizeUpperBound`.
#[must_use]
pub fn encoded_bytes_max(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[Header<'_>],
) -> usize {
    let headers = if headers.is_empty() {
        1
    } else {
        headers_bytes(headers)
    };
    OVERHEAD_BYTES_MAX
        .saturating_add(field_bytes(key))
        .saturating_add(field_bytes(value))
        .saturating_add(headers)
}

/// Appends one record to the body of a batch.
///
/// It copies key, value and headers once, into `out`, and allocates nothing when `out` has room
/// for [`encoded_bytes_max`]. The deltas count from the batch's first record; `timestamp_delta`
/// may be negative. The caller has bounded the record's size (`max.request.size`) below 2 GiB.
#[inline]
pub fn encode(
    out: &mut Vec<u8>,
    offset_delta: u32,
    timestamp_delta: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[Header<'_>],
) {
    debug_assert!(
        i32::try_from(encoded_bytes_max(key, value, headers)).is_ok(),
        "a record has less than 2 GiB"
    );
    // The length's varint goes in front of the others, once its own size is known.
    let mut front: Front = [0; FRONT_ROOM];
    let attributes_at = LENGTH_BYTES_MAX; // attributes are 0: the format uses none of them
    let mut at = put(&mut front, attributes_at + 1, zigzag(timestamp_delta));
    at = put(&mut front, at, u64::from(offset_delta) << 1);
    let value_length = value.map_or(NULL, length);
    let value_bytes = value.unwrap_or_default();
    let headers_bytes = if headers.is_empty() {
        1
    } else {
        headers_bytes(headers)
    };
    let tail_bytes = value_bytes.len() + headers_bytes;
    if let Some(key) = key {
        at = put(&mut front, at, length(key));
        let after_front = key.len() + varint_bytes(value_length) + tail_bytes;
        append_front(out, &mut front, at, after_front);
        out.extend_from_slice(key);
        append_varint(out, value_length);
    } else {
        at = put(&mut front, at, NULL);
        at = put(&mut front, at, value_length);
        append_front(out, &mut front, at, tail_bytes);
    }
    out.extend_from_slice(value_bytes);
    if headers.is_empty() {
        out.push(0);
    } else {
        append_headers(out, headers);
    }
}

/// Appends the front, which ends before `end`, behind the length of the record.
#[inline]
fn append_front(out: &mut Vec<u8>, front: &mut Front, end: usize, after_front: usize) {
    let record_length = ((end - LENGTH_BYTES_MAX + after_front) as u64) << 1;
    let start = LENGTH_BYTES_MAX.saturating_sub(varint_bytes(record_length));
    put(front, start, record_length);
    if out.capacity() - out.len() >= FRONT_BYTES_MAX {
        // A copy of constant size is a few moves instead of a call; what is too much goes again.
        let filled = out.len() + (end - start);
        out.extend_from_slice(&front[start..start + FRONT_BYTES_MAX]);
        out.truncate(filled);
    } else {
        out.extend_from_slice(&front[start..end]);
    }
}

#[cold]
#[inline(never)]
fn append_headers(out: &mut Vec<u8>, headers: &[Header<'_>]) {
    append_varint(out, (headers.len() as u64) << 1);
    for header in headers {
        append_varint(out, length(header.name.as_bytes()));
        out.extend_from_slice(header.name.as_bytes());
        append_varint(out, header.value.map_or(NULL, length));
        out.extend_from_slice(header.value.unwrap_or_default());
    }
}

/// What [`append_headers`] appends; saturates.
fn headers_bytes(headers: &[Header<'_>]) -> usize {
    headers.iter().fold(
        varint_bytes((headers.len() as u64) << 1),
        |bytes, header| {
            bytes
                .saturating_add(field_bytes(Some(header.name.as_bytes())))
                .saturating_add(field_bytes(header.value))
        },
    )
}

/// A field's length and content.
#[inline]
fn field_bytes(field: Option<&[u8]>) -> usize {
    match field {
        None => 1,
        Some(field) => field.len().saturating_add(varint_bytes(length(field))),
    }
}

/// The zigzag of a field's length, which is never negative.
#[inline]
fn length(field: &[u8]) -> u64 {
    (field.len() as u64) << 1
}

#[inline]
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The size of the varint: one byte for every 7 bits.
#[inline]
fn varint_bytes(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Writes the varint into the front and answers the place behind it.
#[inline]
fn put(front: &mut Front, mut at: usize, mut value: u64) -> usize {
    while value >= 0x80 {
        front[at & FRONT_MASK] = (value & 0x7f) as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    front[at & FRONT_MASK] = (value & 0x7f) as u8;
    at + 1
}

fn append_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(
        deltas: (u32, i64),
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Vec<u8> {
        let mut exact = Vec::new();
        encode(&mut exact, deltas.0, deltas.1, key, value, headers);
        let bound = encoded_bytes_max(key, value, headers);
        assert!(
            (exact.len()..=exact.len() + 19).contains(&bound),
            "{bound} {}",
            exact.len()
        );
        let mut roomy = Vec::with_capacity(bound + FRONT_BYTES_MAX);
        encode(&mut roomy, deltas.0, deltas.1, key, value, headers);
        assert_eq!(roomy, exact, "both ways to append the front agree");
        exact
    }

    #[test]
    fn a_record_is_laid_out_as_the_format_says() {
        assert_eq!(encoded((0, 0), None, None, &[]), [12, 0, 0, 0, 1, 1, 0]);
        assert_eq!(
            encoded((0, 0), Some(b""), Some(b""), &[]),
            [12, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(
            encoded((1, -1), Some(b"k"), Some(b"vw"), &[]),
            [18, 0, 1, 2, 2, b'k', 4, b'v', b'w', 0]
        );
        let headers = [
            Header {
                name: "h",
                value: Some(b"x"),
            },
            Header {
                name: "h",
                value: None,
            },
        ];
        assert_eq!(
            encoded((0, 0), None, Some(b"v"), &headers),
            [28, 0, 0, 0, 1, 2, b'v', 4, 2, b'h', 2, b'x', 2, b'h', 1]
        );
    }

    #[test]
    fn the_extremes_fit_the_front() {
        let (key, value) = (vec![7; 1 << 20], vec![8; 1 << 20]);
        for timestamp_delta in [i64::MIN, i64::MAX] {
            let both = encoded(
                (u32::MAX >> 1, timestamp_delta),
                Some(&key),
                Some(&value),
                &[],
            );
            assert_eq!(
                both.len(),
                4 + 1 + 10 + 5 + 4 + key.len() + 4 + value.len() + 1
            );
            let null = encoded((u32::MAX, timestamp_delta), None, None, &[]);
            assert_eq!(null.len(), 1 + 1 + 10 + 5 + 1 + 1 + 1);
        }
    }

    #[test]
    fn a_length_grows_a_byte_with_every_seven_bits() {
        for (length, bytes) in [(63, 1), (64, 2), (8_191, 2), (8_192, 3), (1 << 20, 4)] {
            assert_eq!(varint_bytes(length << 1), bytes, "{length}");
        }
        assert_eq!((varint_bytes(0), varint_bytes(u64::MAX)), (1, 10));
    }

    #[test]
    fn room_for_the_bound_is_never_grown() {
        for value in [None, Some(&[1; 100][..])] {
            let mut out = Vec::with_capacity(encoded_bytes_max(None, value, &[]));
            let room = out.capacity();
            encode(&mut out, 0, 0, None, value, &[]);
            assert_eq!(out.capacity(), room);
        }
    }
}
