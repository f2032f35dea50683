//! The named invariants that need to see both the application and the logs.

mod asking;
mod attempts;
mod conservation;
mod copies;
mod fatal;
mod flights;
mod flushes;
mod frames;
mod gapless;
mod hints;
mod leaders;
mod linger;
mod losses;
mod memory;
mod once;
mod order;
mod pause;
mod questions;
mod rates;
mod reconnects;
mod sequenced;
mod throttle;
mod timers;
mod told;
mod truth;
mod verdicts;
mod waiters;
mod watch;
mod written;

pub(crate) use conservation::{conservation, rejected};
pub use copies::copies;
pub(crate) use flights::Flights;
pub(crate) use frames::{judgement, read_batch, read_request};
pub(crate) use gapless::excuses_gaps;
pub use order::order;
pub(crate) use timers::nothing_is_due;
pub use truth::truth;
pub(crate) use watch::Watch;

use crate::world::World;

/// Checks the logs against what the application was told: [`truth()`], [`order()`] as far as it is
/// promised, [`copies()`], and for an idempotent producer that there are none. Call it when nothing
/// is under way.
///
/// # Panics
/// As these.
pub fn logs(world: &World) {
    contents(world);
    let config = world.core().config();
    let _ = copies(world, u64::from(config.retries));
    if config.enable_idempotence {
        once::once(world);
    }
}

/// [`logs`] without [`copies()`]: where the application may have sent equals.
///
/// # Panics
/// As there.
pub(crate) fn contents(world: &World) {
    truth(world);
    told::told(world);
    order(world);
}
