//! The record of a recorded call, as a replay gives it again.

use super::words::{Malformed, NOTHING, Words, text, unescape};
use crate::record::{Header, Record};

/// The record of a call.
pub(super) struct Given {
    topic: String,
    partition: Option<i32>,
    timestamp_ms: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Given {
    /// What is left of a line. Redacted, it may take so many bytes.
    pub(super) fn read(words: &mut Words<'_>, mut room_bytes: usize) -> Result<Self, Malformed> {
        let topic = words.text()?;
        let partition = match words.word()? {
            NOTHING => None,
            word => {
                let number = word.strip_prefix('@').unwrap_or(word);
                Some(number.parse().map_err(|_| "not a partition")?)
            }
        };
        let timestamp_ms = words.optional()?;
        let key = payload(words.word()?, &mut room_bytes)?;
        let value = payload(words.word()?, &mut room_bytes)?;
        let mut headers = Vec::new();
        while let Some(name) = words.next() {
            headers.push((text(name)?, payload(words.word()?, &mut room_bytes)?));
        }
        Ok(Self {
            topic,
            partition,
            timestamp_ms,
            key,
            value,
            headers,
        })
    }

    /// Calls `with` with the borrowed form.
    pub(super) fn lend<R>(&self, with: impl FnOnce(&Record<'_>) -> R) -> R {
        let headers: Vec<Header<'_>> = self
            .headers
            .iter()
            .map(|(name, value)| Header {
                name,
                value: value.as_deref(),
            })
            .collect();
        with(&Record {
            topic: &self.topic,
            partition: self.partition,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &headers,
            timestamp_ms: self.timestamp_ms,
        })
    }
}

/// A key or a value: as it was, or as many zeros.
fn payload(word: &str, room_bytes: &mut usize) -> Result<Option<Vec<u8>>, Malformed> {
    if word == NOTHING {
        return Ok(None);
    }
    if let Some(bytes) = word.strip_prefix('=') {
        return unescape(bytes).map(Some);
    }
    let redacted = word.strip_prefix('~').and_then(|word| word.split_once('~'));
    let (length, _hash) = redacted.ok_or("not a key or value")?;
    let length: usize = length.parse().map_err(|_| "not a length")?;
    let rest = room_bytes.checked_sub(length);
    *room_bytes = rest.ok_or("more bytes than a replay holds")?;
    Ok(Some(vec![0; length]))
}
