//! What a drawing of a run needs and its text does not tell: facts as values, each at its line.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};
use titorelli::{ConnId, Instant};

use crate::cluster::{BatchOutcome, BrokerId};
use crate::codec::ApiKey;
use crate::fault::Fault;
use crate::journal::RecordId;

/// One fact.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    /// The core wants a connection; whoever lives at that address.
    Opens(ConnId, Option<BrokerId>),
    Connected(ConnId),
    /// A connection ended; true: not by the core.
    Ends(ConnId, bool),
    /// The core handed out a request, by its number.
    Request(ConnId, Option<BrokerId>, i32, ApiKey),
    Handled(Handled),
    /// An answer arrived whole, by the number of its request.
    Answer(ConnId, i32),
    /// Records of a partition ended.
    Delivered(String, i32, Fate),
    Retry(String, i32),
    Leads(String, i32, Option<i32>),
    Strikes(Fault),
    /// Everything heals.
    Heals,
    /// The line is about these records.
    Records(Vec<RecordId>),
}

/// A request that a broker has handled.
#[derive(Clone, Debug)]
pub(crate) struct Handled {
    /// `None`: nobody listens there any more.
    pub(crate) conn: Option<ConnId>,
    pub(crate) id: i32,
    pub(crate) broker: BrokerId,
    pub(crate) is_answered: bool,
    pub(crate) batches: Vec<BatchOutcome>,
}

/// How records ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Acked,
    NotPersisted,
    MaybePersisted,
}

/// A fact at its place.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) at: Instant,
    /// So many lines were written before it, or with it.
    pub(crate) after_lines: usize,
    /// It has no line of its own in the text.
    pub(crate) is_apart: bool,
    pub(crate) mark: Mark,
}

/// All facts of a run, in order.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub(crate) placed: Vec<Placed>,
    /// Answers that have not arrived whole.
    answers: BTreeMap<ConnId, BytesMut>,
}

impl Marks {
    /// Bytes arrive at the core. The requests that are answered by them; a stream that makes no
    /// sense answers none.
    pub(crate) fn take_answers(&mut self, conn: ConnId, bytes: &Bytes) -> Vec<i32> {
        let stream = self.answers.entry(conn).or_default();
        stream.extend_from_slice(bytes);
        let mut answered = Vec::new();
        while let Some(head) = stream.first_chunk::<8>() {
            let [length, id] = [0, 4].map(|at| {
                let bytes = head[at..at + 4].try_into();
                i32::from_be_bytes(bytes.expect("four of eight"))
            });
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let Some(end) = length.checked_add(4).filter(|end| *end <= stream.len()) else {
                break;
            };
            answered.push(id);
            stream.advance(end.max(8));
        }
        answered
    }
}
