//! What the core told, as a line: the recorder writes it, and a replay compares it.

use super::words::{Escaped, NOTHING, Phrase};
use crate::boundary::{
    Deadline, Delivery, FlushId, Outcome, Output, PartitionInfo, PartitionLists, Purge, Ticket,
    Withdrawal,
};
use crate::error::SendError;
use crate::seal::{SealedJob, Source};
use crate::time::Instant;
use core::fmt::{self, Write};
use std::sync::Arc;

/// Whether bytes are told by their checksum, or by their number alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    Checksums,
    Lengths,
}

/// What came back from a call.
pub(super) enum Told<'a> {
    Sent(&'a Result<Ticket, SendError>),
    Flush(FlushId),
    Withdrawal(Withdrawal),
    Partitions(&'a Result<Vec<PartitionInfo>, SendError>),
    Lists(&'a Result<Arc<PartitionLists>, SendError>),
    Output(Option<&'a Output>),
    Until(Option<Deadline>),
}

impl Told<'_> {
    /// Writes it as a line, without its end.
    pub(super) fn write(&self, detail: Detail, line: &mut String) {
        // A `String` takes everything.
        let _ = match self {
            Self::Sent(Ok(ticket)) => {
                let batch = ticket.batch;
                let (slot, generation, index) = (batch.slot, batch.generation, ticket.index);
                write!(line, "= ticket {slot}.{generation}.{index}")
            }
            Self::Flush(id) => write!(line, "= flush {}", id.0),
            Self::Withdrawal(withdrawal) => write!(
                line,
                "= {}",
                match withdrawal {
                    Withdrawal::Withdrawn => "withdrawn",
                    Withdrawal::OnItsWay => "on-its-way",
                    Withdrawal::Unknown => "unknown",
                }
            ),
            Self::Partitions(Ok(infos)) => {
                let sum = checksum(format!("{infos:?}").as_bytes());
                write!(line, "= partitions {} #{sum:08x}", infos.len())
            }
            Self::Lists(Ok(lists)) => {
                let (available, all) = (lists.available.len(), lists.all.len());
                let sum = checksum(format!("{lists:?}").as_bytes());
                write!(line, "= partitions {available} of {all} #{sum:08x}")
            }
            Self::Sent(Err(error)) | Self::Partitions(Err(error)) | Self::Lists(Err(error)) => {
                refusal(line, error)
            }
            Self::Output(None) => write!(line, "> none"),
            Self::Output(Some(output)) => effect(line, detail, output),
            Self::Until(None) => write!(line, "until never"),
            Self::Until(Some(Deadline { at, reason })) => {
                write!(line, "until {} {reason:?}", micros(*at))
            }
        };
    }
}

/// The name of what is purged.
pub(super) const fn purge(what: Purge) -> &'static str {
    match what {
        Purge::Queued => "queued",
        Purge::InFlight => "in-flight",
        Purge::All => "all",
    }
}

fn refusal(line: &mut String, error: &SendError) -> fmt::Result {
    if let SendError::WouldBlock(waiter) = error {
        return write!(line, "= waits {}", waiter.0);
    }
    write!(line, "= refused {}", Phrase(&error.to_string()))
}

fn effect(line: &mut String, detail: Detail, output: &Output) -> fmt::Result {
    match output {
        Output::Connect { conn, host, port } => {
            write!(
                line,
                "> connect {} {} {port}",
                conn.0,
                Escaped(host.as_bytes())
            )
        }
        Output::Transmit { conn, bytes } => {
            write!(line, "> transmit {} {}", conn.0, bytes.len())?;
            sum(line, detail, &[bytes])
        }
        Output::Disconnect(conn) => write!(line, "> disconnect {}", conn.0),
        Output::Seal(job) => {
            let (slot, generation) = (job.batch.slot, job.batch.generation);
            let bytes: &[u8] = match &job.source {
                Source::Raw(raw) => raw,
                Source::Part(part) => &part.body,
            };
            write!(line, "> seal {slot}.{generation} {}", bytes.len())?;
            if let Source::Part(part) = &job.source {
                for kept in &part.kept {
                    write!(line, " {}+{}", kept.start, kept.end - kept.start)?;
                }
            }
            sum(line, detail, &[bytes])
        }
        Output::Delivered(delivery) => delivered(line, delivery),
        Output::Admitted(waiter) => write!(line, "> admitted {}", waiter.0),
        Output::Refused(waiter, error) => {
            write!(
                line,
                "> refused {} {}",
                waiter.0,
                Phrase(&error.to_string())
            )
        }
        Output::Flushed(flush) => write!(line, "> flushed {}", flush.0),
        Output::Closed => write!(line, "> closed"),
        Output::Trace(event) => write!(line, "> trace {}", Phrase(&event.to_string())),
    }
}

fn delivered(line: &mut String, delivery: &Delivery) -> fmt::Result {
    let (slot, generation) = (delivery.batch.slot, delivery.batch.generation);
    let (first, count) = (delivery.first, delivery.count);
    let (topic, partition) = (Escaped(delivery.topic.as_bytes()), delivery.partition);
    write!(
        line,
        "> delivered {slot}.{generation} {first}+{count} {topic} {partition} "
    )?;
    match &delivery.outcome {
        Outcome::Acked {
            base_offset,
            log_append_time_ms: -1,
        } => write!(line, "acked {base_offset} {NOTHING}"),
        Outcome::Acked {
            base_offset,
            log_append_time_ms,
        } => write!(line, "acked {base_offset} {log_append_time_ms}"),
        Outcome::NotPersisted(error) => write!(line, "failed {}", Phrase(&error.to_string())),
        Outcome::MaybePersisted(error) => write!(line, "unknown {}", Phrase(&error.to_string())),
    }
}

/// What a seal came to: the length of what goes before the body, and the body's, with the size of
/// its buffer, if it was compressed; `plain`: it is the raw one. Of a part of another batch its
/// length before that, too.
pub(super) fn sealed(line: &mut String, detail: Detail, job: &SealedJob) {
    let (slot, generation) = (job.batch.slot, job.batch.generation);
    let _ = write!(line, "{slot}.{generation} {}", job.front.len());
    let (body_bytes, room_bytes) = (job.body.len(), job.body_room_bytes);
    let _ = match (job.part_raw_bytes, &job.spare) {
        (Some(raw_bytes), _) => write!(line, " part {raw_bytes} {body_bytes} {room_bytes}"),
        (None, None) => write!(line, " plain"),
        (None, Some(_)) => write!(line, " packed {body_bytes} {room_bytes}"),
    };
    let _ = sum(line, detail, &[&job.front, &job.body]);
}

fn sum(line: &mut String, detail: Detail, parts: &[&[u8]]) -> fmt::Result {
    match detail {
        Detail::Lengths => Ok(()),
        Detail::Checksums => {
            let sum = parts
                .iter()
                .fold(0, |sum, part| crc32c::crc32c_append(sum, part));
            write!(line, " #{sum:08x}")
        }
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// Microseconds, as all instants in a log.
pub(super) const fn micros(at: Instant) -> u64 {
    at.as_micros()
}
