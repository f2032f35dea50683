//! `titorelli serve`: the embedded cluster, for any Kafka producer on this machine.

use crate::output::{print, tell};
use crate::{Ended, interrupt};
use clap::Args;
use std::collections::BTreeSet;
use std::process::ExitCode;
use titorelli::counted;
use titorelli_serve::{Embedded, EmbeddedConfig};
use titorelli_sim::cluster::{Cluster, LogRetention};

/// Kafka has no such limit; a slip of the finger should not fill the memory.
const PARTITIONS_MAX: i32 = 100_000;

/// Serve the embedded cluster on loopback for any Kafka producer.
///
/// It checks what it is sent as a broker does, counts it, and forgets it: memory stays constant.
/// Ctrl-C ends it and prints what arrived.
#[derive(Args)]
pub(crate) struct Serve {
    /// How many brokers, 1 to 100.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    brokers: u16,
    /// The port of the first broker; the others follow. 0 takes any free ports.
    #[arg(long, default_value_t = 9092)]
    port: u16,
    /// A topic to create, with 1 to 100,000 partitions. Repeatable.
    #[arg(long = "topic", value_name = "NAME:PARTITIONS", value_parser = topic)]
    topics: Vec<(String, i32)>,
    /// Create a topic when a client asks for it.
    #[arg(long)]
    auto_create: bool,
}

impl Serve {
    /// Serves until Ctrl-C.
    pub(crate) fn run(&self) -> Ended {
        let names: BTreeSet<&str> = self.topics.iter().map(|(name, _)| name.as_str()).collect();
        if names.len() < self.topics.len() {
            return Err("--topic: two topics have the same name".into());
        }
        if self.port > 0 && self.port.checked_add(self.brokers - 1).is_none() {
            let (port, brokers) = (self.port, self.brokers);
            let brokers = counted(brokers, "broker");
            return Err(format!("{brokers} from port {port} on: 65535 is the last").into());
        }
        let mut config = EmbeddedConfig::with_brokers(self.brokers);
        config.first_port = self.port;
        config.cluster.auto_create_topics = self.auto_create;
        config.cluster.retention = LogRetention::Counts;
        let embedded = Embedded::start(config)
            .map_err(|error| format!("cannot listen at port {} onwards: {error}", self.port))?;
        for (name, partitions) in self.topics.clone() {
            embedded.control(move |cluster| cluster.create_topic(&name, partitions));
        }
        interrupt::listen()?;
        print(&format!("{}\n", embedded.bootstrap()))?;
        tell(format_args!(
            "titorelli: serving {}; Ctrl-C ends it",
            counted(self.brokers, "broker")
        ));
        interrupt::wait();
        print(&counts(&embedded.into_cluster()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What arrived, one line per partition.
fn counts(cluster: &Cluster) -> String {
    let lines = cluster.logs().map(|(topic, partition, log)| {
        format!(
            "{topic}-{partition} {} in {}, {}\n",
            counted(log.record_count(), "record"),
            counted(log.batch_count(), "batch"),
            counted(log.record_bytes(), "byte")
        )
    });
    lines.collect()
}

/// `NAME:PARTITIONS`, by Kafka's rules for names.
fn topic(text: &str) -> Result<(String, i32), String> {
    let (name, partitions) = text.rsplit_once(':').ok_or("expected NAME:PARTITIONS")?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !name.bytes().all(legal) || !(1..=249).contains(&name.len()) || [".", ".."].contains(&name) {
        return Err(format!("{name:?} cannot be a topic's name"));
    }
    match partitions.parse() {
        Ok(count @ 1..=PARTITIONS_MAX) => Ok((name.to_owned(), count)),
        _ => Err(format!(
            "{partitions:?} is no number from 1 to {PARTITIONS_MAX}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::topic;

    #[test]
    fn a_topic_is_a_legal_name_and_a_number_of_partitions() {
        assert_eq!(topic("a.b_c-D:12"), Ok(("a.b_c-D".to_owned(), 12)));
        for wrong in ["a", "a:", ":3", "a:0", "a:-1", "a b:1", "..:1", "a:100001"] {
            assert!(topic(wrong).is_err(), "{wrong}");
        }
    }
}
