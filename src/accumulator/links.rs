//! A doubly linked list threaded through the slots of another table.
//!
//! Owns: the order. Invariant: a slot is in the list at most once. Insertion at the end, removal
//! anywhere and a look at the front are O(1), which keeps timers that all have the same span
//! (linger, `delivery_timeout`) at O(1) however many batches there are.

/// No slot.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    after: u32,
    is_linked: bool,
}

const UNLINKED: Link = Link {
    before: NONE,
    after: NONE,
    is_linked: false,
};

/// The list. Slots are dense numbers; the list grows with the greatest it has seen.
#[derive(Debug)]
pub(crate) struct Links {
    places: Vec<Link>,
    front: u32,
    back: u32,
}

impl Links {
    pub(crate) fn new() -> Self {
        Self {
            places: Vec::new(),
            front: NONE,
            back: NONE,
        }
    }

    /// The slot that was inserted first.
    pub(crate) fn front(&self) -> Option<u32> {
        (self.front != NONE).then_some(self.front)
    }

    pub(crate) fn contains(&self, slot: u32) -> bool {
        self.places
            .get(slot as usize)
            .is_some_and(|link| link.is_linked)
    }

    pub(crate) fn push_back(&mut self, slot: u32) {
        if self.places.len() <= slot as usize {
            self.places.resize(slot as usize + 1, UNLINKED);
        }
        assert!(!self.contains(slot), "a slot is linked once");
        self.places[slot as usize] = Link {
            before: self.back,
            after: NONE,
            is_linked: true,
        };
        match self.places.get_mut(self.back as usize) {
            Some(back) => back.after = slot,
            None => self.front = slot,
        }
        self.back = slot;
    }

    /// Puts `slot` in right before `next`, which is in: O(1) as well.
    pub(crate) fn insert_before(&mut self, next: u32, slot: u32) {
        if self.places.len() <= slot as usize {
            self.places.resize(slot as usize + 1, UNLINKED);
        }
        assert!(!self.contains(slot), "a slot is linked once");
        assert!(self.contains(next), "it goes before one that is there");
        let before = core::mem::replace(&mut self.places[next as usize].before, slot);
        self.places[slot as usize] = Link {
            before,
            after: next,
            is_linked: true,
        };
        match self.places.get_mut(before as usize) {
            Some(link) => link.after = slot,
            None => self.front = slot,
        }
    }

    /// Takes the slot out; nothing happens when it is not in.
    pub(crate) fn remove(&mut self, slot: u32) {
        if !self.contains(slot) {
            return;
        }
        let Link { before, after, .. } = self.places[slot as usize];
        match self.places.get_mut(before as usize) {
            Some(link) => link.after = after,
            None => self.front = after,
        }
        match self.places.get_mut(after as usize) {
            Some(link) => link.before = before,
            None => self.back = before,
        }
        self.places[slot as usize] = UNLINKED;
    }

    /// All slots in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        core::iter::successors(self.front(), |slot| {
            let after = self.places[*slot as usize].after;
            (after != NONE).then_some(after)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_through_removals_anywhere() {
        let mut links = Links::new();
        for slot in [4, 0, 7, 2] {
            links.push_back(slot);
        }
        links.remove(0);
        assert_eq!(links.iter().collect::<Vec<_>>(), [4, 7, 2]);
        links.remove(4);
        links.remove(2);
        links.remove(2);
        assert_eq!((links.front(), links.iter().count()), (Some(7), 1));
        links.remove(7);
        assert_eq!(links.front(), None);
        links.push_back(0);
        assert_eq!(links.iter().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn what_is_put_before_another_is_found_there() {
        let mut links = Links::new();
        links.push_back(3);
        links.insert_before(3, 9);
        links.push_back(1);
        links.insert_before(1, 5);
        assert_eq!(links.iter().collect::<Vec<_>>(), [9, 3, 5, 1]);
        links.remove(1);
        links.push_back(0);
        assert_eq!(links.iter().collect::<Vec<_>>(), [9, 3, 5, 0]);
        assert_eq!(links.front(), Some(9));
    }
}
