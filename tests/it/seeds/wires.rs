//! The network of a run: every byte is delayed, cut up, lost or late as the plan has it.

use super::dice::Dice;
use super::plan::Habits;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use titorelli::{ConnId, SealJob, WaiterId};
use titorelli_sim::cluster::{BrokerId, PeerId};

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// A connection attempt reaches the host.
    Knock(ConnId),
    Established(ConnId),
    Refused(ConnId),
    /// The transport takes the next bytes.
    Write(ConnId),
    /// The driver reports what the transport took.
    Report(ConnId),
    ToBroker(ConnId, Bytes),
    ToClient(ConnId, Bytes),
    BrokerSeesEnd(ConnId),
    ClientSeesEnd(ConnId),
    Sealed(SealJob),
    Send,
    Fault,
    Resume(WaiterId),
    Cancel(WaiterId),
    Close,
    /// Outputs that were left lying are fetched.
    Poll,
}

/// One connection.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fault of its own, in any combination"
)]
pub(crate) struct Wire {
    pub(crate) broker: Option<BrokerId>,
    pub(crate) peer: Option<PeerId>,
    /// Neither the core nor the network has ended it.
    pub(crate) is_open: bool,
    is_cut: bool,
    is_silent: bool,
    outbox: VecDeque<Bytes>,
    is_writing: bool,
    /// Taken by the transport and not yet told to the core.
    pub(crate) unreported: usize,
    last_to_broker: u64,
    last_to_client: u64,
    pub(crate) budget_to_broker: Option<usize>,
    pub(crate) budget_to_client: Option<usize>,
}

/// All connections, and the heap of events.
#[derive(Debug)]
pub(crate) struct Wires {
    pub(crate) habits: Habits,
    pub(crate) dice: Dice,
    heap: BTreeMap<(u64, u64), Event>,
    serial: u64,
    pub(crate) all: BTreeMap<ConnId, Wire>,
    /// Nothing passes any more, in any direction.
    pub(crate) is_black: bool,
}

impl Wires {
    pub(crate) fn new(habits: Habits, dice: Dice) -> Self {
        Self {
            habits,
            dice,
            heap: BTreeMap::new(),
            serial: 0,
            all: BTreeMap::new(),
            is_black: false,
        }
    }

    pub(crate) fn plan(&mut self, at: u64, event: Event) {
        self.heap.insert((at, self.serial), event);
        self.serial += 1;
    }

    pub(crate) fn next_at(&self) -> Option<u64> {
        self.heap.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.heap.pop_first().map(|(_, event)| event)
    }

    fn latency(&mut self) -> u64 {
        self.dice.below(self.habits.latency_max) + 1
    }

    /// When something sent now reaches the broker: not before what was sent earlier.
    fn arrival_at_broker(&mut self, now: u64, conn: ConnId) -> u64 {
        let at = now + self.latency();
        let wire = self.all.get_mut(&conn).expect("connected");
        wire.last_to_broker = wire.last_to_broker.max(at);
        wire.last_to_broker
    }

    fn arrival_at_client(&mut self, now: u64, conn: ConnId) -> u64 {
        let at = now + self.latency();
        let wire = self.all.get_mut(&conn).expect("connected");
        wire.last_to_client = wire.last_to_client.max(at);
        wire.last_to_client
    }

    // ---- The client's end ---------------------------------------------------------------------

    pub(crate) fn connect(&mut self, now: u64, conn: ConnId, broker: Option<BrokerId>) {
        let wire = Wire {
            broker,
            is_open: true,
            ..Wire::default()
        };
        assert!(
            self.all.insert(conn, wire).is_none(),
            "{conn:?} is used twice"
        );
        let at = self.arrival_at_broker(now, conn);
        self.plan(at, Event::Knock(conn));
    }

    pub(crate) fn transmit(&mut self, now: u64, conn: ConnId, bytes: Bytes) {
        let wire = self.all.get_mut(&conn).expect("connected");
        if !wire.is_open {
            // The network ended it while these bytes were on the way here.
            return;
        }
        wire.outbox.push_back(bytes);
        if !core::mem::replace(&mut wire.is_writing, true) {
            self.plan(now, Event::Write(conn));
        }
    }

    /// The core ends a connection. A driver may be in the middle of writing what it was given, and
    /// all that was taken may still arrive, late.
    pub(crate) fn disconnect(&mut self, now: u64, conn: ConnId) {
        let is_late = self.dice.percent(30);
        let wire = self.all.get_mut(&conn).expect("connected");
        // Both may end it at one time.
        if !core::mem::replace(&mut wire.is_open, false) {
            return;
        }
        let rest = core::mem::take(&mut wire.outbox);
        if is_late {
            for bytes in rest {
                self.ship_to_broker(now, conn, bytes);
            }
        }
        let at = self.arrival_at_broker(now, conn);
        let linger = if self.dice.percent(20) {
            self.dice.below(2_000_000)
        } else {
            0
        };
        self.plan(at + linger, Event::BrokerSeesEnd(conn));
    }

