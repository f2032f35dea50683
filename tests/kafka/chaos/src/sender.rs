//! Numbered records at an even pace, and the account of what is told about them.

use crate::account::Account;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};
use titorelli_mio::{Producer, Record};

/// What is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) topic: String,
    pub(crate) partitions: usize,
    pub(crate) records_each: usize,
    /// All of it takes so long; longer when the producer holds it up.
    pub(crate) duration: Duration,
    pub(crate) value_bytes: usize,
}

impl Load {
    /// Sends everything, to the partitions in turn; returns when all was given to `send`.
    pub(crate) fn send(&self, producer: &Producer, account: &Arc<Account>) {
        let began = Instant::now();
        for number in 0..self.records_each {
            let due = began + self.due(number);
            let early = due.saturating_duration_since(Instant::now());
            if early > Duration::from_millis(1) {
                thread::sleep(early);
            }
            self.send_round(number, producer, account);
        }
    }

    /// Sends the record of this number to every partition.
    pub(crate) fn send_round(&self, number: usize, producer: &Producer, account: &Arc<Account>) {
        for partition in 0..self.partitions {
            let value = self.value(partition, number);
            let to = i32::try_from(partition).expect("partitions are few");
            let record = Record::to(&self.topic).partition(to).value(&value);
            let theirs = Arc::clone(account);
            let sent = producer.send_with(&record, move |outcome| {
                theirs.completed(partition, number, outcome);
            });
            if let Err(error) = sent {
                account.refused(partition, number, &error);
            }
            account.sent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// When the record of this number is sent.
    fn due(&self, number: usize) -> Duration {
        let micros = self.duration.as_micros() * number as u128 / self.records_each as u128;
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// `partition:number:` and dots.
    fn value(&self, partition: usize, number: usize) -> Vec<u8> {
        let mut value = format!("{partition}:{number}:").into_bytes();
        value.resize(self.value_bytes.max(value.len()), b'.');
        value
    }
}
