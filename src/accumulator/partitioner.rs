//! Which partition a record goes to when the application does not say.

/// Kafka's murmur2 (Java `Utils.murmur2`): the hash that keys are partitioned by.
#[must_use]
pub fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    // Java's lengths are 32-bit; a longer key cannot exist there.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "keys are shorter than 4 GiB"
    )]
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    for (place, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * place);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The index of the partition, of `partition_count`, that records with this key go to: the same
/// as the Java producer's. The count is of all partitions, with or without a leader.
pub(crate) fn for_key(key: &[u8], partition_count: usize) -> usize {
    let hash = (murmur2(key) & 0x7fff_ffff) as usize;
    hash % partition_count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of the Java client's own test (`UtilsTest.testMurmur2`).
    #[test]
    fn murmur2_is_javas() {
        for (text, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
        assert_eq!(murmur2(b"abc").cast_signed(), 479_470_107);
    }
}
