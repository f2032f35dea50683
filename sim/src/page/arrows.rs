//! Requests and answers: from where to where, and those that never arrived.

use std::collections::BTreeMap;

use titorelli::ConnId;

use super::rows::Row;
use crate::cluster::BrokerId;
use crate::codec::{ApiKey, error_code};
use crate::marks::Mark;

/// One request with its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) conn: ConnId,
    pub(super) id: i32,
    pub(super) api: ApiKey,
    pub(super) sent_y: u32,
    /// Who handled it, and where.
    pub(super) handled: Option<(u32, BrokerId)>,
    /// No answer is to be expected.
    pub(super) is_silent: bool,
    pub(super) answered_y: Option<u32>,
    /// The answer says that something failed.
    pub(super) is_refusal: bool,
}

/// Every request, in the order of sending.
pub(super) fn exchanges(rows: &[Row<'_>]) -> Vec<Exchange> {
    let mut all: Vec<Exchange> = Vec::new();
    // The place of the latest request of this number; numbers are not used again.
    let mut latest: BTreeMap<(ConnId, i32), usize> = BTreeMap::new();
    for row in rows {
        for mark in &row.marks {
            match mark {
                Mark::Request(conn, _, id, api) => {
                    latest.insert((*conn, *id), all.len());
                    all.push(Exchange {
                        conn: *conn,
                        id: *id,
                        api: *api,
                        sent_y: row.y,
                        handled: None,
                        is_silent: false,
                        answered_y: None,
                        is_refusal: false,
                    });
                }
                Mark::Handled(handled) => {
                    let asked = handled
                        .conn
                        .and_then(|conn| latest.get(&(conn, handled.id)));
                    if let Some(index) = asked {
                        let exchange = &mut all[*index];
                        exchange.is_silent = !handled.is_answered;
                        exchange.handled = Some((row.y, handled.broker));
                        let mut codes = handled.batches.iter().map(|batch| batch.error_code);
                        exchange.is_refusal = codes.any(|code| code != error_code::NONE);
                    }
                }
                Mark::Answer(conn, id) => {
                    if let Some(index) = latest.get(&(*conn, *id)) {
                        all[*index].answered_y.get_or_insert(row.y);
                    }
                }
                Mark::Opens(..)
                | Mark::Connected(_)
                | Mark::Ends(..)
                | Mark::Delivered(..)
                | Mark::Retry(..)
                | Mark::Leads(..)
                | Mark::Strikes(_)
                | Mark::Heals
                | Mark::Records(_) => {}
            }
        }
    }
    all
}
