//! `buffer_memory`, exact in bytes.
//!
//! Owns: the count of bytes held by records that are not completed, and the buffers to use again.
//! Never: who waits for memory. Invariant **Memory** (S8): `used ≤ limit`, and buffers at rest plus
//! buffers in use never exceed the limit either.

/// The memory that batches may hold.
#[derive(Debug)]
pub(crate) struct Memory {
    limit_bytes: usize,
    used_bytes: usize,
    /// How much more than the limit may be in use: see [`exchange`](Self::exchange).
    over_bytes: usize,
    /// Buffers at rest, the warmest last. Kept at the capacity they reached: growing again costs
    /// more than it saves.
    resting: Vec<Vec<u8>>,
    resting_bytes: usize,
}

impl Memory {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            used_bytes: 0,
            over_bytes: 0,
            resting: Vec::new(),
            resting_bytes: 0,
        }
    }

    pub(crate) fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    pub(crate) fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    pub(crate) fn available_bytes(&self) -> usize {
        self.limit_bytes.saturating_sub(self.used_bytes)
    }

    /// What is in use beyond the limit.
    pub(crate) fn over_bytes(&self) -> usize {
        self.over_bytes
    }

    /// Instead of `before` bytes `after` are in use: what is left of a batch that was divided. This
    /// alone may exceed the limit. The parts of a compressed batch need somewhat more than the
    /// whole did, and cannot wait for it: who holds the memory waits behind them.
    pub(crate) fn exchange(&mut self, before: usize, after: usize) {
        self.release(before);
        self.used_bytes += after;
        let over_bytes = self.used_bytes.saturating_sub(self.limit_bytes);
        self.over_bytes = self.over_bytes.max(over_bytes);
        self.trim();
    }

    /// An empty buffer of at least `least` bytes, `wish` if there is room; its capacity is in use
    /// from now on.
    pub(crate) fn take(&mut self, least: usize, wish: usize) -> Option<Vec<u8>> {
        let room = self.available_bytes();
        if least > room {
            return None;
        }
        if let Some(capacity) = self.resting.last().map(Vec::capacity)
            && capacity >= least
            && capacity <= room
        {
            self.resting_bytes -= capacity;
            self.used_bytes += capacity;
            return self.resting.pop();
        }
        let buffer = Vec::with_capacity(wish.clamp(least, room));
        self.used_bytes += buffer.capacity();
        assert!(
            self.used_bytes <= self.limit_bytes + self.over_bytes,
            "Memory: used ≤ limit"
        );
        self.trim();
        Some(buffer)
    }

    /// Lets `buffer` grow to hold `least` bytes in all, `wish` if there is room. False when there
    /// is no memory; the buffer is as it was then.
    pub(crate) fn grow(&mut self, buffer: &mut Vec<u8>, least: usize, wish: usize) -> bool {
        let capacity = buffer.capacity();
        let most = capacity + self.available_bytes();
        if least > most {
            return false;
        }
        buffer.reserve_exact(wish.clamp(least, most) - buffer.len());
        self.used_bytes += buffer.capacity() - capacity;
        assert!(
            self.used_bytes <= self.limit_bytes + self.over_bytes,
            "Memory: used ≤ limit"
        );
        self.trim();
        true
    }

    /// Counts bytes as used that no buffer holds yet. The caller made sure of the room.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        assert!(
            bytes <= self.available_bytes(),
            "Memory: reserved only what is there"
        );
        self.used_bytes += bytes;
        self.trim();
    }

    /// Gives back bytes whose buffer is elsewhere or gone.
    pub(crate) fn release(&mut self, bytes: usize) {
        assert!(
            bytes <= self.used_bytes,
            "Memory: released only what was taken"
        );
        self.used_bytes -= bytes;
        let over_bytes = self.used_bytes.saturating_sub(self.limit_bytes);
        self.over_bytes = self.over_bytes.min(over_bytes);
    }

    /// Puts a buffer to rest whose bytes were released before.
    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.used_bytes + self.resting_bytes + buffer.capacity() <= self.limit_bytes {
            buffer.clear();
            self.resting_bytes += buffer.capacity();
            self.resting.push(buffer);
        }
    }

    /// Drops resting buffers, the coldest first, until all fits the limit.
    fn trim(&mut self) {
        let excess = (self.used_bytes + self.resting_bytes).saturating_sub(self.limit_bytes);
        let (mut dropped_bytes, mut dropped) = (0, 0);
        while dropped_bytes < excess && dropped < self.resting.len() {
            dropped_bytes += self.resting[dropped].capacity();
            dropped += 1;
        }
        self.resting.drain(..dropped);
        self.resting_bytes -= dropped_bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_exact() {
        let mut memory = Memory::new(100);
        let mut first = memory.take(60, 80).expect("room for 80");
        assert_eq!((first.capacity(), memory.used_bytes()), (80, 80));
        assert!(memory.take(21, 30).is_none());
        let second = memory.take(10, 64).expect("room for 20");
        assert_eq!((second.capacity(), memory.available_bytes()), (20, 0));
        assert!(!memory.grow(&mut first, 81, 160));
        memory.release(second.capacity());
        assert!(memory.grow(&mut first, 81, 160));
        assert_eq!((first.capacity(), memory.used_bytes()), (100, 100));
    }

    #[test]
    fn resting_buffers_never_exceed_the_limit_together_with_the_used_ones() {
        let mut memory = Memory::new(100);
        let (a, b) = (
            memory.take(40, 40).expect("40"),
            memory.take(40, 40).expect("40"),
        );
        for buffer in [a, b] {
            memory.release(buffer.capacity());
            memory.recycle(buffer);
        }
        assert_eq!((memory.used_bytes, memory.resting_bytes), (0, 80));
        let _large = memory.take(70, 70).expect("70");
        assert_eq!((memory.used_bytes, memory.resting_bytes), (70, 0));
    }

    #[test]
    fn only_an_exchange_exceeds_the_limit_and_nobody_else_gets_memory_until_it_is_made_up_for() {
        let mut memory = Memory::new(100);
        let buffer = memory.take(30, 30).expect("30");
        memory.release(30);
        memory.recycle(buffer);
        memory.reserve(60);
        memory.exchange(0, 70);
        assert_eq!((memory.used_bytes(), memory.over_bytes()), (130, 30));
        assert_eq!((memory.resting_bytes, memory.available_bytes()), (0, 0));
        assert!(memory.take(1, 1).is_none());
        memory.release(10);
        assert_eq!((memory.over_bytes(), memory.available_bytes()), (20, 0));
        memory.exchange(60, 20);
        assert_eq!((memory.over_bytes(), memory.available_bytes()), (0, 20));
    }

    #[test]
    fn a_resting_buffer_is_used_again_when_it_fits() {
        let mut memory = Memory::new(1_000);
        let buffer = memory.take(10, 500).expect("500");
        memory.release(500);
        memory.recycle(buffer);
        assert_eq!(
            memory.take(10, 64).expect("the resting one").capacity(),
            500
        );
        assert_eq!((memory.used_bytes, memory.resting_bytes), (500, 0));
    }
}
