//! A table by connection: the producer counts its connections from 0, and the simulation forgets
//! none of them.

use core::ops::{Index, IndexMut};

use titorelli::ConnId;

/// What is known of each connection that the producer has made so far.
#[derive(Debug)]
pub(crate) struct ByConn<T> {
    rows: Vec<T>,
}

impl<T> ByConn<T> {
    pub(crate) const fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds the row of the next connection.
    ///
    /// # Panics
    /// It is not the next one: an id is never used twice, and none is left out.
    pub(crate) fn push(&mut self, conn: ConnId, row: T) {
        assert_eq!(place(conn), self.rows.len(), "connections are counted");
        self.rows.push(row);
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<&T> {
        self.rows.get(place(conn))
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = (ConnId, &T)> {
        (0..).map(ConnId).zip(&self.rows)
    }

    pub(crate) fn rows_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.rows.iter_mut()
    }
}

fn place(conn: ConnId) -> usize {
    usize::try_from(conn.0).expect("few connections")
}

impl<T> Index<ConnId> for ByConn<T> {
    type Output = T;

    fn index(&self, conn: ConnId) -> &T {
        &self.rows[place(conn)]
    }
}

impl<T> IndexMut<ConnId> for ByConn<T> {
    fn index_mut(&mut self, conn: ConnId) -> &mut T {
        &mut self.rows[place(conn)]
    }
}
