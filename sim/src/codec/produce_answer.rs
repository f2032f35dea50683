//! Answers to Produce as a client reads them, for who judges one.

use super::{ApiKey, LeaderHint, Malformed, PartitionAnswer, Reader, TopicAnswer, TopicName};

/// The partitions of an answer to Produce, topic by topic: `frame` begins with the correlation id.
/// What comes behind them (throttle, endpoints) is not read.
///
/// # Errors
/// It is not as the schema says.
pub fn produce_answers(frame: &[u8], version: i16) -> Result<Vec<TopicAnswer>, Malformed> {
    let mut reader = Reader::new(frame);
    reader.i32()?;
    reader.set_flexible(ApiKey::Produce.is_flexible(version));
    reader.tags()?;
    let count = reader.count(1)?;
    let mut topics = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        let topic = if version >= 13 {
            TopicName::Id(reader.uuid()?)
        } else {
            TopicName::Name(reader.string()?.to_owned())
        };
        let count = reader.count(1)?;
        let mut partitions = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            partitions.push(partition(&mut reader, version)?);
        }
        reader.tags()?;
        topics.push(TopicAnswer { topic, partitions });
    }
    Ok(topics)
}

fn partition(reader: &mut Reader<'_>, version: i16) -> Result<PartitionAnswer, Malformed> {
    let (index, error_code) = (reader.i32()?, reader.i16()?);
    let mut answer = PartitionAnswer::refused(index, error_code);
    answer.base_offset = reader.i64()?;
    if version >= 2 {
        answer.log_append_time_ms = reader.i64()?;
    }
    if version >= 5 {
        answer.log_start_offset = reader.i64()?;
    }
    if version >= 8 {
        for _ in 0..reader.count(1)? {
            reader.i32()?;
            reader.nullable_string()?;
            reader.tags()?;
        }
        reader.nullable_string()?;
    }
    if version >= 10 {
        answer.current_leader = hint(reader)?;
    } else {
        reader.tags()?;
    }
    Ok(answer)
}

/// Tag 0: who leads, and in which epoch.
fn hint(reader: &mut Reader<'_>) -> Result<Option<LeaderHint>, Malformed> {
    let mut hint = None;
    for _ in 0..reader.uvarint()? {
        let (tag, size) = (reader.uvarint()?, reader.uvarint()?);
        let size = usize::try_from(size).map_err(|_| Malformed("tag too large"))?;
        let mut field = Reader::new(reader.take(size)?);
        if tag == 0 {
            hint = Some(LeaderHint {
                leader_id: field.i32()?,
                leader_epoch: field.i32()?,
            });
        }
    }
    Ok(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{ProduceResponse, error_code};

    #[test]
    fn what_is_encoded_is_read_again_at_every_version() {
        for version in 0..=13 {
            let topic = if version >= 13 {
                TopicName::Id([7; 16])
            } else {
                TopicName::Name("orders".to_owned())
            };
            let mut moved = PartitionAnswer::refused(3, error_code::NOT_LEADER_OR_FOLLOWER);
            if version >= 10 {
                moved.current_leader = Some(LeaderHint {
                    leader_id: 2,
                    leader_epoch: 9,
                });
            }
            let partitions = vec![moved, PartitionAnswer::refused(4, error_code::NONE)];
            let topics = vec![TopicAnswer { topic, partitions }];
            let response = ProduceResponse {
                topics: topics.clone(),
                throttle_time_ms: 5,
                node_endpoints: Vec::new(),
            };
            let frame = response.encode(version, 77);
            assert_eq!(produce_answers(&frame[4..], version), Ok(topics));
        }
    }
}
