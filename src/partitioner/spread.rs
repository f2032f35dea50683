//! Records that no key places: where those of a topic go now, and what decides where next.

use super::loads::Loads;
use crate::random;
use crate::slot::PartitionSlot;
use rand_chacha::ChaCha8Rng;

/// The index of the partition that takes this turn of the round robin (KIP-369, Java
/// `RoundRobinPartitioner`): among those with a leader, `available`, if there are any, else among
/// all. Turns count from 0; the 32nd bit is dropped. 0 when there is no partition at all.
///
/// ```
/// use titorelli::partitioner::round_robin;
///
/// let taken = [0, 1, 2, 3].map(|turn| round_robin(turn, &[0, 2, 5], 6));
/// assert_eq!(taken, [0, 2, 5, 0]);
/// assert_eq!(round_robin(7, &[], 6), 1);
/// ```
#[must_use]
pub fn round_robin(turn: u32, available: &[usize], partition_count: usize) -> usize {
    nth(turn & 0x7fff_ffff, available, partition_count)
}

/// Whether the next record without a key goes to another partition, after so many bytes of such
/// records (KIP-794, Java `BuiltInPartitioner.updatePartitionInfo`): after `sticky_bytes`, but
/// an open batch is filled first, up to twice as much.
#[must_use]
pub fn has_produced_enough(produced_bytes: usize, sticky_bytes: usize, has_open: bool) -> bool {
    let limit_bytes = if has_open {
        sticky_bytes.saturating_mul(2)
    } else {
        sticky_bytes
    };
    produced_bytes >= limit_bytes
}

/// Of what is available, or else of all, the one that the number falls on.
fn nth(number: u32, available: &[usize], partition_count: usize) -> usize {
    let number = number as usize;
    match number.checked_rem(available.len()) {
        Some(place) => available[place],
        None => number.checked_rem(partition_count).unwrap_or(0),
    }
}

/// What is remembered of a topic between two choices.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    /// Where its records go as long as a batch is open there.
    kept: Option<PartitionSlot>,
    /// Whether no batch was opened in it since it was drawn: the record that it was drawn for did
    /// not get in.
    awaits_batch: bool,
    /// The index of the partition that was kept last.
    last: Option<usize>,
    /// Where its records go until that has had its bytes.
    pub(crate) fed: Option<Fed>,
    pub(crate) loads: Loads,
    /// The turn of the round robin that comes next.
    turn: u32,
}

/// A partition that is kept for a number of bytes (KIP-794, Java `StickyPartitionInfo`).
#[derive(Debug)]
pub(crate) struct Fed {
    pub(crate) partition: PartitionSlot,
    /// Bytes that went there since it was drawn.
    produced_bytes: usize,
    /// While a record is on its way there: what its open batch held before.
    before_bytes: Option<usize>,
}

impl Fed {
    pub(crate) fn new(partition: PartitionSlot) -> Self {
        Self {
            partition,
            produced_bytes: 0,
            before_bytes: None,
        }
    }

    pub(crate) fn has_enough(&self, sticky_bytes: usize, has_open: bool) -> bool {
        has_produced_enough(self.produced_bytes, sticky_bytes, has_open)
    }

    /// A record is on its way there; the open batch holds so much before it.
    pub(crate) fn begin(&mut self, before_bytes: usize) {
        self.before_bytes = Some(before_bytes);
    }

    /// A record has arrived in a batch, which holds so much now. If the record was on its way here
    /// and opened a new batch, that held nothing before.
    pub(crate) fn end(&mut self, after_bytes: usize, is_first: bool) {
        if let Some(before_bytes) = self.before_bytes.take() {
            let before_bytes = if is_first { 0 } else { before_bytes };
            let bytes = after_bytes.saturating_sub(before_bytes);
            self.produced_bytes = self.produced_bytes.saturating_add(bytes);
        }
    }

    /// The record that was on its way did not get in.
    pub(crate) fn cancel(&mut self) {
        self.before_bytes = None;
    }
}

impl Spread {
    /// Where its records go as long as a batch is open there.
    #[inline]
    pub(crate) fn kept(&self) -> Option<PartitionSlot> {
        self.kept
    }

    /// Whether what is kept was not used yet, so that it stays without an open batch, too.
    pub(crate) fn awaits_batch(&self) -> bool {
        self.awaits_batch
    }

    /// Its records go here from now on.
    pub(crate) fn keep(&mut self, partition: PartitionSlot, index: usize, has_open: bool) {
        self.kept = Some(partition);
        self.last = Some(index);
        self.awaits_batch = !has_open;
    }

    /// A batch was opened in this partition.
    pub(crate) fn on_batch_opened(&mut self, partition: PartitionSlot) {
        if self.kept == Some(partition) {
            self.awaits_batch = false;
        }
    }

    /// The leaders are others: only partitions that still have one are kept.
    pub(crate) fn on_new_leaders(&mut self, is_led: impl Fn(PartitionSlot) -> bool) {
        self.loads.forget();
        self.kept = self.kept.filter(|kept| is_led(*kept));
        self.fed.take_if(|fed| !is_led(fed.partition));
    }

    /// Whether all that is kept has a leader.
    pub(crate) fn keeps_only(&self, is_led: impl Fn(PartitionSlot) -> bool) -> bool {
        let fed = self.fed.as_ref().map(|fed| fed.partition);
        self.kept.into_iter().chain(fed).all(is_led)
    }

    /// Takes the next turn of the round robin.
    pub(crate) fn take_turn(&mut self, available: &[usize], partition_count: usize) -> usize {
        let turn = self.turn;
        self.turn = turn.wrapping_add(1);
        round_robin(turn, available, partition_count)
    }

