//! Kafka's UUID: the id of a topic since Metadata v10 (KIP-516).

use core::fmt;

/// A 128-bit id, big-endian as on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// "No id": what a broker without topic ids tells.
    pub const ZERO: Self = Self([0; 16]);
}

impl fmt::Display for Uuid {
    /// 22 characters of URL-safe base64 without padding, as Java's `Uuid.toString`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bits = u128::from_be_bytes(self.0);
        // 21 characters of 6 bits from the top; the last one carries 2 bits and 4 zeros.
        for shift in (2..128).rev().step_by(6).map(|top| top - 5) {
            let six = usize::try_from((bits >> shift) & 0x3f).unwrap_or_default();
            write!(f, "{}", char::from(ALPHABET[six]))?;
        }
        let last = usize::try_from((bits << 4) & 0x3f).unwrap_or_default();
        write!(f, "{}", char::from(ALPHABET[last]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_shown_as_kafka_shows_it() {
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        let one = Uuid(1_u128.to_be_bytes());
        assert_eq!(one.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ"); // Java: Uuid.METADATA_TOPIC_ID
        assert_eq!(Uuid([0xff; 16]).to_string(), "_____________________w");
        let mixed = Uuid(core::array::from_fn(|at| u8::try_from(at * 17).unwrap()));
        assert_eq!(mixed.to_string(), "ABEiM0RVZneImaq7zN3u_w");
    }
}
