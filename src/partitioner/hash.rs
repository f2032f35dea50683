//! The hashes by which clients place keys. Bytes in, 32 bits out; nothing else.

use flate2::Crc;

/// Kafka's murmur2 (Java `Utils.murmur2`): the hash of the Java producer, kafka-python and
/// franz-go, and of librdkafka's `murmur2` and `murmur2_random`. Java reads the 32 bits as a signed
/// number.
#[inline]
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

/// The CRC-32 of IEEE 802.3, as in zlib: the hash of librdkafka's `consistent` and
/// `consistent_random`, and so of the clients built on it.
#[inline(never)]
#[must_use]
pub fn crc32(data: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(data);
    crc.sum()
}

/// The magnitude of the 32-bit FNV-1a, read as a signed number: the hash of librdkafka's `fnv1a`
/// and `fnv1a_random`, made for the default partitioner of Sarama.
#[inline(never)]
#[must_use]
pub fn fnv1a(data: &[u8]) -> u32 {
    const PRIME: u32 = 0x0100_0193;
    const OFFSET: u32 = 0x811c_9dc5;
    let hash = data.iter().fold(OFFSET, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(PRIME)
    });
    hash.cast_signed().unsigned_abs()
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

    /// The check value of the catalogue of CRCs, and the start.
    #[test]
    fn crc32_is_zlibs() {
        assert_eq!((crc32(b"123456789"), crc32(b"")), (0xcbf4_3926, 0));
    }

    /// The published FNV-1a of "a" is 0xe40c292c and that of "" is 0x811c9dc5: both are negative.
    #[test]
    fn fnv1a_has_no_sign() {
        assert_eq!(fnv1a(b"a"), 0xe40c_292c_u32.wrapping_neg());
        assert_eq!(fnv1a(b""), 0x811c_9dc5_u32.wrapping_neg());
        // And "foobar" is 0xbf9cf968.
        assert_eq!(fnv1a(b"foobar"), 0xbf9c_f968_u32.wrapping_neg());
    }
}