    /// Gives back the turn that was just taken: its record was not accepted.
    pub(crate) fn give_back_turn(&mut self) {
        self.turn = self.turn.wrapping_sub(1);
    }

    /// Draws as [`draw`], but not the same partition as last time if there is another (KIP-480,
    /// Java `StickyPartitionCache`).
    pub(crate) fn draw_another(
        &self,
        available: &[usize],
        partition_count: usize,
        rng: &mut ChaCha8Rng,
    ) -> usize {
        let last = self
            .last
            .and_then(|index| available.binary_search(&index).ok());
        match last {
            Some(last) if available.len() > 1 => {
                let place = random::below(rng, available.len() - 1);
                available[if place < last { place } else { place + 1 }]
            }
            Some(_) | None => draw(available, partition_count, rng),
        }
    }

    /// Draws by the loads (KIP-794, Java `BuiltInPartitioner.nextPartition`); evenly among what is
    /// available if there are none.
    pub(crate) fn draw_by_load(
        &self,
        available: &[usize],
        partition_count: usize,
        rng: &mut ChaCha8Rng,
    ) -> usize {
        let random = random::positive(rng);
        let drawn = self.loads.draw(random);
        drawn.unwrap_or_else(|| nth(random, available, partition_count))
    }
}

/// Draws a partition: one with a leader if there is one. `available` is in order.
pub(crate) fn draw(available: &[usize], partition_count: usize, rng: &mut ChaCha8Rng) -> usize {
    if available.is_empty() {
        random::below(rng, partition_count)
    } else {
        available[random::below(rng, available.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Instant;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn turns_go_on_in_order_when_the_counter_wraps() {
        let mut spread = Spread {
            turn: 0x7fff_fffe,
            ..Spread::default()
        };
        let taken: Vec<usize> = (0..4).map(|_| spread.take_turn(&[], 4)).collect();
        assert_eq!(taken, [2, 3, 0, 1], "2^31 is a multiple of 4");
        spread.turn = u32::MAX;
        let taken: Vec<usize> = (0..2).map(|_| spread.take_turn(&[], 4)).collect();
        assert_eq!(taken, [3, 0]);
    }

    #[test]
    fn a_turn_that_is_given_back_is_taken_by_the_next() {
        let mut spread = Spread::default();
        assert_eq!(spread.take_turn(&[1, 3], 4), 1);
        spread.give_back_turn();
        assert_eq!(spread.take_turn(&[1, 3], 4), 1);
        assert_eq!(spread.take_turn(&[1, 3], 4), 3);
    }

    #[test]
    fn another_is_each_of_the_others_as_often() {
        let mut rng = ChaCha8Rng::from_seed([5; 32]);
        let available = [1, 2, 4, 7];
        let mut spread = Spread::default();
        let mut counts = [0; 8];
        spread.keep(PartitionSlot(0), 4, true);
        for _ in 0..30_000 {
            counts[spread.draw_another(&available, 8, &mut rng)] += 1;
        }
        assert_eq!(
            counts.iter().sum::<i32>(),
            counts[1] + counts[2] + counts[7]
        );
        for index in [1, 2, 7] {
            assert!((9_500..10_500).contains(&counts[index]), "{counts:?}");
        }
    }

    #[test]
    fn another_is_the_same_when_there_is_no_other() {
        let mut rng = ChaCha8Rng::from_seed([5; 32]);
        let mut spread = Spread::default();
        spread.keep(PartitionSlot(0), 4, true);
        assert_eq!(spread.draw_another(&[4], 8, &mut rng), 4);
        assert_eq!(spread.draw_another(&[3], 8, &mut rng), 3);
        assert!(spread.draw_another(&[], 8, &mut rng) < 8);
    }

    #[test]
    fn an_open_batch_is_filled_before_the_partition_changes_but_not_for_ever() {
        let enough = |bytes, has_open| has_produced_enough(bytes, 100, has_open);
        assert_eq!([99, 100].map(|bytes| enough(bytes, false)), [false, true]);
        assert_eq!([199, 200].map(|bytes| enough(bytes, true)), [false, true]);
        assert!(!has_produced_enough(usize::MAX - 1, usize::MAX, true));
    }

    #[test]
    fn only_records_on_their_way_count_as_fed() {
        let mut fed = Fed::new(PartitionSlot(0));
        let produced = |fed: &Fed| fed.produced_bytes;
        fed.begin(100);
        fed.end(130, false);
        assert_eq!(produced(&fed), 30);
        fed.end(200, false);
        assert_eq!(produced(&fed), 30, "a record with a key, in the same batch");
        fed.begin(200);
        fed.cancel();
        fed.end(250, false);
        assert_eq!(produced(&fed), 30, "nor does one that did not get in");
        fed.begin(250);
        fed.end(91, true);
        assert_eq!(produced(&fed), 121, "a new batch held nothing before");
    }

    #[test]
    fn new_leaders_end_what_is_kept_without_one_and_what_was_known_of_loads() {
        let (led, lost) = (PartitionSlot(1), PartitionSlot(2));
        for kept in [led, lost] {
            let mut spread = Spread::default();
            spread.keep(kept, 0, false);
            spread.fed = Some(Fed::new(kept));
            spread.loads.remake(Instant::ZERO, [(0, 1)].into_iter());
            spread.on_new_leaders(|partition| partition == led);
            assert_eq!(spread.kept().is_some(), kept == led);
            assert_eq!(spread.fed.is_some(), kept == led);
            assert!(!spread.loads.is_fresh(Instant::ZERO));
        }
    }
}
