//! What a run came across, counted: a run over many seeds that never meets a situation proves
//! nothing about it.

use core::fmt;

use titorelli::{
    Delivery, DeliveryCause, DeliveryError, Outcome, Reason, SendError, Ticket, TraceEvent,
};

use crate::cluster::ClusterEvent;
use crate::codec::error_code;
use crate::fault::Fault;

macro_rules! sights {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A situation that seeds must lead into now and then.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Sight {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Sight {
            /// Every one.
            pub const ALL: [Self; [$(stringify!($name)),+].len()] = [$(Self::$name),+];
        }
    };
}

sights! {
    /// A batch lingered as long as it may.
    TimerLinger,
    /// A batch reached its delivery timeout.
    TimerDelivery,
    /// A request was not answered in time.
    TimerRequest,
    /// A failed batch had paused long enough.
    TimerRetryBackoff,
    /// Metadata grew too old.
    TimerMetadataAge,
    /// Metadata was asked for again after a pause.
    TimerMetadataBackoff,
    /// No broker told about the cluster, and the bootstrap servers had the word again.
    TimerMetadataRecovery,
    /// A broker was connected to again after a pause.
    TimerReconnectBackoff,
    /// A connection was not set up in time.
    TimerConnectionSetup,
    /// A connection was closed because nothing used it.
    TimerConnectionIdle,
    /// A broker's throttle ended.
    TimerThrottle,
    /// A call had waited as long as it may.
    TimerMaxBlock,
    /// A closing producer gave up.
    TimerClose,
    /// A batch was acked.
    Acked,
    /// A batch was certainly not written.
    NotPersisted,
    /// A batch was perhaps written.
    MaybePersisted,
    /// A batch ended by what its leader answered.
    EndedByBroker,
    /// A batch ended by its delivery timeout, and was perhaps written.
    ExpiredInFlight,
    /// A batch ended by its delivery timeout, and was certainly not written.
    ExpiredUnsent,
    /// A batch ended by an answer that did not come.
    EndedByRequestTimeout,
    /// A batch ended by the loss of its connection.
    EndedByDisconnect,
    /// A batch ended because its leader cannot take it.
    EndedUnsupported,
    /// A batch ended because its producer was closed.
    EndedByClose,
    /// A batch ended because the application withdrew its record.
    Withdrawn,
    /// A batch that was certainly not written ended because the application purged.
    Purged,
    /// A batch that was perhaps written ended because the application purged.
    PurgedInFlight,
    /// A batch ended because one before it had failed.
    GapFailed,
    /// The same, and nothing excused what would have been written: it had not left.
    GapHeldQueued,
    /// The same, and nothing excused what would have been written: it came back unwritten.
    GapHeldInFlight,
    /// A batch that never left ended because there is no producer id.
    EndedWithoutId,
    /// A batch that was to be sent under another number ended because there is no other id.
    EndedWithoutNumber,
    /// A call was answered at once.
    Accepted,
    /// A call waited.
    Waited,
    /// A call was answered after it had waited.
    AcceptedAfterWait,
    /// A call that waited was given up.
    Cancelled,
    /// A call ended for want of memory.
    BufferFull,
    /// A call ended without knowing its topic.
    TopicUnknown,
    /// A call ended without knowing its partition.
    PartitionUnknown,
    /// A call ended because its topic is forbidden.
    TopicRefused,
    /// A record was too large.
    TooLarge,
    /// A call ended because the producer cannot go on.
    CannotGoOn,
    /// A batch was sent again.
    Retried,
    /// A partition changed its leader.
    LeaderChanged,
    /// A partition lost its leader.
    LeaderLost,
    /// A broker asked for a pause.
    Throttled,
    /// A connection was lost.
    ConnectionLost,
    /// A batch was refused because too few replicas were in sync.
    NotEnoughReplicas,
    /// The same, after the leader had it.
    NotEnoughReplicasAfterAppend,
    /// Followers did not have a batch in time.
    TimedOutAfterAppend,
    /// A leader had a batch, and ceased to lead before followers had it.
    MovedAfterAppend,
    /// A leader took records with it that were acked.
    LostAfterAck,
    /// An unclean election lost something.
    LostUncleanly,
    /// Batches of a partition were sent under the next epoch of their producer id.
    EpochBumped,
    /// Batches of a partition were sent under another producer id.
    ProducerIdChanged,
    /// A producer id was asked for when the epochs of the last one were used up.
    EpochsUsedUp,
    /// A batch was answered as one that was written before.
    DuplicateAnswered,
    /// A batch was refused for its sequence number, and all before it were written.
    OutOfOrderAtHead,
    /// A batch was refused for its sequence number, and had to wait for those before it.
    OutOfOrderBehind,
    /// A sequence number came after the last of all.
    SequenceWrapped,
    /// The acknowledgement of a batch told what had become of one before it.
    ResolvedByLaterAck,
    /// The acknowledgement of a batch came when it was given up.
    LateSuccess,
    /// A batch that was too large was sent in parts.
    Split,
    /// A leader was believed that an answer to Produce had hinted at.
    LeaderHintUsed,
    /// All was well but one broker, which was down.
    DamageDown,
    /// The same, and its network swallowed whoever wanted to connect.
    DamageSwallowed,
    /// All was well but one broker, which heard no more of the cluster, and leaders moved.
    DamageDeaf,
    /// All was well but one broker, which sent away whoever asked it about the cluster.
    DamageSendsAway,
    /// The connections to a broker were cut.
    FaultCut,
    /// A request was cut.
    FaultCutRequests,
    /// An answer was cut.
    FaultCutResponses,
    /// Connections fell silent.
    FaultSilence,
    /// What was written vanished.
    FaultSwallow,
    /// Attempts to connect were swallowed.
    FaultStall,
    /// Attempts to connect were answered again.
    FaultAdmit,
    /// A partition was given another leader.
    FaultMoveLeader,
    /// The same, under the same epoch.
    FaultReplaceLeader,
    /// A replica that may not have been in sync came to lead.
    FaultElectUnclean,
    /// A broker's replicas fell behind.
    FaultHoldReplicas,
    /// A broker's replicas caught up.
    FaultFreeReplicas,
    /// A broker went down.
    FaultDown,
    /// A broker came up.
    FaultUp,
    /// A batch was refused.
    FaultFailNext,
    /// A batch was appended, and its answer was an error.
    FaultFailAfterAppend,
    /// A partition forgot what it had of producers.
    FaultForgetProducers,
    /// A request for a producer id was refused.
    FaultRefuseId,
    /// A topic took no large batches any more.
    FaultLimitBatches,
    /// A topic took large batches again.
    FaultLiftLimit,
    /// A broker throttled, or ceased to.
    FaultThrottle,
    /// What may be done with a topic changed.
    FaultPermit,
    /// A topic got another partition.
    FaultAddPartition,
    /// A transport took no more bytes.
    FaultClog,
    /// Requests took longer.
    FaultDelay,
    /// An answer was spoilt.
    FaultGarble,
    /// An answer was distorted.
    FaultDistort,
    /// A broker closed its connections.
    FaultRestart,
    /// A broker became one of another release.
    FaultUpgrade,
    /// A broker's metadata lagged.
    FaultLag,
    /// A broker knew nothing.
    FaultBlank,
    /// A broker told what was never so.
    FaultMislead,
    /// A broker knew everything again.
    FaultCatchUp,
    /// A broker moved to another port.
    FaultReaddress,
    /// Two brokers changed places.
    FaultSwapAddresses,
    /// A topic was deleted.
    FaultDelete,
    /// A topic was deleted and created again.
    FaultRecreate,
    /// The core was not called for a while.
    FaultStarve,
    /// The clock jumped.
    FaultLeap,
}

