//! For drivers: the application's own code, run so that it harms nobody but its record.

use super::choice::{Choice, CustomPartitioner};
use super::error::DeliveryError;
use super::serializer::{BoxError, Serializer};
use crate::boundary::PartitionLists;
use crate::config::Config;
use crate::counted::counted;
use crate::error::{ConfigError, DeliveryCause};
use crate::record::{Header, Record};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Which of the two a serializer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// For keys.
    Key,
    /// For values.
    Value,
}

/// Runs a serializer; false is null.
///
/// # Errors
///
/// It failed, or panicked: the record's error.
pub fn serialize<T: ?Sized>(
    serializer: &dyn Serializer<T>,
    part: Part,
    topic: &str,
    headers: &[Header<'_>],
    data: Option<&T>,
    out: &mut Vec<u8>,
) -> Result<bool, DeliveryError> {
    out.clear();
    let outcome = guarded(|| match data {
        Some(data) => serializer
            .serialize(topic, headers, data, out)
            .map(|()| true),
        None => serializer.serialize_none(topic, headers, out),
    });
    outcome.map_err(|error| {
        let part = match part {
            Part::Key => "key",
            Part::Value => "value",
        };
        let cause = DeliveryCause::NotSerialized(format!("{part}: {error}").into());
        DeliveryError::of_application(topic, cause, Some(Arc::from(error)))
    })
}

/// Runs the application's code.
///
/// # Errors
///
/// Its own; a panic is one.
pub fn guarded<T>(code: impl FnOnce() -> Result<T, BoxError>) -> Result<T, BoxError> {
    catch_unwind(AssertUnwindSafe(code)).unwrap_or_else(|payload| {
        let words = payload
            .downcast_ref::<&str>()
            .map(|words| (*words).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        discard(payload);
        let words = words.unwrap_or_else(|| "without words".to_owned());
        Err(format!("it panicked: {words}").into())
    })
}

/// Runs the application's code; a panic ends here.
pub fn shielded(code: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        discard(payload);
    }
}

/// Drops what the application panicked with, which may panic in its turn.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // Once is enough: who goes on like this may keep it.
        std::mem::forget(another);
    }
}

/// The partition for a record.
///
/// # Errors
///
/// The partitioner failed, panicked, or chose one that the topic does not have.
pub fn choose(
    partitioner: &dyn CustomPartitioner,
    record: &Record<'_>,
    lists: &PartitionLists,
) -> Result<i32, DeliveryError> {
    let choice = Choice {
        topic: record.topic,
        key: record.key,
        value: record.value,
        headers: record.headers,
        all: &lists.all,
        available: &lists.available,
    };
    let failed = |words: String, source| {
        let cause = DeliveryCause::NotPartitioned(words.into());
        DeliveryError::of_application(record.topic, cause, source)
    };
    let partition = guarded(|| partitioner.partition(&choice))
        .map_err(|error| failed(error.to_string(), Some(Arc::from(error))))?;
    if lists.all.binary_search(&partition).is_ok() {
        return Ok(partition);
    }
    let all = counted(lists.all.len(), "partition");
    let words = format!("the partitioner chose {partition}, the topic has {all}");
    Err(failed(words, None))
}

/// With a partitioner of the application's own the keys about the built-in ones mean nothing.
///
/// # Errors
///
/// One of them is set.
pub fn refuse_second_partitioner(config: &Config) -> Result<(), ConfigError> {
    let default = Config::default();
    let reason = "a partitioner was given in code, which says everything: leave it unset";
    for (key, is_set) in [
        ("partitioner", config.partitioner != default.partitioner),
        ("partitioner_ignore_keys", config.partitioner_ignore_keys),
    ] {
        if is_set {
            return Err(ConfigError {
                key: key.to_owned(),
                reason: reason.to_owned(),
            });
        }
    }
    Ok(())
}
