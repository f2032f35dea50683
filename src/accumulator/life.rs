//! The life of a batch as it goes on: what it waits for, and since when.
//!
//! Owns: the account of its time, which always adds up to its age. Never: why it waits; what its
//! partition and its leader were kept by is told by [`Clocks`].

use crate::biography::{Attempt, Biography};
use crate::slot::BrokerSlot;
use crate::time::Instant;
use core::time::Duration;

/// For how long something was so, all in all, at one moment. Two readings tell how much of the time
/// between them it was.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clocks {
    /// The partition had something to send and no leader.
    pub(crate) without_leader: Duration,
    /// Its leader throttled.
    pub(crate) throttled: Duration,
    /// That leader.
    pub(crate) leader: Option<BrokerSlot>,
}

/// What it is at.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// It waits: until the instant for its linger or its backoff, then for its turn.
    /// `None` for the clocks: nobody read them.
    Waiting { clocks: Option<Clocks> },
    /// It is with the driver or with a broker.
    UnderWay,
}

/// The life of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    stage: Stage,
    since: Instant,
    told: Biography,
}

/// What a wait begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pause {
    /// Its linger, until then.
    Linger(Instant),
    /// Its backoff, until then.
    Backoff(Instant),
}

impl Life {
    pub(crate) fn begun(now: Instant) -> Self {
        Self {
            stage: Stage::Waiting { clocks: None },
            since: now,
            told: Biography::default(),
        }
    }

    /// It was opened just now, when the clocks showed this.
    pub(crate) fn read(&mut self, now: Clocks) {
        self.stage = Stage::Waiting { clocks: Some(now) };
    }

    /// It leaves its lane, or its life ends. `pause` is what its wait began with.
    pub(crate) fn leave(&mut self, now: Instant, clocks: Clocks, pause: Pause) {
        self.account(now, clocks, pause);
        self.stage = Stage::UnderWay;
    }

    /// It comes into its lane, or back.
    pub(crate) fn wait(&mut self, now: Instant, clocks: Clocks, pause: Pause) {
        self.account(now, clocks, pause);
        self.stage = Stage::Waiting {
            clocks: Some(clocks),
        };
    }

    pub(crate) fn add(&mut self, attempt: Attempt) {
        self.told.add(attempt);
    }

    /// All of it, at its end.
    pub(crate) fn tell(self) -> Biography {
        self.told
    }

    /// Puts down what the time since the last change was spent with.
    fn account(&mut self, now: Instant, at_end: Clocks, pause: Pause) {
        let mut rest = now.since(self.since);
        let mut take = |most: Duration| {
            let taken = most.min(rest);
            rest -= taken;
            taken
        };
        let spent = &mut self.told.spent;
        match self.stage {
            Stage::UnderWay => spent.in_flight += take(Duration::MAX),
            Stage::Waiting { clocks } => {
                match pause {
                    Pause::Linger(until) => spent.lingering += take(until.since(self.since)),
                    Pause::Backoff(until) => spent.backing_off += take(until.since(self.since)),
                }
                let clocks = clocks.unwrap_or(at_end);
                let without_leader = at_end.without_leader.saturating_sub(clocks.without_leader);
                spent.without_leader += take(without_leader);
                if at_end.leader == clocks.leader {
                    spent.throttled += take(at_end.throttled.saturating_sub(clocks.throttled));
                }
                spent.queued += take(Duration::MAX);
            }
        }
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::biography::Spent;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    const fn clocks(without_leader_ms: u64, throttled_ms: u64) -> Clocks {
        Clocks {
            without_leader: Duration::from_millis(without_leader_ms),
            throttled: Duration::from_millis(throttled_ms),
            leader: Some(BrokerSlot(0)),
        }
    }

    #[test]
    fn the_account_adds_up_to_the_age() {
        let mut life = Life::begun(at(100));
        life.read(clocks(40, 7));
        // 5 ms of linger, 10 without a leader, the rest in the queue.
        life.leave(at(130), clocks(50, 7), Pause::Linger(at(105)));
        life.wait(at(160), clocks(50, 7), Pause::Backoff(at(0)));
        // 20 ms of backoff, 30 throttled.
        life.leave(at(210), clocks(50, 37), Pause::Backoff(at(180)));
        life.leave(at(215), clocks(50, 37), Pause::Backoff(at(0)));
        let spent = life.tell().spent;
        let ms = Duration::from_millis;
        let told = Spent {
            lingering: ms(5),
            without_leader: ms(10),
            backing_off: ms(20),
            throttled: ms(30),
            queued: ms(15),
            in_flight: ms(35),
        };
        assert_eq!(spent, told);
    }
}
