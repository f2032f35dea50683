//! The life of a connection as a table: phase × event → step.
//!
//! ```text
//!              Connected              VersionsAgreed
//! Connecting ------------> Negotiating ------------> Ready
//!      |                    |   ^ |                    |
//!      |                    +---+ VersionsRefused      |
//!      +---- Lost, TimedOut -----+---------------------+----> gone
//! ```

use crate::time::Instant;
use crate::wire::Versions;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The driver resolves and connects.
    Connecting { give_up_at: Instant },
    /// `ApiVersions` is on its way.
    Negotiating { give_up_at: Instant },
    /// Requests may be sent.
    Ready(Versions),
}

/// A phase without its data: a row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PhaseKind {
    Connecting,
    Negotiating,
    Ready,
}

/// What can happen to a connection: a column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PhaseEvent {
    /// The transport is established.
    Connected,
    /// The broker told its versions, and ours are among them.
    VersionsAgreed,
    /// The broker does not know the version of `ApiVersions` we asked with.
    VersionsRefused,
    /// `socket_connection_setup_timeout` passed since the connection was begun.
    SetupTimedOut,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask for the broker's versions.
    AskVersions,
    /// Ask again, with a version it knows.
    AskVersionsAgain,
    /// Serve requests.
    Serve,
    /// Close: the connection took too long.
    GiveUp,
    /// Nothing: late news.
    Ignore,
    /// The driver or the core erred.
    Refuse,
}

impl Phase {
    pub(crate) fn kind(self) -> PhaseKind {
        match self {
            Self::Connecting { .. } => PhaseKind::Connecting,
            Self::Negotiating { .. } => PhaseKind::Negotiating,
            Self::Ready(_) => PhaseKind::Ready,
        }
    }

    /// What the broker has done, and has not, where it does not serve yet, for people.
    pub(crate) fn pending_words(self) -> Option<&'static str> {
        match self {
            Self::Connecting { .. } => Some("not accepted the connection"),
            Self::Negotiating { .. } => {
                Some("accepted the connection and not answered ApiVersions")
            }
            Self::Ready(_) => None,
        }
    }

    /// How far it is, for people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Connecting { .. } => "not connected yet",
            Self::Negotiating { .. } => "connected, and its versions not told yet",
            Self::Ready(_) => "connected",
        }
    }
}

/// The table.
pub(crate) fn step(phase: PhaseKind, event: PhaseEvent) -> Step {
    match (phase, event) {
        (PhaseKind::Connecting, PhaseEvent::Connected) => Step::AskVersions,
        (PhaseKind::Negotiating, PhaseEvent::VersionsAgreed) => Step::Serve,
        (PhaseKind::Negotiating, PhaseEvent::VersionsRefused) => Step::AskVersionsAgain,
        (PhaseKind::Connecting | PhaseKind::Negotiating, PhaseEvent::SetupTimedOut) => Step::GiveUp,
        (PhaseKind::Ready, PhaseEvent::SetupTimedOut)
        | (PhaseKind::Negotiating | PhaseKind::Ready, PhaseEvent::Connected) => Step::Ignore,
        (
            PhaseKind::Connecting | PhaseKind::Ready,
            PhaseEvent::VersionsAgreed | PhaseEvent::VersionsRefused,
        ) => Step::Refuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;

    #[test]
    fn the_table_is_as_reviewed() {
        let mut table = String::new();
        for phase in [
            PhaseKind::Connecting,
            PhaseKind::Negotiating,
            PhaseKind::Ready,
        ] {
            for event in [
                PhaseEvent::Connected,
                PhaseEvent::VersionsAgreed,
                PhaseEvent::VersionsRefused,
                PhaseEvent::SetupTimedOut,
            ] {
                let step = step(phase, event);
                let (phase, event) = (format!("{phase:?}"), format!("{event:?}"));
                writeln!(table, "{phase:<11} × {event:<15} → {step:?}").expect("a String grows");
            }
        }
        crate::test_support::check_table("phase_transitions", &table);
    }
}
