//! Faults that the seed draws for a test of somebody else's.

use core::time::Duration;

use crate::entropy::Entropy;
use crate::fault::Fault;
use crate::network::Span;
use crate::swarm::{Kind, Targets};

/// Chaos draws from a stream of its own: it changes no latency.
const STREAM: u64 = 0x6368_616f_7321;
/// So many faults strike at most.
const FAULTS_MAX: u64 = 20;

/// Faults, each with how long after the beginning it strikes. Of the kinds that a producer can
/// survive, half are left out: none hides another. What takes the topic away is none of them, nor
/// what all replicas in sync had, nor a clock that jumps past whatever the application waits for.
pub(super) fn draw(seed: u64, span: Duration, targets: &Targets) -> Vec<(Duration, Fault)> {
    let mut entropy = Entropy::new(seed ^ STREAM);
    let is_survivable = |kind: &Kind| {
        !matches!(
            kind,
            Kind::Delete | Kind::Recreate | Kind::Permit | Kind::ElectUnclean | Kind::Leap
        )
    };
    let kinds: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(is_survivable)
        .filter(|_| entropy.chance(50))
        .collect();
    if kinds.is_empty() {
        return Vec::new();
    }
    let count = entropy.within(1, FAULTS_MAX);
    let mut faults = Vec::new();
    for _ in 0..count {
        let kind = entropy.pick(&kinds);
        let begin = entropy.span(Span::between(Duration::ZERO, span));
        let fault = targets.draw_fault(&mut entropy, kind);
        if let Some(end) = fault.end() {
            faults.push((entropy.span(Span::between(begin, span)), end));
        }
        faults.push((begin, fault));
    }
    faults
}
