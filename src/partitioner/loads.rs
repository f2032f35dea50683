//! How much waits for each partition, and a draw that gives less to those for which much waits
//! (KIP-794, Java `BuiltInPartitioner`).

use crate::time::Instant;
use core::time::Duration;

/// Queue lengths older than this are looked up again before a draw: it costs a look at every
/// partition of the topic, and draws may come thousands of times a second.
const AGE_MAX: Duration = Duration::from_millis(5);

/// Replaces the lengths of queues, in batches, by the running sum of their weights. The longest
/// queue has the weight 1, every batch less is 1 more. Java:
/// `BuiltInPartitioner.updatePartitionLoadStats`.
///
/// The sum stays below 2³¹, where Java overflows: longer queues than that allows count as the
/// longest that it does.
///
/// ```
/// let mut queues = [0, 3, 1];
/// titorelli::partitioner::cumulative_weights(&mut queues);
/// assert_eq!(queues, [4, 5, 8]);
/// ```
pub fn cumulative_weights(queues: &mut [u32]) {
    let count = u32::try_from(queues.len()).unwrap_or(u32::MAX).max(1);
    let queue_max = (0x7fff_ffff / count).saturating_sub(1);
    let capped = |queue: u32| queue.min(queue_max);
    let longest = queues.iter().copied().map(capped).max().unwrap_or(0);
    let mut sum = 0_u32;
    for queue in queues {
        sum = sum.saturating_add(longest + 1 - capped(*queue));
        *queue = sum;
    }
}

/// The place among these [`cumulative_weights`] that a random number of 31 bits falls on: the
/// first whose sum is greater than the number modulo the last sum. 0 when there are none. Java:
/// `BuiltInPartitioner.nextPartition`.
///
/// ```
/// use titorelli::partitioner::weighted_index;
///
/// let drawn = [0, 3, 4, 5, 7, 8].map(|random| weighted_index(&[4, 5, 8], random));
/// assert_eq!(drawn, [0, 0, 1, 2, 2, 0]);
/// ```
#[must_use]
pub fn weighted_index(cumulative: &[u32], random: u32) -> usize {
    let Some(point) = cumulative.last().and_then(|sum| random.checked_rem(*sum)) else {
        return 0;
    };
    cumulative.partition_point(|sum| *sum <= point)
}

/// The weights of a topic's partitions, as of some instant.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    /// Unset: never, or the leaders are others since.
    made_at: Option<Instant>,
    /// One per index.
    cumulative: Vec<u32>,
    /// The partitions that have a weight.
    indices: Vec<usize>,
}

impl Loads {
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        self.made_at.is_some_and(|made_at| now < made_at + AGE_MAX)
    }

    /// They are to be looked up again before the next draw.
    pub(crate) fn forget(&mut self) {
        self.made_at = None;
    }

    /// Takes over partitions and the lengths of their queues.
    pub(crate) fn remake(&mut self, now: Instant, loads: impl Iterator<Item = (usize, usize)>) {
        self.made_at = Some(now);
        self.indices.clear();
        self.cumulative.clear();
        for (index, queue) in loads {
            self.indices.push(index);
            self.cumulative
                .push(u32::try_from(queue).unwrap_or(u32::MAX));
        }
        cumulative_weights(&mut self.cumulative);
    }

    /// The partition that a random number of 31 bits falls on, if any has a weight.
    pub(crate) fn draw(&self, random: u32) -> Option<usize> {
        let place = weighted_index(&self.cumulative, random);
        self.indices.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_queues_are_drawn_from_evenly() {
        let mut queues = [7; 5];
        cumulative_weights(&mut queues);
        assert_eq!(queues, [1, 2, 3, 4, 5]);
        for random in 0..20 {
            assert_eq!(weighted_index(&queues, random), random as usize % 5);
        }
    }

    #[test]
    fn absurd_queues_neither_overflow_nor_hide_a_partition() {
        let mut queues = [u32::MAX, 0, u32::MAX, 5];
        cumulative_weights(&mut queues);
        assert!(queues.is_sorted_by(|a, b| a < b), "{queues:?}");
        assert!(queues[3] <= 0x7fff_ffff, "{queues:?}");
        assert_eq!(queues[0], 1, "the longest has the weight 1");
        cumulative_weights(&mut []);
        assert_eq!(weighted_index(&[], 5), 0);
    }

    #[test]
    fn weights_age_and_are_forgotten() {
        let mut loads = Loads::default();
        let at = Instant::from_millis;
        assert!(!loads.is_fresh(at(0)));
        assert_eq!(loads.draw(3), None, "nothing has a weight");
        loads.remake(at(10), [(2, 1), (5, 0)].into_iter());
        assert!(loads.is_fresh(at(14)) && !loads.is_fresh(at(15)));
        let drawn = [0, 1, 2, 3].map(|random| loads.draw(random));
        assert_eq!(drawn, [Some(2), Some(5), Some(5), Some(2)]);
        loads.forget();
        assert!(!loads.is_fresh(at(10)));
    }
}
