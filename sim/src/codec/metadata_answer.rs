//! Answers to Metadata as a client reads them, for who judges one.

use super::{
    ApiKey, Malformed, MetadataBroker, MetadataPartition, MetadataResponse, MetadataTopic, Reader,
};

/// "Not asked for".
const OPERATIONS_OMITTED: i32 = i32::MIN;

impl MetadataResponse {
    /// Reads an answer; `frame` begins with the correlation id. What a version does not carry is
    /// empty, 0, or −1.
    ///
    /// # Errors
    /// It is not as the schema says.
    pub fn decode(frame: &[u8], version: i16) -> Result<Self, Malformed> {
        let mut reader = Reader::new(frame);
        reader.i32()?;
        reader.set_flexible(ApiKey::Metadata.is_flexible(version));
        reader.tags()?;
        let throttle_time_ms = if version >= 3 { reader.i32()? } else { 0 };
        let count = reader.count(1)?;
        let mut brokers = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            brokers.push(broker(&mut reader, version)?);
        }
        let cluster_id = if version >= 2 {
            reader.nullable_string()?
        } else {
            None
        };
        let controller_id = if version >= 1 { reader.i32()? } else { -1 };
        let mut topic_authorized_operations = true;
        let count = reader.count(1)?;
        let mut topics = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            let (topic, has_operations) = topic(&mut reader, version)?;
            topic_authorized_operations &= has_operations || topic.error_code != 0;
            topics.push(topic);
        }
        let cluster_authorized_operations =
            (8..=10).contains(&version) && reader.i32()? != OPERATIONS_OMITTED;
        Ok(Self {
            throttle_time_ms,
            brokers,
            cluster_id: cluster_id.unwrap_or_default().to_owned(),
            controller_id,
            topics,
            topic_authorized_operations,
            cluster_authorized_operations,
            error_code: if version >= 13 { reader.i16()? } else { 0 },
        })
    }
}

fn broker(reader: &mut Reader<'_>, version: i16) -> Result<MetadataBroker, Malformed> {
    let node_id = reader.i32()?;
    let host = reader.string()?.to_owned();
    let port = u16::try_from(reader.i32()?).map_err(|_| Malformed("no port"))?;
    if version >= 1 {
        reader.nullable_string()?;
    }
    reader.tags()?;
    Ok(MetadataBroker {
        node_id,
        host,
        port,
    })
}

/// A topic, and whether its authorized operations are listed.
fn topic(reader: &mut Reader<'_>, version: i16) -> Result<(MetadataTopic, bool), Malformed> {
    let error_code = reader.i16()?;
    let name = if version >= 12 {
        reader.nullable_string()?
    } else {
        Some(reader.string()?)
    };
    let topic_id = if version >= 10 {
        reader.uuid()?
    } else {
        [0; 16]
    };
    if version >= 1 {
        reader.bool()?;
    }
    let count = reader.count(1)?;
    let mut partitions = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        partitions.push(partition(reader, version)?);
    }
    let has_operations = version >= 8 && reader.i32()? != OPERATIONS_OMITTED;
    reader.tags()?;
    let topic = MetadataTopic {
        error_code,
        name: name.map(str::to_owned),
        topic_id,
        partitions,
    };
    Ok((topic, has_operations))
}

fn partition(reader: &mut Reader<'_>, version: i16) -> Result<MetadataPartition, Malformed> {
    let (error_code, partition, leader_id) = (reader.i16()?, reader.i32()?, reader.i32()?);
    let told = MetadataPartition {
        error_code,
        partition,
        leader_id,
        leader_epoch: if version >= 7 { reader.i32()? } else { -1 },
        replicas: numbers(reader)?,
        isr: numbers(reader)?,
        offline_replicas: if version >= 5 {
            numbers(reader)?
        } else {
            Vec::new()
        },
    };
    reader.tags()?;
    Ok(told)
}

fn numbers(reader: &mut Reader<'_>) -> Result<Vec<i32>, Malformed> {
    let count = reader.count(4)?;
    (0..count).map(|_| reader.i32()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_again_at_every_version() {
        for version in 0..=13 {
            let since = |first: i16, value: i32, before: i32| {
                if version >= first { value } else { before }
            };
            let partition = MetadataPartition {
                error_code: 0,
                partition: 3,
                leader_id: 2,
                leader_epoch: since(7, 9, -1),
                replicas: vec![2, 1],
                isr: vec![2],
                offline_replicas: if version >= 5 { vec![1] } else { Vec::new() },
            };
            let topic = MetadataTopic {
                error_code: 0,
                name: Some("orders".to_owned()),
                topic_id: if version >= 10 { [7; 16] } else { [0; 16] },
                partitions: vec![partition],
            };
            let response = MetadataResponse {
                throttle_time_ms: since(3, 5, 0),
                brokers: vec![MetadataBroker {
                    node_id: 2,
                    host: "b2".to_owned(),
                    port: 9092,
                }],
                cluster_id: if version >= 2 { "c" } else { "" }.to_owned(),
                controller_id: since(1, 2, -1),
                topics: vec![topic],
                topic_authorized_operations: version >= 8,
                cluster_authorized_operations: (8..=10).contains(&version),
                error_code: if version >= 13 { 129 } else { 0 },
            };
            let frame = response.encode(version, 77);
            assert_eq!(MetadataResponse::decode(&frame[4..], version), Ok(response));
        }
    }
}
