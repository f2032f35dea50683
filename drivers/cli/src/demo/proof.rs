//! The judgement of `titorelli demo`: what the producer was told against what the logs hold.

use std::fmt;

/// Where an acknowledgement says that a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// What the application knows: record number → what became of its `send`.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    /// How many records were accepted; their numbers are 0 up to this.
    pub(crate) accepted: usize,
    /// By record number; `None` is not (yet) acknowledged.
    pub(crate) places: Vec<Option<Place>>,
}

/// What the cluster holds: the record number at each offset of each partition; `None` is a record
/// that nobody sent.
pub(crate) type Logs = Vec<Vec<Option<usize>>>;

/// The table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    /// Records that the producer accepted.
    pub(crate) accepted: usize,
    /// Records that it said were written.
    pub(crate) acknowledged: usize,
    /// Accepted records that are in a log.
    pub(crate) found: usize,
    /// Acknowledged records that are not at the offset they were acknowledged with.
    pub(crate) lost: usize,
    /// Further copies of a record.
    pub(crate) duplicated: usize,
    /// First copies that stand behind one sent later to the same partition.
    pub(crate) out_of_order: usize,
    /// Records in the logs that nobody sent.
    pub(crate) foreign: usize,
}

impl Proof {
    /// Compares.
    pub(crate) fn judge(receipts: &Receipts, logs: &Logs) -> Self {
        let mut proof = Self {
            accepted: receipts.accepted,
            ..Self::default()
        };
        let mut is_found = vec![false; receipts.accepted];
        for log in logs {
            proof.read(log, &mut is_found);
        }
        proof.found = is_found.iter().filter(|found| **found).count();
        for (number, place) in receipts.places.iter().enumerate() {
            let Some(place) = place else { continue };
            proof.acknowledged += 1;
            // A copy that the broker knew again may have been acknowledged without an offset.
            let is_there = if place.offset < 0 {
                is_found[number]
            } else {
                at(logs, *place) == Some(number)
            };
            proof.lost += usize::from(!is_there);
        }
        proof
    }

    fn read(&mut self, log: &[Option<usize>], is_found: &mut [bool]) {
        let mut greatest = None;
        for number in log {
            let Some(number) = number.filter(|number| *number < is_found.len()) else {
                self.foreign += 1;
                continue;
            };
            if is_found[number] {
                self.duplicated += 1;
                continue;
            }
            is_found[number] = true;
            self.out_of_order += usize::from(Some(number) < greatest);
            greatest = greatest.max(Some(number));
        }
    }

    /// Whether every record is there, once, in order, and where it was said to be.
    pub(crate) const fn is_kept(&self) -> bool {
        self.acknowledged == self.accepted
            && self.lost == 0
            && self.duplicated == 0
            && self.out_of_order == 0
            && self.foreign == 0
    }
}

fn at(logs: &Logs, place: Place) -> Option<usize> {
    let log = logs.get(usize::try_from(place.partition).ok()?)?;
    *log.get(usize::try_from(place.offset).ok()?)?
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count, words) in [
            ("accepted", self.accepted, "by the producer"),
            ("acknowledged", self.acknowledged, "to the application"),
            ("found", self.found, "in the logs"),
            (
                "lost",
                self.lost,
                "acknowledged, and not where the acknowledgement says",
            ),
            ("duplicated", self.duplicated, "in the logs more than once"),
            ("out of order", self.out_of_order, "within a partition"),
            (
                "foreign",
                self.foreign,
                "in the logs, though nobody sent them",
            ),
        ] {
            writeln!(f, "{name:>14} {count:>9}   {words}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipts(places: &[Option<(i32, i64)>]) -> Receipts {
        let place = |(partition, offset)| Place { partition, offset };
        Receipts {
            accepted: places.len(),
            places: places.iter().map(|known| known.map(place)).collect(),
        }
    }

    fn log(numbers: &[usize]) -> Vec<Option<usize>> {
        numbers.iter().copied().map(Some).collect()
    }

    #[test]
    fn all_in_order_is_kept() {
        let receipts = receipts(&[Some((0, 0)), Some((1, 0)), Some((0, 1))]);
        let proof = Proof::judge(&receipts, &vec![log(&[0, 2]), log(&[1])]);
        let whole = Proof {
            accepted: 3,
            acknowledged: 3,
            found: 3,
            ..Proof::default()
        };
        assert_eq!(proof, whole);
        assert!(proof.is_kept());
    }

    #[test]
    fn a_record_that_is_not_where_it_was_acknowledged_is_lost() {
        let receipts = receipts(&[Some((0, 0)), Some((0, 7)), Some((9, 0)), None]);
        let proof = Proof::judge(&receipts, &vec![log(&[0, 1, 2])]);
        assert_eq!((proof.acknowledged, proof.found, proof.lost), (3, 3, 2));
        assert!(!proof.is_kept());
    }

    #[test]
    fn a_record_without_an_offset_is_lost_only_if_it_is_nowhere() {
        let receipts = receipts(&[Some((0, 0)), Some((0, -1)), Some((0, -1))]);
        let proof = Proof::judge(&receipts, &vec![log(&[0, 1])]);
        assert_eq!((proof.acknowledged, proof.lost), (3, 1));
    }

    #[test]
    fn a_batch_written_twice_is_duplicated_and_not_out_of_order() {
        let receipts = receipts(&[Some((0, 2)), Some((0, 3)), Some((0, 4))]);
        let proof = Proof::judge(&receipts, &vec![log(&[0, 1, 0, 1, 2])]);
        assert_eq!(
            (proof.duplicated, proof.out_of_order, proof.lost),
            (2, 0, 0)
        );
        assert!(!proof.is_kept());
    }

    #[test]
    fn an_overtaken_record_is_out_of_order() {
        let receipts = receipts(&[Some((0, 1)), Some((0, 0))]);
        let proof = Proof::judge(&receipts, &vec![log(&[1, 0])]);
        assert_eq!((proof.out_of_order, proof.duplicated), (1, 0));
        assert!(!proof.is_kept());
    }

    #[test]
    fn a_record_that_nobody_sent_is_foreign() {
        let proof = Proof::judge(
            &receipts(&[Some((0, 0))]),
            &vec![vec![Some(0), None, Some(5)]],
        );
        assert_eq!(proof.foreign, 2);
        assert!(!proof.is_kept());
    }
}
