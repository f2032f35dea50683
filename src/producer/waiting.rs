//! Calls that wait: for metadata, then for memory, first in first out, at most `max_block`.
//!
//! Owns: the waiters and the memory that was set aside for those whose turn it is.
//! Invariants L5 (nobody is forgotten, nobody is overtaken) and **Memory** (what is set aside is
//! counted).

use crate::accumulator::memory::Memory;
use crate::boundary::WaiterId;
use crate::slot::TopicSlot;
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// What a waiter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// The topic's partitions.
    Topic(TopicSlot),
    /// This partition of the topic.
    Partition(TopicSlot, i32),
    /// So many bytes.
    Memory(usize),
    /// Nothing any more: its turn has come, and so many bytes are set aside for it.
    Turn(usize),
}

/// One waiting call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiter {
    pub(crate) since: Instant,
    pub(crate) deadline: Instant,
    pub(crate) want: Want,
    /// When it began to want that.
    pub(crate) wants_since: Instant,
}

/// All waiting calls.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    next: u64,
    known: BTreeMap<WaiterId, Waiter>,
    /// Those who wait for memory; ids count up, so the first is the one that came first.
    for_memory: BTreeSet<WaiterId>,
    /// Those whose turn has not come.
    deadlines: BTreeSet<(Instant, WaiterId)>,
    reserved_bytes: usize,
}

impl Waiters {
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn reserved_bytes(&self) -> usize {
        self.reserved_bytes
    }

    /// Whether somebody waits for memory: whoever comes later waits behind.
    #[inline]
    pub(crate) fn presses(&self) -> bool {
        !self.for_memory.is_empty()
    }

    /// Who is the next to get memory.
    #[inline]
    pub(crate) fn first_for_memory(&self) -> Option<WaiterId> {
        self.for_memory.first().copied()
    }

    pub(crate) fn first_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(crate) fn find(&self, id: WaiterId) -> Option<Waiter> {
        self.known.get(&id).copied()
    }

    /// A new waiter.
    pub(crate) fn add(&mut self, now: Instant, deadline: Instant, want: Want) -> WaiterId {
        let id = WaiterId(self.next);
        self.next += 1;
        self.insert(
            id,
            Waiter {
                since: now,
                deadline,
                want,
                wants_since: now,
            },
        );
        id
    }

    /// A waiter whose turn came waits again, in its old place and with its old deadline.
    pub(crate) fn insert(&mut self, id: WaiterId, waiter: Waiter) {
        match waiter.want {
            Want::Memory(_) => drop(self.for_memory.insert(id)),
            Want::Topic(_) | Want::Partition(..) => {}
            Want::Turn(_) => unreachable!("a turn is given by the core"),
        }
        self.deadlines.insert((waiter.deadline, id));
        let other = self.known.insert(id, waiter);
        assert!(other.is_none(), "a waiter waits once");
    }

    /// Forgets a waiter and gives back what was set aside for it.
    pub(crate) fn remove(&mut self, id: WaiterId, memory: &mut Memory) -> Option<Waiter> {
        let waiter = self.known.remove(&id)?;
        self.for_memory.remove(&id);
        self.deadlines.remove(&(waiter.deadline, id));
        if let Want::Turn(bytes) = waiter.want {
            self.reserved_bytes -= bytes;
            memory.release(bytes);
        }
        Some(waiter)
    }

    /// It is this waiter's turn; `bytes` are set aside. It may take its time from now on.
    fn give_turn(&mut self, id: WaiterId, bytes: usize, memory: &mut Memory) -> Waiter {
        let waiter = self.known.get_mut(&id).expect("known");
        let before = *waiter;
        waiter.want = Want::Turn(bytes);
        self.deadlines.remove(&(waiter.deadline, id));
        self.for_memory.remove(&id);
        memory.reserve(bytes);
        self.reserved_bytes += bytes;
        before
    }

    /// The next waiter for whose record there is memory now, as it was; its bytes are set aside.
    pub(crate) fn admit_next(&mut self, memory: &mut Memory) -> Option<(WaiterId, Waiter)> {
        let id = *self.for_memory.first()?;
        let Want::Memory(bytes) = self.known[&id].want else {
            unreachable!("it is among those who wait for memory");
        };
        if bytes > memory.available_bytes() {
            return None;
        }
        Some((id, self.give_turn(id, bytes, memory)))
    }

    /// Gives a waiter for metadata its turn; returns it as it was.
    pub(crate) fn admit(&mut self, id: WaiterId, memory: &mut Memory) -> Waiter {
        self.give_turn(id, 0, memory)
    }

    /// The next waiter whose time is up; it is forgotten.
    pub(crate) fn expire_next(
        &mut self,
        now: Instant,
        memory: &mut Memory,
    ) -> Option<(WaiterId, Waiter)> {
        let (at, id) = *self.deadlines.first()?;
        if at > now {
            return None;
        }
        self.remove(id, memory).map(|waiter| (id, waiter))
    }

    /// Those who wait for metadata, in order.
    pub(crate) fn for_metadata(&self) -> Vec<(WaiterId, Waiter)> {
        let waits = |waiter: &Waiter| matches!(waiter.want, Want::Topic(_) | Want::Partition(..));
        let waiters = self.known.iter().filter(|(_, waiter)| waits(waiter));
        waiters.map(|(id, waiter)| (*id, *waiter)).collect()
    }

    /// Everybody, in order.
    pub(crate) fn ids(&self) -> Vec<WaiterId> {
        self.known.keys().copied().collect()
    }
}
