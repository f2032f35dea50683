//! Accidents by name: what befalls a partition, its leader, or everybody.

use crate::cluster::{Access, BrokerId, Cluster, LOSE_ANSWER};
use crate::codec::error_code;
use crate::fault::Fault;
use crate::story::ms;

/// Where an accident happens.
pub(super) struct Scene {
    topic: String,
    partition: i32,
    /// Of the partition, now.
    leader: BrokerId,
    /// Who comes after it; the same, where there is only one.
    next: BrokerId,
    brokers: Vec<BrokerId>,
    partitions: i32,
}

/// What happens.
pub(super) struct Happening {
    /// At once.
    pub(super) now: Vec<Fault>,
    /// As soon as something more is in the log.
    pub(super) once_appended: Vec<Fault>,
}

/// Its name, and what it is made of.
type Accident = (&'static str, fn(&Scene) -> Happening);

/// Every accident.
const ACCIDENTS: [Accident; 21] = [
    ("the answer is lost", |at| now([at.lose_answer()])),
    ("the request is lost", |at| {
        now([at.fail(LOSE_ANSWER, false)])
    }),
    ("the leader moves", |at| now([at.move_leader()])),
    ("the leader moves while the answer is lost", |at| {
        after_append([at.lose_answer()], [at.move_leader()])
    }),
    ("the leader goes down", |at| now([Fault::Down(at.leader)])),
    ("the leader goes down while the answer is lost", |at| {
        after_append([at.lose_answer()], [Fault::Down(at.leader)])
    }),
    ("the leader goes down with what it alone has", |at| {
        after_append(at.hold_followers(), [Fault::Down(at.leader)])
    }),
    ("a replica leads that lacks the batch", |at| {
        after_append(at.hold_followers(), [at.elect_unclean()])
    }),
    ("a follower falls behind", |at| {
        now([Fault::HoldReplicas(at.next)])
    }),
    ("the leader restarts", |at| now([Fault::Restart(at.leader)])),
    ("the leader falls silent", |at| {
        now([Fault::Silence(at.leader)])
    }),
    ("the leader throttles", |at| {
        now([Fault::Throttle(at.leader, 1_000)])
    }),
    ("the requests are applied late", |at| {
        now([Fault::Delay(at.leader, ms(45_000))])
    }),
    ("the batch is refused", |at| {
        now([at.fail(error_code::NOT_ENOUGH_REPLICAS, false)])
    }),
    ("the batch is refused for good", |at| {
        now([at.fail(error_code::POLICY_VIOLATION, false)])
    }),
    ("the batch is written and the answer an error", |at| {
        now([at.fail(error_code::REQUEST_TIMED_OUT, true)])
    }),
    ("the metadata is out of date", |at| {
        now(at.brokers.iter().map(|broker| Fault::Lag(*broker)))
    }),
    ("every broker goes down", |at| {
        now(at.brokers.iter().map(|broker| Fault::Down(*broker)))
    }),
    ("the topic is created anew", |at| {
        now([Fault::Recreate(at.topic.clone(), at.partitions)])
    }),
    ("the topic is forbidden", |at| {
        now([Fault::Permit(at.topic.clone(), Access::None)])
    }),
    ("the process stands still", |_| {
        now([Fault::Starve(ms(10_000))])
    }),
];

fn now(faults: impl IntoIterator<Item = Fault>) -> Happening {
    after_append(faults, [])
}

fn after_append(
    now: impl IntoIterator<Item = Fault>,
    once_appended: impl IntoIterator<Item = Fault>,
) -> Happening {
    Happening {
        now: now.into_iter().collect(),
        once_appended: once_appended.into_iter().collect(),
    }
}

/// The names of all accidents.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ACCIDENTS.iter().map(|(name, _)| *name)
}

/// The accident of this name.
///
/// # Panics
/// There is none; the message has them all.
#[track_caller]
pub(super) fn find(name: &str) -> fn(&Scene) -> Happening {
    let found = ACCIDENTS.iter().find(|(known, _)| *known == name);
    let Some((_, accident)) = found else {
        let known: Vec<&str> = names().collect();
        panic!(
            "no accident is called {name:?}; there are:\n{}",
            known.join("\n")
        );
    };
    *accident
}

impl Scene {
    /// The present one. A partition without a leader is struck where its first replica is.
    ///
    /// # Panics
    /// There is no such partition.
    #[track_caller]
    pub(super) fn of(cluster: &Cluster, topic: &str, partition: i32) -> Self {
        let partitions = cluster.partition_count(topic);
        assert!(
            (0..partitions).contains(&partition),
            "{topic}/{partition} is not there yet: it can be named when the simulation is built"
        );
        let brokers: Vec<BrokerId> = cluster.config().brokers.iter().map(|b| b.id).collect();
        let leader = cluster.leader(topic, partition).0.unwrap_or(brokers[0]);
        let place = brokers.iter().position(|broker| *broker == leader);
        let next = brokers[(place.unwrap_or(0) + 1) % brokers.len()];
        Self {
            topic: topic.to_owned(),
            partition,
            leader,
            next,
            brokers,
            partitions,
        }
    }

    fn fail(&self, error_code: i16, append: bool) -> Fault {
        Fault::FailNext {
            topic: self.topic.clone(),
            partition: self.partition,
            error_code,
            append,
        }
    }

    fn lose_answer(&self) -> Fault {
        self.fail(LOSE_ANSWER, true)
    }

    /// Only the leader has what comes from now on.
    fn hold_followers(&self) -> Vec<Fault> {
        let followers = self.brokers.iter().filter(|broker| **broker != self.leader);
        followers
            .map(|broker| Fault::HoldReplicas(*broker))
            .collect()
    }

    fn elect_unclean(&self) -> Fault {
        Fault::ElectUnclean {
            topic: self.topic.clone(),
            partition: self.partition,
            leader: self.next,
        }
    }

    fn move_leader(&self) -> Fault {
        Fault::MoveLeader {
            topic: self.topic.clone(),
            partition: self.partition,
            leader: self.next,
        }
    }
}