impl Sight {
    const fn of_timer(reason: Reason) -> Option<Self> {
        Some(match reason {
            Reason::WorkQueued | Reason::ProducerIdBackoff => return None,
            Reason::Linger => Self::TimerLinger,
            Reason::DeliveryTimeout => Self::TimerDelivery,
            Reason::RequestTimeout => Self::TimerRequest,
            Reason::RetryBackoff => Self::TimerRetryBackoff,
            Reason::MetadataAge => Self::TimerMetadataAge,
            Reason::MetadataBackoff => Self::TimerMetadataBackoff,
            Reason::MetadataRecovery => Self::TimerMetadataRecovery,
            Reason::ReconnectBackoff => Self::TimerReconnectBackoff,
            Reason::ConnectionSetup => Self::TimerConnectionSetup,
            Reason::ConnectionIdle => Self::TimerConnectionIdle,
            Reason::Throttle => Self::TimerThrottle,
            Reason::MaxBlock => Self::TimerMaxBlock,
            Reason::Close => Self::TimerClose,
        })
    }

    const fn of_end(error: &DeliveryError, is_maybe_written: bool) -> Option<Self> {
        Some(match error.cause {
            DeliveryCause::Broker(..) => Self::EndedByBroker,
            DeliveryCause::DeliveryTimeout if is_maybe_written => Self::ExpiredInFlight,
            DeliveryCause::DeliveryTimeout => Self::ExpiredUnsent,
            DeliveryCause::RequestTimeout => Self::EndedByRequestTimeout,
            DeliveryCause::Disconnected(_) => Self::EndedByDisconnect,
            DeliveryCause::Unsupported(_) => Self::EndedUnsupported,
            DeliveryCause::ProducerClosed => Self::EndedByClose,
            DeliveryCause::Withdrawn => Self::Withdrawn,
            DeliveryCause::Purged if is_maybe_written => Self::PurgedInFlight,
            DeliveryCause::Purged => Self::Purged,
            DeliveryCause::Gap => Self::GapFailed,
            DeliveryCause::NoProducerId(_) if error.attempts > 0 => Self::EndedWithoutNumber,
            DeliveryCause::NoProducerId(_) => Self::EndedWithoutId,
            DeliveryCause::SetupTimeout
            | DeliveryCause::NotReady(_)
            | DeliveryCause::Protocol(_)
            | DeliveryCause::NoLeader
            | DeliveryCause::NotSerialized(_)
            | DeliveryCause::NotPartitioned(_)
            | DeliveryCause::Forked
            | _ => return None,
        })
    }

