//! A promise that was broken: what its message names is found again in the drawing.

use std::collections::BTreeSet;

use super::rows::Row;
use crate::cluster::BrokerId;
use crate::journal::RecordId;
use crate::marks::Mark;
use crate::world::World;

/// How a run failed.
#[derive(Debug)]
pub(super) struct Breach {
    /// In the words of the panic.
    pub(super) message: String,
    /// What is known of the records that it names.
    pub(super) records: Vec<String>,
    ids: BTreeSet<RecordId>,
    pub(super) brokers: BTreeSet<BrokerId>,
    places: BTreeSet<(String, i32)>,
}

impl Breach {
    pub(super) fn of(message: &str, world: &World) -> Self {
        let journal = world.journal();
        let count = journal.records().count();
        let ids = numbers(message, "RecordId(").map(RecordId);
        let ids: BTreeSet<RecordId> = ids.filter(|id| id.0 < count).collect();
        let mut places = BTreeSet::new();
        for (topic, partition, _) in world.cluster().logs() {
            if has_word(message, &format!("{topic}/{partition}")) {
                places.insert((topic.to_owned(), partition));
            }
        }
        let mut records = Vec::new();
        for id in &ids {
            let (record, state) = (journal.record(*id), journal.state(*id));
            let label = record.label();
            let accepted_at = journal.accepted_at(*id);
            records.push(format!(
                "record {} is {label}, accepted at {accepted_at}: {state:?}",
                id.0
            ));
            places.extend(
                record
                    .partition
                    .map(|partition| (record.topic.clone(), partition)),
            );
        }
        let brokers = world
            .cluster()
            .config()
            .brokers
            .iter()
            .map(|broker| broker.id);
        let brokers = brokers.filter(|broker| has_word(message, &broker.to_string()));
        Self {
            message: message.to_owned(),
            records,
            ids,
            brokers: brokers.collect(),
            places,
        }
    }

    /// Whether a row is about a record that the message names.
    pub(super) fn has_row(&self, row: &Row<'_>) -> bool {
        let has = |ids: &[RecordId]| ids.iter().any(|id| self.ids.contains(id));
        row.marks
            .iter()
            .any(|mark| matches!(mark, Mark::Records(ids) if has(ids)))
    }

    pub(super) fn has_place(&self, topic: &str, partition: i32) -> bool {
        self.places.contains(&(topic.to_owned(), partition))
    }
}

/// The name of a row, to be led to.
pub(super) fn anchor(row: &Row<'_>) -> String {
    format!("row-{}", row.y)
}

/// The numbers that follow these words.
fn numbers<'a>(message: &'a str, words: &'a str) -> impl Iterator<Item = usize> + 'a {
    message.split(words).skip(1).filter_map(|rest| {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        rest[..end].parse().ok()
    })
}

/// Whether the message has this word, and not only as a part of a longer one.
fn has_word(message: &str, word: &str) -> bool {
    message.match_indices(word).any(|(at, _)| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '/';
        let (before, after) = (&message[..at], &message[at + word.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_records_and_lanes() {
        let message = "I7: t0/1: RecordId(12) at 3 was accepted before RecordId(7), on b2";
        assert_eq!(numbers(message, "RecordId(").collect::<Vec<_>>(), [12, 7]);
        assert!(has_word(message, "t0/1") && has_word(message, "b2"));
        for part in ["0/1", "t0", "b"] {
            assert!(!has_word(message, part), "{part}");
        }
    }
}
