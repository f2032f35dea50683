//! What an answer says, as far as two brokers of one release must say the same.
//!
//! Left out are host, port, ids of clusters, topics and producers, the controller, times, texts,
//! and the order of topics and partitions.

use std::fmt::Write as _;

use titorelli_sim::codec::{ApiKey, Malformed, Reader};

/// The name of a topic id.
pub(super) type NameOf<'a> = &'a dyn Fn(&[u8; 16]) -> String;

/// Reads a whole answer, length included, to its last byte.
pub(super) fn fate(
    api: &str,
    version: i16,
    answer: &[u8],
    name_of: NameOf<'_>,
) -> Result<String, Malformed> {
    let Some(api) = ApiKey::ALL.into_iter().find(|known| known.name() == api) else {
        return Ok(format!("{} bytes", answer.len()));
    };
    let mut reader = Reader::new(answer);
    reader.take(4)?;
    let correlation_id = reader.i32()?;
    let is_refused_version = api == ApiKey::ApiVersions && answer.get(8..10) == Some(&[0, 35]);
    let version = if is_refused_version { 0 } else { version };
    reader.set_flexible(api.is_flexible(version));
    if api != ApiKey::ApiVersions {
        reader.tags()?;
    }
    let mut said = match api {
        ApiKey::Produce => produce(&mut reader, version, name_of)?,
        ApiKey::Metadata => Metadata::read(&mut reader, version, name_of)?.to_string(),
        ApiKey::ApiVersions => api_versions(&mut reader, version)?,
        ApiKey::InitProducerId => init_producer_id(&mut reader)?,
    };
    if api == ApiKey::ApiVersions {
        // Features are not what the cluster is about.
        reader.tags()?;
    }
    if !reader.is_empty() {
        return Err(Malformed("bytes after the answer"));
    }
    write!(said, " #{correlation_id}").expect("to a string");
    Ok(said)
}

fn api_versions(reader: &mut Reader<'_>, version: i16) -> Result<String, Malformed> {
    let mut said = format!("{}:", reader.i16()?);
    let mut ranges = Vec::new();
    for _ in 0..reader.count(6)? {
        ranges.push((reader.i16()?, reader.i16()?, reader.i16()?));
        reader.tags()?;
    }
    ranges.sort_unstable();
    for (key, first, last) in ranges {
        if ApiKey::from_wire(key).is_some() {
            write!(said, " {key}v{first}-{last}").expect("to a string");
        }
    }
    if version >= 1 {
        reader.i32()?;
    }
    Ok(said)
}

fn init_producer_id(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    reader.i32()?;
    let (error_code, producer_id, epoch) = (reader.i16()?, reader.i64()?, reader.i16()?);
    reader.tags()?;
    Ok(format!(
        "{error_code} id {} epoch {epoch}",
        producer_id >= 0
    ))
}

fn produce(
    reader: &mut Reader<'_>,
    version: i16,
    name_of: NameOf<'_>,
) -> Result<String, Malformed> {
    let mut partitions = Vec::new();
    for _ in 0..reader.count(1)? {
        let topic = match version {
            13.. => name_of(&reader.uuid()?),
            _ => reader.string()?.to_owned(),
        };
        for _ in 0..reader.count(1)? {
            partitions.push(partition(reader, version, &topic)?);
        }
        reader.tags()?;
    }
    if version >= 1 {
        reader.i32()?;
    }
    let endpoints = if version >= 10 {
        endpoints(reader)?
    } else {
        reader.tags()?;
        String::new()
    };
    partitions.sort();
    Ok(partitions.join(" ") + &endpoints)
}

/// `topic-0: 87@-1 s0 r0,1 m`: code, base offset, start of the log, `t` if a log append time is
/// set, records to blame, whether there is a message, and who leads instead.
fn partition(reader: &mut Reader<'_>, version: i16, topic: &str) -> Result<String, Malformed> {
    let (index, error_code, base_offset) = (reader.i32()?, reader.i16()?, reader.i64()?);
    let mut said = format!("{topic}-{index}: {error_code}@{base_offset}");
    if version >= 2 && reader.i64()? >= 0 {
        said.push_str(" t");
    }
    if version >= 5 {
        write!(said, " s{}", reader.i64()?).expect("to a string");
    }
    if version >= 8 {
        for _ in 0..reader.count(1)? {
            write!(said, " r{}", reader.i32()?).expect("to a string");
            reader.nullable_string()?;
            reader.tags()?;
        }
        if reader.nullable_string()?.is_some() {
            said.push_str(" m");
        }
    }
    match version {
        10.. => said += &leader(reader)?,
        _ => reader.tags()?,
    }
    Ok(said)
}

/// Tag 0 of a partition: leader and epoch.
fn leader(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    tag_zero(reader, |field| {
        Ok(format!(" leader {} epoch {}", field.i32()?, field.i32()?))
    })
}

