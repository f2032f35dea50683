//! What became of the records, counted: the report of `titorelli produce`.

use crate::output::tell;
use std::fmt::Write as _;
use std::time::Duration;
use titorelli::counted;
use titorelli_mio::{DeliveryError, RecordMetadata, SendError};

/// So many different failures are told in words; the others are only counted.
const WORDS_MAX: u64 = 5;

/// Counts of records by what became of them.
///
/// Invariant: every record handed to the tally ends in exactly one of `acked`, `failed`
/// and `maybe_persisted`; every refused one in `failed`.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Lines read and offered to the producer.
    pub(crate) records: u64,
    /// Acknowledged as the configured `acks` say.
    pub(crate) acked: u64,
    /// Not in the log, now or ever.
    pub(crate) failed: u64,
    /// Perhaps in the log.
    pub(crate) maybe_persisted: u64,
    /// Bytes of keys and values offered.
    pub(crate) bytes: u64,
    /// Indexed by partition.
    partitions: Vec<Partition>,
    told: Told,
}

/// What was said of failures. The records of a batch fail with the same words: they are said once,
/// at once, and when others follow, or none, of how many more records they held.
#[derive(Debug, Default)]
struct Told {
    last: String,
    /// Records since that failed with the same words.
    more: u64,
    /// How often words differed from the last.
    changes: u64,
}

impl Told {
    fn tell(&mut self, words: String) {
        if self.changes > 0 && self.last == words {
            self.more += 1;
            return;
        }
        self.tell_more();
        self.changes += 1;
        if self.changes <= WORDS_MAX {
            tell(format_args!("titorelli: {words}"));
        } else if self.changes == WORDS_MAX + 1 {
            tell(format_args!(
                "titorelli: other records failed otherwise; the report counts them"
            ));
        }
        self.last = words;
    }

    fn tell_more(&mut self) {
        let more = std::mem::take(&mut self.more);
        if more > 0 && self.changes <= WORDS_MAX {
            tell(format_args!("titorelli: so did {more} more"));
        }
    }
}

/// What was acknowledged in one partition.
#[derive(Clone, Copy, Debug, Default)]
struct Partition {
    acked: u64,
    /// −1 while no offset is known, which with acks=0 is always.
    first_offset: i64,
    last_offset: i64,
}

impl Tally {
    /// A record was offered.
    pub(crate) fn offered(&mut self, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64;
    }

    /// An offered record was not accepted.
    pub(crate) fn refused(&mut self, error: &SendError) {
        self.failed += 1;
        self.told.tell(error.to_string());
    }

    /// An accepted record was completed.
    pub(crate) fn completed(&mut self, outcome: &Result<RecordMetadata, DeliveryError>) {
        match outcome {
            Ok(metadata) => {
                self.acked += 1;
                self.acknowledged(metadata.partition, metadata.offset);
            }
            Err(error) => {
                if error.may_be_persisted() {
                    self.maybe_persisted += 1;
                } else {
                    self.failed += 1;
                }
                self.told.tell(error.to_string());
            }
        }
    }

    /// Whether every record offered was acknowledged.
    pub(crate) const fn is_complete(&self) -> bool {
        self.acked == self.records
    }

    fn acknowledged(&mut self, partition: i32, offset: i64) {
        let Ok(index) = usize::try_from(partition) else {
            return;
        };
        if index >= self.partitions.len() {
            let none = Partition {
                acked: 0,
                first_offset: -1,
                last_offset: -1,
            };
            self.partitions.resize(index + 1, none);
        }
        let entry = &mut self.partitions[index];
        entry.acked += 1;
        if offset < 0 {
            return;
        }
        if entry.first_offset < 0 || offset < entry.first_offset {
            entry.first_offset = offset;
        }
        entry.last_offset = entry.last_offset.max(offset);
    }

    /// No more records follow: says what was not said yet.
    pub(crate) fn end(&mut self) {
        self.told.tell_more();
    }

    /// The report as one line of JSON.
    pub(crate) fn json(&self, elapsed: Duration, retries: u64) -> String {
        let seconds = elapsed.as_secs_f64();
        let mut text = format!(
            "{{\"records\":{},\"acked\":{},\"failed\":{},\"maybe_persisted\":{},\"bytes\":{},\
             \"seconds\":{seconds:.6},\"records_per_second\":{:.1},\"retries\":{retries},\
             \"partitions\":{{",
            self.records,
            self.acked,
            self.failed,
            self.maybe_persisted,
            self.bytes,
            per_second(self.records, seconds),
        );
        let mut separator = "";
        for (partition, entry) in self.partitions.iter().enumerate() {
            if entry.acked == 0 {
                continue;
            }
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "{separator}\"{partition}\":{{\"acked\":{},\"first_offset\":{},\
                 \"last_offset\":{}}}",
                entry.acked, entry.first_offset, entry.last_offset
            );
            separator = ",";
        }
        text.push_str("}}");
        text
    }

    /// The report in words.
    pub(crate) fn words(&self, elapsed: Duration, retries: u64) -> String {
        let seconds = elapsed.as_secs_f64();
        let partitions = self
            .partitions
            .iter()
            .filter(|entry| entry.acked > 0)
            .count();
        let rate = per_second(self.records, seconds);
        format!(
            "{}, {} acknowledged in {}, {} failed, {} perhaps written; {} in {seconds:.3} s: {} \
             per second; {}",
            counted(self.records, "record"),
            self.acked,
            counted(partitions, "partition"),
            self.failed,
            self.maybe_persisted,
            counted(self.bytes, "byte"),
            counted(format_args!("{rate:.0}"), "record"),
            counted(retries, "retry"),
        )
    }
}

fn per_second(records: u64, seconds: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let count = records as f64;
    if seconds > 0.0 { count / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_names_each_partition_with_its_offsets() {
        let mut tally = Tally::default();
        for (partition, offset) in [(2, 7), (2, 5), (0, -1), (2, 6)] {
            tally.offered(10);
            tally.acked += 1;
            tally.acknowledged(partition, offset);
        }
        assert!(tally.is_complete());
        assert_eq!(
            tally.json(Duration::from_secs(2), 1),
            "{\"records\":4,\"acked\":4,\"failed\":0,\"maybe_persisted\":0,\"bytes\":40,\
             \"seconds\":2.000000,\"records_per_second\":2.0,\"retries\":1,\"partitions\":{\
             \"0\":{\"acked\":1,\"first_offset\":-1,\"last_offset\":-1},\
             \"2\":{\"acked\":3,\"first_offset\":5,\"last_offset\":7}}}"
        );
    }

    #[test]
    fn one_of_everything_is_told_without_plurals() {
        let mut tally = Tally::default();
        tally.offered(1);
        tally.acked += 1;
        tally.acknowledged(0, 0);
        assert_eq!(
            tally.words(Duration::from_secs(2), 1),
            "1 record, 1 acknowledged in 1 partition, 0 failed, 0 perhaps written; 1 byte in \
             2.000 s: 0 records per second; 1 retry"
        );
    }

    #[test]
    fn no_records_in_no_time_is_a_report_too() {
        let text = Tally::default().json(Duration::ZERO, 0);
        assert!(text.contains("\"records_per_second\":0.0"), "{text}");
        assert!(text.ends_with("\"partitions\":{}}"), "{text}");
    }
}
