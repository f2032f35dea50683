//! The named invariants that need to see both the application and the logs.

mod attempts;
mod conservation;
mod copies;
mod flights;
mod flushes;
mod frames;
mod leaders;
mod linger;
mod losses;
mod memory;
mod order;
mod pause;
mod rates;
mod reconnects;
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
pub use order::order;
pub(crate) use timers::nothing_is_due;
pub use truth::truth;
pub(crate) use watch::Watch;

use crate::world::World;

/// Checks the logs against what the application was told: [`truth()`], [`order()`] where it is
/// promised, and [`copies()`]. Call it when nothing is under way.
///
/// # Panics
/// As these.
pub fn logs(world: &World) {
    contents(world);
    let _ = copies(world, u64::from(world.core().config().retries));
}

/// [`logs`] without [`copies()`]: where the application may have sent equals.
///
/// # Panics
/// As there.
pub(crate) fn contents(world: &World) {
    truth(world);
    told::told(world);
    let config = world.core().config();
    // A retried batch can be overtaken only by others in flight.
    if config.retries == 0 || config.max_in_flight_requests_per_connection == 1 {
        order(world);
    }
}