/// Tag 0 of the answer: the brokers whose addresses it names.
fn endpoints(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    tag_zero(reader, |field| {
        let mut nodes = Vec::new();
        for _ in 0..field.count(1)? {
            nodes.push(field.i32()?);
            field.string()?;
            field.i32()?;
            field.nullable_string()?;
            field.tags()?;
        }
        nodes.sort_unstable();
        Ok(format!(" at {nodes:?}"))
    })
}

fn tag_zero(
    reader: &mut Reader<'_>,
    read: impl Fn(&mut Reader<'_>) -> Result<String, Malformed>,
) -> Result<String, Malformed> {
    let mut said = String::new();
    for _ in 0..reader.uvarint()? {
        let (tag, size) = (reader.uvarint()?, reader.uvarint()?);
        let mut field = Reader::new(reader.take(usize::try_from(size).expect("fits"))?);
        field.set_flexible(true);
        if tag == 0 {
            said += &read(&mut field)?;
        }
    }
    Ok(said)
}

/// A Metadata answer.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) cluster_id: String,
    brokers: Vec<i32>,
    pub(super) topics: Vec<Topic>,
    error_code: i16,
}

/// One topic of it.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) id: [u8; 16],
    error_code: i16,
    pub(super) partitions: Vec<Partition>,
    operations: i32,
}

/// One partition of it.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) index: i32,
    error_code: i16,
    leader: i32,
    epoch: i32,
    replicas: Vec<i32>,
    pub(super) isr: Vec<i32>,
    offline: Vec<i32>,
}

impl Metadata {
    /// Reads the body.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        version: i16,
        name_of: NameOf<'_>,
    ) -> Result<Self, Malformed> {
        if version >= 3 {
            reader.i32()?;
        }
        let mut brokers = Vec::new();
        for _ in 0..reader.count(1)? {
            brokers.push(reader.i32()?);
            reader.string()?;
            reader.i32()?;
            if version >= 1 {
                reader.nullable_string()?;
            }
            reader.tags()?;
        }
        brokers.sort_unstable();
        let cluster_id = match version {
            2.. => reader.nullable_string()?.unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        if version >= 1 {
            reader.i32()?;
        }
        let mut topics = Vec::new();
        for _ in 0..reader.count(1)? {
            topics.push(Topic::read(reader, version, name_of)?);
        }
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        if (8..=10).contains(&version) {
            reader.i32()?;
        }
        let error_code = if version >= 13 { reader.i16()? } else { 0 };
        reader.tags()?;
        Ok(Self {
            cluster_id,
            brokers,
            topics,
            error_code,
        })
    }
}

impl Topic {
    fn read(reader: &mut Reader<'_>, version: i16, name_of: NameOf<'_>) -> Result<Self, Malformed> {
        let error_code = reader.i16()?;
        let name = reader.nullable_string()?.map(str::to_owned);
        let id = if version >= 10 {
            reader.uuid()?
        } else {
            [0; 16]
        };
        if version >= 1 {
            reader.bool()?;
        }
        let mut partitions = Vec::new();
        for _ in 0..reader.count(1)? {
            partitions.push(Partition::read(reader, version)?);
        }
        partitions.sort_by_key(|partition| partition.index);
        let operations = if version >= 8 { reader.i32()? } else { 0 };
        reader.tags()?;
        Ok(Self {
            name: name.unwrap_or_else(|| name_of(&id)),
            id,
            error_code,
            partitions,
            operations,
        })
    }
}

impl Partition {
    fn read(reader: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let (error_code, index, leader) = (reader.i16()?, reader.i32()?, reader.i32()?);
        let epoch = if version >= 7 { reader.i32()? } else { -1 };
        let brokers = |reader: &mut Reader<'_>| -> Result<Vec<i32>, Malformed> {
            (0..reader.count(4)?).map(|_| reader.i32()).collect()
        };
        let (replicas, isr) = (brokers(reader)?, brokers(reader)?);
        let offline = if version >= 5 {
            brokers(reader)?
        } else {
            Vec::new()
        };
        reader.tags()?;
        Ok(Self {
            index,
            error_code,
            leader,
            epoch,
            replicas,
            isr,
            offline,
        })
    }
}

impl std::fmt::Display for Metadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sorted = |brokers: &[i32]| {
            let mut brokers = brokers.to_vec();
            brokers.sort_unstable();
            brokers
        };
        write!(f, "{} brokers {:?}", self.error_code, self.brokers)?;
        for topic in &self.topics {
            let has_id = topic.id != [0; 16];
            write!(f, "; {} {} id {has_id}", topic.error_code, topic.name)?;
            write!(f, " may {}", topic.operations)?;
            for partition in &topic.partitions {
                let (index, code) = (partition.index, partition.error_code);
                write!(f, ", {index}: {code} leader {}", partition.leader)?;
                write!(f, " epoch {}", partition.epoch)?;
                write!(f, " of {:?}", sorted(&partition.replicas))?;
                write!(f, " isr {:?}", sorted(&partition.isr))?;
                write!(f, " off {:?}", sorted(&partition.offline))?;
            }
        }
        Ok(())
    }
}
