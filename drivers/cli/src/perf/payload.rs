//! The payloads of the load generator: a fixed pool, compressible as log lines are.
//!
//! The same bytes on every machine and in every run, so that figures of different clients and
//! codecs can be compared; `pool_crc32` in the report proves it.

/// Pieces of 16 bytes that recur, as the names in structured log lines do.
const PHRASES: &[u8; 256] = b"\"timestamp\":1700\"level\":\"INFO\",\"\"service\":\"order\
    \"host\":\"node-001\"status\":\"accept\"region\":\"eu-wes\"user_id\":\"u-000\
    \"session\":\"s-abc\"amount\":100.00,\"currency\":\"EUR\"\"latency_ms\":12,\
    \"path\":\"/api/v1/\"method\":\"POST\",\"trace_id\":\"0af7\"span_id\":\"b7ad6\
    \"tags\":[\"a\",\"b\"]";
/// What the rest is drawn from: six bits of entropy per byte.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// How many different payloads there are at most.
const POOL_LEN: usize = 1_024;
/// Of large payloads there are fewer, so that they stay within this; there is one always.
const POOL_BYTES_MAX: usize = 64 << 20;

/// 1,024 payloads of one size, or as many as fit.
pub(crate) struct Pool {
    payloads: Vec<Vec<u8>>,
}

impl Pool {
    /// Draws payloads of `payload_bytes` each.
    pub(crate) fn new(payload_bytes: usize) -> Self {
        let mut draws = Draws(42);
        let count = (POOL_BYTES_MAX / payload_bytes.max(1)).clamp(1, POOL_LEN);
        Self {
            payloads: (0..count).map(|_| draws.payload(payload_bytes)).collect(),
        }
    }

    /// The payload of the `index`th record.
    pub(crate) fn payload(&self, index: usize) -> &[u8] {
        &self.payloads[index % self.payloads.len()]
    }

    /// CRC-32 (IEEE) of all payloads, one after the other.
    pub(crate) fn crc32(&self) -> u32 {
        let mut crc = flate2::Crc::new();
        for payload in &self.payloads {
            crc.update(payload);
        }
        crc.sum()
    }
}

/// A linear congruential generator with Knuth's MMIX constants.
struct Draws(u64);

impl Draws {
    /// A quarter of the draws is a phrase, the others are four letters.
    fn payload(&mut self, payload_bytes: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(payload_bytes + 16);
        while bytes.len() < payload_bytes {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            if self.bits(62, 0b11) == 0 {
                let at = 16 * self.bits(40, 0b1111);
                bytes.extend_from_slice(&PHRASES[at..at + 16]);
            } else {
                let letters = [34, 40, 46, 52];
                bytes.extend(letters.map(|shift| ALPHABET[self.bits(shift, 0b11_1111)]));
            }
        }
        bytes.truncate(payload_bytes);
        bytes
    }

    fn bits(&self, shift: u32, mask: u8) -> usize {
        usize::from((self.0 >> shift).to_le_bytes()[0] & mask)
    }
}

#[cfg(test)]
mod tests {
    use super::Pool;

    #[test]
    fn the_pool_is_the_same_in_every_run() {
        assert_eq!(format!("{:08x}", Pool::new(100).crc32()), "fe835c7e");
        assert_eq!(format!("{:08x}", Pool::new(1_024).crc32()), "b36767fe");
    }

    #[test]
    fn large_payloads_are_few() {
        let payloads = |payload_bytes| Pool::new(payload_bytes).payloads.len();
        assert_eq!([0, 1, 1 << 16].map(payloads), [1_024; 3]);
        assert_eq!([1 << 24, 1 << 27].map(payloads), [4, 1]);
    }
}
