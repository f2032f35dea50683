//! What happened to a record from its acceptance to its end: told with its error.

use crate::error::DeliveryCause;
use core::fmt;
use core::time::Duration;

/// Of so many attempts at the beginning the biography tells.
const FIRST_KEPT: usize = 2;
/// And of so many at the end.
const LAST_KEPT: usize = 4;

/// The life of a record that failed: that of the batch it was in. Of many attempts the first two
/// and the last four are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Biography {
    /// The attempts to send it, the oldest first.
    pub attempts: Vec<Attempt>,
    /// How many attempts between the second and those after it are not told.
    pub omitted_attempts: u32,
    /// Where its time went.
    pub spent: Spent,
}

/// One attempt to send a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Node id of the broker.
    pub broker: i32,
    /// When the request was handed out, counted from the opening of the batch.
    pub begun: Duration,
    /// How long it took to its end.
    pub took: Duration,
    /// Bytes of the request that were handed to a transport, at most.
    pub sent_bytes: u64,
    /// Bytes of the whole request, with the other batches that it carried.
    pub request_bytes: u64,
    /// What ended it; `None`: nothing did before the record's own end.
    pub end: Option<DeliveryCause>,
}

/// Where a batch's time went. The spans add up to its age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Waiting for more records.
    pub lingering: Duration,
    /// Waiting while no leader of the partition was known.
    pub without_leader: Duration,
    /// Pausing after a failed attempt.
    pub backing_off: Duration,
    /// Waiting while the leader throttled (KIP-219).
    pub throttled: Duration,
    /// Waiting for anything else: a connection, its turn, the batches before it.
    pub queued: Duration,
    /// With the driver to be sealed, or with a broker.
    pub in_flight: Duration,
}

impl Biography {
    /// Takes in an attempt that ended.
    pub(crate) fn add(&mut self, attempt: Attempt) {
        if self.attempts.len() == FIRST_KEPT + LAST_KEPT {
            self.attempts.remove(FIRST_KEPT);
            self.omitted_attempts = self.omitted_attempts.saturating_add(1);
        }
        self.attempts.push(attempt);
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (begun, took) = (Span(self.begun), Span(self.took));
        write!(f, "at {begun} to broker {}: ", self.broker)?;
        match &self.end {
            Some(cause) => write!(f, "{cause} after {took}")?,
            None => write!(f, "no answer for {took}")?,
        }
        if self.sent_bytes < self.request_bytes {
            let (sent, all) = (self.sent_bytes, self.request_bytes);
            write!(f, ", {sent} of {all} bytes sent")?;
        }
        Ok(())
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spans = [
            (self.lingering, "lingering"),
            (self.without_leader, "without a leader"),
            (self.backing_off, "in backoff"),
            (self.throttled, "throttled"),
            (self.queued, "queued"),
            (self.in_flight, "in flight"),
        ];
        let mut told = spans.iter().filter(|(span, _)| !span.is_zero());
        let Some((span, words)) = told.next() else {
            return f.write_str("no time at all");
        };
        write!(f, "{} {words}", Span(*span))?;
        told.try_for_each(|(span, words)| write!(f, ", {} {words}", Span(*span)))
    }
}

impl fmt::Display for Biography {
    /// `2 ms lingering, 30 s in flight; at 2 ms to broker 1: no answer for 30 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spent.fmt(f)?;
        for (index, attempt) in self.attempts.iter().enumerate() {
            if index == FIRST_KEPT && self.omitted_attempts > 0 {
                write!(f, "; {} more", self.omitted_attempts)?;
            }
            write!(f, "; {attempt}")?;
        }
        Ok(())
    }
}

/// A span of time for people: three digits and a unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        let (whole, tenth, unit) = match micros {
            0..1_000 => return write!(f, "{micros} µs"),
            1_000..1_000_000 => (micros / 1_000, micros / 100 % 10, "ms"),
            _ => (micros / 1_000_000, micros / 100_000 % 10, "s"),
        };
        if whole >= 100 || tenth == 0 {
            write!(f, "{whole} {unit}")
        } else {
            write!(f, "{whole}.{tenth} {unit}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(broker: i32) -> Attempt {
        Attempt {
            broker,
            begun: Duration::from_micros(2_100),
            took: Duration::from_secs(30),
            sent_bytes: 90,
            request_bytes: 100,
            end: (broker > 1).then_some(DeliveryCause::RequestTimeout),
        }
    }

    #[test]
    fn the_first_two_and_the_last_four_attempts_are_told() {
        let mut biography = Biography::default();
        for broker in 0..9 {
            biography.add(attempt(broker));
        }
        let told: Vec<i32> = biography.attempts.iter().map(|a| a.broker).collect();
        assert_eq!(
            (told, biography.omitted_attempts),
            (vec![0, 1, 5, 6, 7, 8], 3)
        );
        let words = biography.to_string();
        assert!(words.contains("; 3 more; at 2.1 ms to broker 5"), "{words}");
    }

    #[test]
    fn a_life_reads_as_a_sentence() {
        let mut biography = Biography {
            spent: Spent {
                lingering: Duration::from_micros(2_100),
                backing_off: Duration::from_millis(1_480),
                in_flight: Duration::from_secs(118),
                ..Spent::default()
            },
            ..Biography::default()
        };
        biography.add(attempt(2));
        biography.add(attempt(1));
        assert_eq!(
            biography.to_string(),
            "2.1 ms lingering, 1.4 s in backoff, 118 s in flight; at 2.1 ms to broker 2: no answer \
             within request_timeout after 30 s, 90 of 100 bytes sent; at 2.1 ms to broker 1: no \
             answer for 30 s, 90 of 100 bytes sent"
        );
        assert_eq!(Biography::default().to_string(), "no time at all");
    }
}
