//! Serves a cluster under the control of standard input, for scripts.
//!
//! `serve_and_dump [brokers [first_port]]` prints the bootstrap servers, then obeys one command
//! per line: `topic NAME PARTITIONS [small] [compacted] [stamped] [dated]` (512-byte batches,
//! compaction, `LogAppendTime`, nothing from the future), `move TOPIC PARTITION BROKER`, `fail
//! TOPIC PARTITION CODE append|refuse`, `cut`, `counts TOPIC`, `dump`. Each ends with the line
//! `ok`; before that `counts` prints the records of each partition, and `dump` one JSON line per
//! record.
//! The end of the input ends the program.

use std::fmt::Write as _;
use std::io::{self, BufRead, Write};
use std::time::Duration;

use titorelli_serve::{Embedded, EmbeddedConfig};
use titorelli_sim::cluster::{BrokerId, Cluster, TopicConfig};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let brokers = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(3);
    let mut config = EmbeddedConfig::with_brokers(brokers);
    config.first_port = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let embedded = Embedded::start(config)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", embedded.bootstrap())?;
    out.flush()?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match obey(&embedded, &words) {
            Some(printed) => write!(out, "{printed}")?,
            None => writeln!(out, "not understood: {line}")?,
        }
        writeln!(out, "ok")?;
        out.flush()?;
    }
    Ok(())
}

/// Carries out one command; what it prints, or `None` if it is not understood.
fn obey(embedded: &Embedded, words: &[&str]) -> Option<String> {
    match *words {
        ["topic", name, partitions, ref options @ ..] => {
            let mut config = TopicConfig {
                partitions: partitions.parse().ok()?,
                ..TopicConfig::default()
            };
            for option in options {
                match *option {
                    "small" => config.max_message_bytes = 512,
                    "compacted" => config.compacted = true,
                    "dated" => config.timestamp_after_max = Some(Duration::from_secs(3_600)),
                    "stamped" => config.log_append_time = true,
                    _ => return None,
                }
            }
            let name = name.to_owned();
            embedded.control(move |cluster| cluster.create_topic_with(&name, config));
        }
        ["move", topic, partition, broker] => {
            let (topic, partition) = (topic.to_owned(), partition.parse().ok()?);
            let broker = BrokerId(broker.parse().ok()?);
            embedded.control(move |cluster| cluster.move_leader(&topic, partition, broker));
        }
        ["fail", topic, partition, code, then] => {
            let (topic, partition) = (topic.to_owned(), partition.parse().ok()?);
            let (code, append) = (code.parse().ok()?, then == "append");
            embedded.control(move |cluster| cluster.fail_next(&topic, partition, code, append));
        }
        ["cut"] => embedded.cut_connections(None),
        ["counts", topic] => {
            let topic = topic.to_owned();
            return Some(embedded.control(move |cluster| counts(cluster, &topic)));
        }
        ["dump"] => return Some(embedded.control(|cluster| dump(cluster))),
        _ => return None,
    }
    Some(String::new())
}

/// How many records each partition of a topic has, one line each.
fn counts(cluster: &Cluster, topic: &str) -> String {
    let partitions = 0..cluster.partition_count(topic);
    let count = |partition| format!("{}\n", cluster.log(topic, partition).record_count());
    partitions.map(count).collect()
}

/// One JSON line per record; keys, values and header values in hexadecimal.
fn dump(cluster: &Cluster) -> String {
    let mut out = String::new();
    for (topic, partition, log) in cluster.logs() {
        for record in log.records() {
            let of_offset = |base: &i64| *base <= record.offset;
            let index = log
                .batches()
                .partition_point(|batch| of_offset(&batch.base_offset));
            let batch = log.batches()[index - 1];
            let headers: Vec<String> = record
                .headers
                .iter()
                .map(|header| {
                    format!(
                        "[{},{}]",
                        hex(Some(&header.name)),
                        hex(header.value.as_deref())
                    )
                })
                .collect();
            writeln!(
                out,
                r#"{{"topic":"{topic}","partition":{partition},"offset":{},"timestamp":{},"key":{},"value":{},"headers":[{}],"codec":"{}","producer_id":{},"sequence":{},"broker":{}}}"#,
                record.offset,
                record.timestamp_ms,
                hex(record.key.as_deref()),
                hex(record.value.as_deref()),
                headers.join(","),
                batch.codec.name(),
                batch.producer_id,
                batch.base_sequence,
                batch.broker.0,
            )
            .expect("writing to a string");
        }
    }
    out
}

fn hex(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else {
        return "null".to_owned();
    };
    let digits = bytes.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("writing to a string");
        digits
    });
    format!("\"{digits}\"")
}
