//! S12: a record is in the logs at most once per attempt. With acks=0 there is one attempt: what is
//! half-written is not sent again.

use titorelli::Acks;

use crate::world::World;

/// Counts the records in all logs beyond the first copy; values must be unique.
///
/// # Panics
/// There are more copies of a record than its attempts allow.
#[must_use]
pub fn copies(world: &World, retries: u64) -> u64 {
    let is_unanswered = world.core().config().acks == Acks::None;
    let retries = if is_unanswered { 0 } else { retries };
    let mut values: Vec<&[u8]> = Vec::new();
    let cluster = world.cluster();
    for (_, _, log) in cluster.logs().chain(cluster.buried_logs()) {
        let records = log.records().iter();
        values.extend(records.filter_map(|record| record.value.as_deref()));
    }
    values.sort_unstable();
    let counts = values.chunk_by(|one, next| one == next).map(<[_]>::len);
    let mut beyond = 0;
    for count in counts {
        let count = u64::try_from(count).expect("a usize fits");
        assert!(
            count <= retries + 1,
            "S12: a record is there {count} times after {retries} retries"
        );
        beyond += count - 1;
    }
    beyond
}
