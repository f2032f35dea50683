//! The lanes, from left to right: the application, connections, brokers, partitions.

use std::collections::BTreeMap;

use titorelli::ConnId;

use super::rows::Row;
use crate::cluster::BrokerId;
use crate::marks::Mark;

/// Where the application's lane is, to the right of what is told in words.
pub(super) const APP_X: u32 = 640;
/// Where connections begin.
pub(super) const CONNS_X: u32 = APP_X + GAP;
/// From one lane to the next of its kind.
const CONN_STEP: u32 = 40;
const BROKER_STEP: u32 = 62;
const PARTITION_STEP: u32 = 78;
/// Between kinds.
const GAP: u32 = 46;

/// A connection's lane: another takes its place when it has ended.
#[derive(Debug)]
pub(super) struct ConnLane {
    pub(super) x: u32,
    pub(super) broker: Option<BrokerId>,
    pub(super) from_y: u32,
    pub(super) connected_y: Option<u32>,
    /// True: not by the core.
    pub(super) ended: Option<(u32, bool)>,
}

/// Every lane.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) conns: BTreeMap<ConnId, ConnLane>,
    pub(super) brokers: BTreeMap<BrokerId, u32>,
    pub(super) partitions: BTreeMap<(String, i32), u32>,
    /// How many connections were there at one time.
    pub(super) columns: usize,
    pub(super) width: u32,
    pub(super) bottom: u32,
}

impl Lanes {
    pub(super) fn of(rows: &[Row<'_>], brokers: impl Iterator<Item = BrokerId>) -> Self {
        let bottom = rows.last().map_or(0, |row| row.y) + 24;
        let (conns, columns) = connections(rows);
        let mut x = CONNS_X + CONN_STEP * u32::try_from(columns).expect("a few") + 2 * GAP;
        let mut lanes = Self {
            conns,
            brokers: BTreeMap::new(),
            partitions: BTreeMap::new(),
            columns,
            width: 0,
            bottom,
        };
        for broker in brokers {
            lanes.brokers.insert(broker, x);
            x += BROKER_STEP;
        }
        x += GAP;
        for mark in rows.iter().flat_map(|row| &row.marks) {
            for place in places(mark) {
                lanes.partitions.entry(place).or_default();
            }
        }
        for place in lanes.partitions.values_mut() {
            *place = x;
            x += PARTITION_STEP;
        }
        lanes.width = x + GAP;
        lanes
    }

    pub(super) fn partition_x(&self, topic: &str, partition: i32) -> Option<u32> {
        self.partitions.get(&(topic.to_owned(), partition)).copied()
    }
}

/// The partitions that a fact is about.
pub(super) fn places(mark: &Mark) -> Vec<(String, i32)> {
    match mark {
        Mark::Handled(handled) => {
            let batches = handled
                .batches
                .iter()
                .filter(|batch| !batch.topic.is_empty());
            batches
                .map(|batch| (batch.topic.clone(), batch.partition))
                .collect()
        }
        Mark::Delivered(topic, partition, _)
        | Mark::Retry(topic, partition)
        | Mark::Leads(topic, partition, _) => vec![(topic.clone(), *partition)],
        Mark::Opens(..)
        | Mark::Connected(_)
        | Mark::Ends(..)
        | Mark::Request(..)
        | Mark::Answer(..)
        | Mark::Strikes(_)
        | Mark::Heals
        | Mark::Records(_) => Vec::new(),
    }
}

/// Each connection in the first column that is free when it begins; and how many columns there are.
fn connections(rows: &[Row<'_>]) -> (BTreeMap<ConnId, ConnLane>, usize) {
    let mut conns: BTreeMap<ConnId, ConnLane> = BTreeMap::new();
    let mut columns: Vec<Option<ConnId>> = Vec::new();
    let mut open = |conns: &mut BTreeMap<ConnId, ConnLane>, conn, broker, from_y| {
        let free = |holder: &Option<ConnId>| match holder {
            None => true,
            // Its end is told a little below.
            Some(holder) => conns[holder].ended.is_some_and(|(y, _)| y + 32 < from_y),
        };
        let column = columns.iter().position(free).unwrap_or(columns.len());
        if column == columns.len() {
            columns.push(None);
        }
        columns[column] = Some(conn);
        let x = CONNS_X + CONN_STEP * u32::try_from(column).expect("a few");
        let lane = ConnLane {
            x,
            broker,
            from_y,
            connected_y: None,
            ended: None,
        };
        conns.insert(conn, lane);
    };
    for row in rows {
        for mark in &row.marks {
            match mark {
                Mark::Opens(conn, broker) => open(&mut conns, *conn, *broker, row.y),
                // It was there before anything was noted.
                Mark::Request(conn, broker, ..) if !conns.contains_key(conn) => {
                    open(&mut conns, *conn, *broker, 0);
                }
                Mark::Connected(conn) => {
                    if let Some(lane) = conns.get_mut(conn) {
                        lane.connected_y = Some(row.y);
                    }
                }
                Mark::Ends(conn, is_lost) => {
                    if let Some(lane) = conns.get_mut(conn) {
                        lane.ended = Some((row.y, *is_lost));
                    }
                }
                Mark::Request(..)
                | Mark::Handled(_)
                | Mark::Answer(..)
                | Mark::Delivered(..)
                | Mark::Retry(..)
                | Mark::Leads(..)
                | Mark::Strikes(_)
                | Mark::Heals
                | Mark::Records(_) => {}
            }
        }
    }
    let count = columns.len();
    (conns, count)
}
