//! Conservation: every call has one end.

use crate::journal::RecordState;
use crate::world::World;

/// Checks the producer's own counts against the journal. Call it when the producer is closed.
///
/// # Panics
/// A record was accepted and neither delivered nor failed, or a call is not accounted for.
pub(crate) fn conservation(world: &World) {
    let stats = world.core().stats();
    let ended = stats.records_acked + stats.records_not_persisted + stats.records_maybe_persisted;
    assert_eq!(
        stats.records_accepted, ended,
        "Conservation: accepted = delivered + failed"
    );
    let sent = world.journal().records().count();
    assert_eq!(
        ended + rejected(world),
        u64::try_from(sent).expect("fits"),
        "Conservation: every call has its end"
    );
}

/// How many records were not accepted.
pub(crate) fn rejected(world: &World) -> u64 {
    let fates = world.journal().records().map(|(_, _, state)| state);
    let is_rejected =
        |state: &&RecordState| matches!(state, RecordState::Rejected(_) | RecordState::Cancelled);
    u64::try_from(fates.filter(is_rejected).count()).expect("fits")
}