    const fn of_refusal(error: &SendError) -> Option<Self> {
        Some(match error {
            SendError::WouldBlock(_) => Self::Waited,
            SendError::BufferFull { .. } => Self::BufferFull,
            SendError::TopicUnknown { .. } => Self::TopicUnknown,
            SendError::PartitionUnknown { .. } => Self::PartitionUnknown,
            SendError::TopicRefused { .. } => Self::TopicRefused,
            SendError::TooLarge { .. } => Self::TooLarge,
            SendError::Fatal(_) => Self::CannotGoOn,
            SendError::InvalidRecord(_) | SendError::Forked | SendError::Closed | _ => {
                return None;
            }
        })
    }

    const fn of_answer(error_code: i16, is_appended: bool) -> Option<Self> {
        Some(match (error_code, is_appended) {
            (error_code::NOT_ENOUGH_REPLICAS, false) => Self::NotEnoughReplicas,
            (error_code::NOT_ENOUGH_REPLICAS_AFTER_APPEND, true) => {
                Self::NotEnoughReplicasAfterAppend
            }
            (error_code::REQUEST_TIMED_OUT, true) => Self::TimedOutAfterAppend,
            (error_code::NOT_LEADER_OR_FOLLOWER, true) => Self::MovedAfterAppend,
            _ => return None,
        })
    }

    const fn of_trace(event: &TraceEvent) -> Option<Self> {
        Some(match event {
            TraceEvent::ConnectionLost { .. } => Self::ConnectionLost,
            TraceEvent::Retry { .. } => Self::Retried,
            TraceEvent::LeaderChanged { leader: None, .. } => Self::LeaderLost,
            TraceEvent::LeaderChanged { .. } => Self::LeaderChanged,
            TraceEvent::Throttled { .. } => Self::Throttled,
            TraceEvent::Ready { .. } | _ => return None,
        })
    }

    const fn of_fault(fault: &Fault) -> Self {
        match fault {
            Fault::Cut(_) => Self::FaultCut,
            Fault::CutRequestsAfter(..) => Self::FaultCutRequests,
            Fault::CutResponsesAfter(..) => Self::FaultCutResponses,
            Fault::Silence(_) => Self::FaultSilence,
            Fault::Swallow(_) => Self::FaultSwallow,
            Fault::Stall(_) => Self::FaultStall,
            Fault::Admit(_) => Self::FaultAdmit,
            Fault::MoveLeader { .. } => Self::FaultMoveLeader,
            Fault::ReplaceLeader { .. } => Self::FaultReplaceLeader,
            Fault::ElectUnclean { .. } => Self::FaultElectUnclean,
            Fault::HoldReplicas(_) => Self::FaultHoldReplicas,
            Fault::FreeReplicas(_) => Self::FaultFreeReplicas,
            Fault::Down(_) => Self::FaultDown,
            Fault::Up(_) => Self::FaultUp,
            Fault::FailNext { append: true, .. } => Self::FaultFailAfterAppend,
            Fault::FailNext { .. } => Self::FaultFailNext,
            Fault::ForgetProducers(..) => Self::FaultForgetProducers,
            Fault::RefuseId(_) => Self::FaultRefuseId,
            Fault::LimitBatches(..) => Self::FaultLimitBatches,
            Fault::LiftLimit(_) => Self::FaultLiftLimit,
            Fault::Throttle(..) => Self::FaultThrottle,
            Fault::Permit(..) => Self::FaultPermit,
            Fault::AddPartition(_) => Self::FaultAddPartition,
            Fault::Clog(..) => Self::FaultClog,
            Fault::Delay(..) => Self::FaultDelay,
            Fault::Garble(..) => Self::FaultGarble,
            Fault::Distort(..) => Self::FaultDistort,
            Fault::Restart(_) => Self::FaultRestart,
            Fault::Upgrade(..) => Self::FaultUpgrade,
            Fault::Lag(_) => Self::FaultLag,
            Fault::Blank(_) => Self::FaultBlank,
            Fault::Mislead(..) => Self::FaultMislead,
            Fault::CatchUp(_) => Self::FaultCatchUp,
            Fault::Readdress(_) => Self::FaultReaddress,
            Fault::SwapAddresses(..) => Self::FaultSwapAddresses,
            Fault::Delete(_) => Self::FaultDelete,
            Fault::Recreate(..) => Self::FaultRecreate,
            Fault::Starve(_) => Self::FaultStarve,
            Fault::Leap(_) => Self::FaultLeap,
        }
    }
}

