//! Which partition a record goes to when the application does not say: all that is pure of it.
//!
//! An application, or a partitioner of its own, can compute with these functions where a key goes
//! in this client and in others. Owns: the hashes, the arithmetic of KIP-369, KIP-480 and KIP-794,
//! and what is remembered of a topic between two choices. Never: leaders, batches; who chooses
//! tells what is available and how loaded it is.

mod hash;
pub(crate) mod loads;
pub(crate) mod spread;

pub use hash::{crc32, fnv1a, murmur2};
pub use loads::{cumulative_weights, weighted_index};
pub use spread::{has_produced_enough, round_robin};

use crate::config::Partitioner;

/// Java's `Utils.toPositive`, which drops the sign; librdkafka does so with murmur2.
const SIGNLESS: u32 = 0x7fff_ffff;

/// The index of the partition, of `partition_count` with or without a leader, that every record
/// with this key goes to; `None` when this partitioner does not place such a record by its key, so
/// that it is spread. A null key is `None`, which is not the empty one.
///
/// `partitioner_ignore_keys` is not looked at: with it no key is. A topic without partitions has no
/// index.
///
/// ```
/// use titorelli::{Partitioner, partitioner::partition_for_key};
///
/// let key = Some(&b"customer-1"[..]);
/// assert_eq!(partition_for_key(Partitioner::Default, key, 100), Some(61));
/// assert_eq!(partition_for_key(Partitioner::Consistent, key, 100), Some(9));
/// assert_eq!(partition_for_key(Partitioner::Default, None, 100), None);
/// assert_eq!(partition_for_key(Partitioner::Consistent, None, 100), Some(0));
/// ```
#[inline]
#[must_use]
pub fn partition_for_key(
    partitioner: Partitioner,
    key: Option<&[u8]>,
    partition_count: usize,
) -> Option<usize> {
    let hash = match partitioner {
        Partitioner::Default
        | Partitioner::Sticky
        | Partitioner::UniformSticky
        | Partitioner::Murmur2Random => murmur2(key?) & SIGNLESS,
        Partitioner::Murmur2 => murmur2(key.unwrap_or_default()) & SIGNLESS,
        Partitioner::Consistent => crc32(key.unwrap_or_default()),
        Partitioner::ConsistentRandom => crc32(key.filter(|key| !key.is_empty())?),
        Partitioner::Fnv1a => fnv1a(key.unwrap_or_default()),
        Partitioner::Fnv1aRandom => fnv1a(key?),
        Partitioner::RoundRobin | Partitioner::Random => return None,
    };
    (hash as usize).checked_rem(partition_count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where null, empty and other keys go in each of the families, by librdkafka's documentation.
    #[test]
    fn null_and_empty_keys_go_where_librdkafka_sends_them() {
        let (null, empty, some) = (None, Some(&b""[..]), Some(&b"key"[..]));
        let placed = |partitioner| {
            [null, empty, some].map(|key| partition_for_key(partitioner, key, 100).is_some())
        };
        for partitioner in Partitioner::ALL {
            let expected = match partitioner {
                Partitioner::Murmur2 | Partitioner::Consistent | Partitioner::Fnv1a => {
                    let (a, b) = (null, empty);
                    let index = |key| partition_for_key(partitioner, key, 100);
                    assert_eq!(index(a), index(b), "{partitioner:?}");
                    [true, true, true]
                }
                Partitioner::ConsistentRandom => [false, false, true],
                Partitioner::RoundRobin | Partitioner::Random => [false, false, false],
                Partitioner::Default
                | Partitioner::Sticky
                | Partitioner::UniformSticky
                | Partitioner::Murmur2Random
                | Partitioner::Fnv1aRandom => [false, true, true],
            };
            assert_eq!(placed(partitioner), expected, "{partitioner:?}");
        }
    }

    #[test]
    fn a_topic_without_partitions_has_no_index() {
        for partitioner in Partitioner::ALL {
            assert_eq!(partition_for_key(partitioner, Some(b"key"), 0), None);
        }
    }
}
