//! What the producer told against what the brokers hold.

use crate::account::{Statement, Told};
use crate::log::Partition;

/// The counts of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Records that the producer said were written.
    pub(crate) acked: usize,
    /// Of those, with an offset that it does not know.
    pub(crate) acked_nowhere: usize,
    /// Failed, and said not to be in the log.
    pub(crate) not_persisted: usize,
    /// Not accepted.
    pub(crate) refused: usize,
    /// Failed, said to be perhaps in the log, and there.
    pub(crate) maybe_found: usize,
    /// The same, and not there.
    pub(crate) maybe_absent: usize,
    /// Without an outcome.
    pub(crate) open: usize,
    /// In the log, each counted once.
    pub(crate) found: usize,
    /// Acked and not in the log.
    pub(crate) lost: usize,
    /// Of those, cut off when a leader fell behind another.
    pub(crate) lost_at_failover: usize,
    /// Acked and in the log, not where the acknowledgement says.
    pub(crate) misplaced: usize,
    /// In the log although said not to be.
    pub(crate) denied: usize,
    /// Further copies of a record.
    pub(crate) duplicated: usize,
    /// First copies that stand behind one with a greater number.
    pub(crate) out_of_order: usize,
    /// Of those, said to be perhaps in the log: what was on its way when a connection ended, and
    /// arrived after what was sent by the next one.
    pub(crate) late_maybe: usize,
    /// In the log and none of ours.
    pub(crate) foreign: usize,
    /// Some of what is lost without an excuse, misplaced, denied or out of order, in words.
    pub(crate) examples: Vec<String>,
}

/// More would not be read.
const EXAMPLES_MAX: usize = 20;

impl Verdict {
    /// Compares.
    pub(crate) fn of(statement: &Statement, log: &[Partition]) -> Self {
        let mut verdict = Self::default();
        for (index, (told, partition)) in statement.iter().zip(log).enumerate() {
            let is_found = verdict.read(index, told, partition);
            verdict.weigh(index, told, partition, &is_found);
        }
        verdict
    }

    /// Copies, order and strangers; which records are there.
    fn read(&mut self, index: usize, told: &[Told], partition: &Partition) -> Vec<bool> {
        let mut is_found = vec![false; told.len()];
        let mut greatest = None;
        for entry in &partition.entries {
            let Some(number) = entry.number.filter(|number| *number < told.len()) else {
                self.foreign += 1;
                continue;
            };
            if is_found[number] {
                self.duplicated += 1;
                continue;
            }
            is_found[number] = true;
            self.found += 1;
            if Some(number) < greatest {
                self.out_of_order += 1;
                let is_maybe = told[number] == Told::MaybePersisted;
                self.late_maybe += usize::from(is_maybe);
                if !is_maybe {
                    let words = format!("late at {}, behind {greatest:?}", entry.offset);
                    self.note(index, number, told[number], &words);
                }
            }
            greatest = greatest.max(Some(number));
        }
        is_found
    }

    /// Whether what was told of each record is true.
    fn weigh(&mut self, index: usize, told: &[Told], partition: &Partition, is_found: &[bool]) {
        // Up to here the log is what it was when it was acknowledged.
        let mut survived = -1;
        for (number, (told, is_found)) in told.iter().zip(is_found).enumerate() {
            match told {
                Told::Open => self.open += 1,
                Told::Refused | Told::NotPersisted => {
                    let is_refused = *told == Told::Refused;
                    self.refused += usize::from(is_refused);
                    self.not_persisted += usize::from(!is_refused);
                    self.denied += usize::from(*is_found);
                    if *is_found {
                        self.note(index, number, *told, "and there");
                    }
                }
                Told::MaybePersisted if *is_found => self.maybe_found += 1,
                Told::MaybePersisted => self.maybe_absent += 1,
                Told::Acked(offset) => {
                    self.acked += 1;
                    self.acked_nowhere += usize::from(offset.is_none());
                    if !is_found {
                        self.lost += 1;
                        let is_cut = offset.is_some_and(|at| partition.is_cut(survived, at));
                        self.lost_at_failover += usize::from(is_cut);
                        if !is_cut {
                            let words = format!("lost, {survived} survived before it");
                            self.note(index, number, *told, &words);
                        }
                    } else if let Some(offset) = offset {
                        let is_there = partition.number_at(*offset) == Some(number);
                        self.misplaced += usize::from(!is_there);
                        if !is_there {
                            self.note(index, number, *told, "and elsewhere");
                        }
                        survived = survived.max(if is_there { *offset } else { -1 });
                    }
                }
            }
        }
    }

    fn note(&mut self, partition: usize, number: usize, told: Told, words: &str) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples
                .push(format!("{partition}:{number} {told:?} {words}"));
        }
    }

    /// Whether all that was told is true: nothing is denied, open, misplaced or foreign.
    pub(crate) const fn is_true(&self) -> bool {
        self.denied + self.open + self.misplaced + self.foreign == 0
    }

    /// Whether every record is there once, in order, whatever happened, unless it was reported.
    pub(crate) const fn is_kept(&self) -> bool {
        self.is_true() && self.lost + self.duplicated + self.out_of_order == 0
    }

    /// Names and counts.
    pub(crate) const fn counts(&self) -> [(&'static str, usize); 16] {
        [
            ("acked", self.acked),
            ("acked_nowhere", self.acked_nowhere),
            ("not_persisted", self.not_persisted),
            ("refused", self.refused),
            ("maybe_found", self.maybe_found),
            ("maybe_absent", self.maybe_absent),
            ("open", self.open),
            ("found", self.found),
            ("lost", self.lost),
            ("lost_at_failover", self.lost_at_failover),
            ("misplaced", self.misplaced),
            ("denied", self.denied),
            ("duplicated", self.duplicated),
            ("out_of_order", self.out_of_order),
            ("late_maybe", self.late_maybe),
            ("foreign", self.foreign),
        ]
    }
}