/// How often each [`Sight`] was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sights([u64; Sight::ALL.len()]);

impl Default for Sights {
    fn default() -> Self {
        Self([0; Sight::ALL.len()])
    }
}

impl Sights {
    /// How often this was seen.
    #[must_use]
    pub const fn of(&self, sight: Sight) -> u64 {
        self.0[sight as usize]
    }

    /// What was never seen.
    pub fn missing(&self) -> impl Iterator<Item = Sight> + '_ {
        Sight::ALL.into_iter().filter(|sight| self.of(*sight) == 0)
    }

    /// Adds up two runs.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
        self
    }

    /// One more.
    pub(crate) fn see(&mut self, sight: Sight) {
        self.add(Some(sight));
    }

    fn add(&mut self, sight: Option<Sight>) {
        if let Some(sight) = sight {
            self.0[sight as usize] += 1;
        }
    }

    pub(crate) fn timer(&mut self, reason: Reason) {
        self.add(Sight::of_timer(reason));
    }

    pub(crate) fn delivery(&mut self, delivery: &Delivery) {
        match &delivery.outcome {
            Outcome::Acked { .. } => self.add(Some(Sight::Acked)),
            Outcome::NotPersisted(error) => {
                self.add(Some(Sight::NotPersisted));
                self.add(Sight::of_end(error, false));
            }
            Outcome::MaybePersisted(error) => {
                self.add(Some(Sight::MaybePersisted));
                self.add(Sight::of_end(error, true));
            }
        }
    }

    pub(crate) fn call(&mut self, result: &Result<Ticket, SendError>) {
        match result {
            Ok(_) => self.add(Some(Sight::Accepted)),
            Err(error) => self.refusal(error),
        }
    }

    pub(crate) fn resumed(&mut self, result: &Result<Ticket, SendError>) {
        match result {
            Ok(_) => self.add(Some(Sight::AcceptedAfterWait)),
            Err(error) => self.refusal(error),
        }
    }

    pub(crate) fn cancelled(&mut self) {
        self.add(Some(Sight::Cancelled));
    }

    pub(crate) fn refusal(&mut self, error: &SendError) {
        self.add(Sight::of_refusal(error));
    }

    pub(crate) fn trace(&mut self, event: &TraceEvent) {
        self.add(Sight::of_trace(event));
    }

    /// What a broker did, and how many acked records were lost in it.
    pub(crate) fn cluster(&mut self, event: &ClusterEvent, acked_and_lost: usize) {
        match event {
            ClusterEvent::Handled { batches, .. } => {
                for batch in batches.iter().filter(|batch| !batch.is_scripted) {
                    self.add(Sight::of_answer(batch.error_code, batch.is_appended));
                    let is_known = batch.error_code == error_code::NONE && !batch.is_appended;
                    self.add(is_known.then_some(Sight::DuplicateAnswered));
                }
            }
            ClusterEvent::Lost { is_unclean, .. } => {
                self.add(is_unclean.then_some(Sight::LostUncleanly));
                let is_acked = acked_and_lost > 0 && !is_unclean;
                self.add(is_acked.then_some(Sight::LostAfterAck));
            }
            ClusterEvent::Closed { .. } => {}
        }
    }

    pub(crate) fn fault(&mut self, fault: &Fault) {
        self.add(Some(Sight::of_fault(fault)));
    }
}

impl fmt::Display for Sights {
    /// One line for each: the count, and what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for sight in Sight::ALL {
            writeln!(f, "{:>12}  {sight:?}", self.of(sight))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_seen_is_missing_until_it_is() {
        let mut sights = Sights::default();
        assert!(sights.missing().eq(Sight::ALL));
        sights.timer(Reason::Linger);
        sights.timer(Reason::WorkQueued);
        sights.call(&Err(SendError::Closed));
        let both = sights.plus(sights);
        assert_eq!(both.of(Sight::TimerLinger), 2);
        assert!(both.missing().eq(Sight::ALL.into_iter().skip(1)));
        assert!(both.to_string().starts_with("           2  TimerLinger\n"));
    }
}