    /// The transport takes bytes.
    pub(crate) fn write(&mut self, now: u64, conn: ConnId) {
        let most = self.habits.write_bytes_max;
        let most = if most == usize::MAX {
            most
        } else {
            1 + self.dice.index(most)
        };
        let wire = self.all.get_mut(&conn).expect("connected");
        let Some(front) = wire.outbox.front_mut() else {
            wire.is_writing = false;
            return;
        };
        let taken = front.split_to(front.len().min(most));
        if front.is_empty() {
            wire.outbox.pop_front();
        }
        let is_first = wire.unreported == 0;
        wire.unreported += taken.len();
        if is_first {
            let late = self.dice.below(self.habits.report_max + 1);
            self.plan(now + late, Event::Report(conn));
        }
        let pause = if most == usize::MAX {
            0
        } else {
            self.dice.below(50)
        };
        self.plan(now + pause, Event::Write(conn));
        self.ship_to_broker(now, conn, taken);
    }

    fn ship_to_broker(&mut self, now: u64, conn: ConnId, mut bytes: Bytes) {
        let wire = self.all.get_mut(&conn).expect("connected");
        if wire.is_cut {
            return;
        }
        let is_end = trim(&mut wire.budget_to_broker, &mut bytes);
        while !bytes.is_empty() {
            let chunk = self.chunk(&mut bytes);
            let at = self.arrival_at_broker(now, conn);
            self.plan(at, Event::ToBroker(conn, chunk));
        }
        if is_end {
            self.cut(now, conn);
        }
    }

    // ---- The broker's end ---------------------------------------------------------------------

    pub(crate) fn accept(&mut self, now: u64, conn: ConnId) {
        let at = self.arrival_at_client(now, conn);
        self.plan(at, Event::Established(conn));
    }

    pub(crate) fn refuse(&mut self, now: u64, conn: ConnId) {
        let at = self.arrival_at_client(now, conn);
        self.plan(at, Event::Refused(conn));
    }

    pub(crate) fn respond(&mut self, now: u64, conn: ConnId, mut bytes: Bytes) {
        let wire = self.all.get_mut(&conn).expect("connected");
        if wire.is_cut || wire.is_silent {
            return;
        }
        let is_end = trim(&mut wire.budget_to_client, &mut bytes);
        while !bytes.is_empty() {
            let chunk = self.chunk(&mut bytes);
            let at = self.arrival_at_client(now, conn);
            self.plan(at, Event::ToClient(conn, chunk));
        }
        if is_end {
            self.cut(now, conn);
        }
    }

    pub(crate) fn broker_closes(&mut self, now: u64, conn: ConnId) {
        let wire = self.all.get_mut(&conn).expect("connected");
        if !wire.is_cut && !wire.is_silent {
            wire.is_cut = true;
            let at = self.arrival_at_client(now, conn);
            self.plan(at, Event::ClientSeesEnd(conn));
        }
    }

    /// The client hears that the connection is gone: false, it knows already. What was not taken is
    /// lost.
    pub(crate) fn end(&mut self, conn: ConnId) -> bool {
        let wire = self.all.get_mut(&conn).expect("connected");
        wire.outbox.clear();
        core::mem::replace(&mut wire.is_open, false)
    }

    // ---- Faults -------------------------------------------------------------------------------

    /// Both ends hear of it a latency later; what is on its way arrives.
    pub(crate) fn cut(&mut self, now: u64, conn: ConnId) {
        let wire = self.all.get_mut(&conn).expect("connected");
        if core::mem::replace(&mut wire.is_cut, true) {
            return;
        }
        let is_deaf = wire.is_silent;
        let at = self.arrival_at_broker(now, conn);
        self.plan(at, Event::BrokerSeesEnd(conn));
        if !is_deaf {
            let at = self.arrival_at_client(now, conn);
            self.plan(at, Event::ClientSeesEnd(conn));
        }
    }

    /// The broker's bytes vanish, without an end.
    pub(crate) fn silence(&mut self, conn: ConnId) {
        self.all.get_mut(&conn).expect("connected").is_silent = true;
    }

    /// A connection that is in use, if there is one.
    pub(crate) fn any_open(&mut self) -> Option<ConnId> {
        let open = self
            .all
            .iter()
            .filter(|(_, wire)| wire.is_open && !wire.is_cut);
        let open: Vec<ConnId> = open.map(|(conn, _)| *conn).collect();
        (!open.is_empty()).then(|| self.dice.pick(&open))
    }

    fn chunk(&mut self, bytes: &mut Bytes) -> Bytes {
        let most = self.habits.chunk_bytes_max;
        let most = if most == usize::MAX {
            most
        } else {
            1 + self.dice.index(most)
        };
        bytes.split_to(bytes.len().min(most))
    }
}

/// Lets through as many bytes as the budget has; true: it is used up.
fn trim(budget: &mut Option<usize>, bytes: &mut Bytes) -> bool {
    let Some(budget) = budget else {
        return false;
    };
    let is_end = bytes.len() > *budget;
    bytes.truncate(*budget);
    *budget -= bytes.len();
    is_end
}