impl Partition {
    /// The number at an offset.
    fn number_at(&self, offset: i64) -> Option<usize> {
        let at = self
            .entries
            .binary_search_by_key(&offset, |entry| entry.offset)
            .ok()?;
        self.entries[at].number
    }

    /// Whether a leader epoch begins after the offset of the last that survived, and not behind
    /// this one: then another leader had not got as far and wrote over it. What was cut off at the
    /// very end of the log has no record after it, and so no epoch: it is not excused. One that was
    /// acknowledged no further than an earlier one that survived was in another log than that: two
    /// leaders gave the offset, and the log of the first came back when the second was gone.
    fn is_cut(&self, survived: i64, offset: i64) -> bool {
        if offset <= survived {
            return self.epoch_starts.len() > 1;
        }
        let after = self
            .epoch_starts
            .partition_point(|start| *start <= survived);
        self.epoch_starts
            .get(after)
            .is_some_and(|start| *start <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Entry;

    fn log(numbers: &[Option<usize>], epoch_starts: &[i64]) -> Vec<Partition> {
        let entry = |(offset, number): (usize, &Option<usize>)| Entry {
            offset: i64::try_from(offset).unwrap(),
            number: *number,
        };
        vec![Partition {
            entries: numbers.iter().enumerate().map(entry).collect(),
            epoch_starts: epoch_starts.to_vec(),
        }]
    }

    fn acked(offset: i64) -> Told {
        Told::Acked(Some(offset))
    }

    fn judge(told: &[Told], numbers: &[Option<usize>], epoch_starts: &[i64]) -> Verdict {
        Verdict::of(&vec![told.to_vec()], &log(numbers, epoch_starts))
    }

    #[test]
    fn all_there_once_and_in_order_is_kept() {
        let told = [acked(0), Told::Acked(None), Told::NotPersisted, acked(2)];
        let verdict = judge(&told, &[Some(0), Some(1), Some(3)], &[0]);
        assert!(verdict.is_kept());
        assert_eq!(
            (verdict.acked, verdict.acked_nowhere, verdict.found),
            (3, 1, 3)
        );
    }

    #[test]
    fn an_acked_record_that_is_not_there_is_lost() {
        let verdict = judge(&[acked(0), acked(1), acked(1)], &[Some(0), Some(2)], &[0]);
        assert_eq!((verdict.lost, verdict.lost_at_failover), (1, 0));
        assert!(verdict.is_true() && !verdict.is_kept());
    }

    #[test]
    fn a_loss_is_excused_where_another_leader_begins() {
        let told = [acked(0), acked(1), acked(1)];
        assert_eq!(
            judge(&told, &[Some(0), Some(2)], &[0, 1]).lost_at_failover,
            1
        );
        // It begins behind what was lost.
        let told = [acked(0), acked(1), acked(1), acked(2)];
        let numbers = [Some(0), Some(2), Some(3)];
        assert_eq!(judge(&told, &numbers, &[0, 2]).lost_at_failover, 0);
    }

    #[test]
    fn a_loss_is_excused_where_the_log_of_an_earlier_leader_came_back() {
        let told = [acked(0), acked(1), acked(1), acked(2)];
        let numbers = [Some(0), Some(1), Some(3)];
        let verdict = judge(&told, &numbers, &[0, 2]);
        assert_eq!((verdict.lost, verdict.lost_at_failover), (1, 1));
        let verdict = judge(&told, &numbers, &[0]);
        assert_eq!((verdict.lost, verdict.lost_at_failover), (1, 0));
    }

    #[test]
    fn a_second_copy_is_duplicated_and_not_out_of_order() {
        let verdict = judge(&[acked(0), acked(1)], &[Some(0), Some(1), Some(0)], &[0]);
        assert_eq!((verdict.duplicated, verdict.out_of_order), (1, 0));
        assert!(!verdict.is_kept());
    }

    #[test]
    fn an_overtaken_record_is_out_of_order() {
        let verdict = judge(&[acked(1), acked(0)], &[Some(1), Some(0)], &[0]);
        assert_eq!((verdict.out_of_order, verdict.late_maybe), (1, 0));
        assert!(!verdict.is_kept());
        let verdict = judge(&[Told::MaybePersisted, acked(0)], &[Some(1), Some(0)], &[0]);
        assert_eq!((verdict.out_of_order, verdict.late_maybe), (1, 1));
        assert!(!verdict.is_kept());
    }

    #[test]
    fn a_record_elsewhere_is_misplaced() {
        let verdict = judge(&[acked(1), acked(0)], &[Some(0), Some(1)], &[0]);
        assert_eq!(verdict.misplaced, 2);
        assert!(!verdict.is_true());
    }

    #[test]
    fn a_record_that_was_said_not_to_be_there_is_denied() {
        let told = [Told::NotPersisted, Told::Refused, Told::MaybePersisted];
        let verdict = judge(&told, &[Some(0), Some(1), Some(2)], &[0]);
        assert_eq!((verdict.denied, verdict.maybe_found), (2, 1));
        assert!(!verdict.is_true());
    }

    #[test]
    fn strangers_and_open_records_are_no_truth() {
        assert!(!judge(&[acked(0)], &[Some(0), None], &[0]).is_true());
        assert!(!judge(&[acked(0)], &[Some(0), Some(9)], &[0]).is_true());
        assert!(!judge(&[acked(0), Told::Open], &[Some(0)], &[0]).is_true());
    }
}
