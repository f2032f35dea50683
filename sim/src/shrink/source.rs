//! A plan as the source of a test in Rust, in as few lines as may be: what is as plain as can be
//! is not written.

use core::fmt::Write;
use core::time::Duration;

use titorelli::config::KEYS;

use crate::fault::Fault;
use crate::journal::OwnedRecord;
use crate::network::{NetworkConfig, Span};
use crate::plan::{Plan, Replicas, Stage, Step};

/// What a test may name, by where it is.
const NAMES: [(&str, &[&str]); 3] = [
    ("core::time", &["Duration"]),
    (
        "titorelli_sim::cluster",
        &["Access", "BrokerId", "Distortion", "Lie"],
    ),
    (
        "titorelli_sim",
        &[
            "Damage",
            "Fault",
            "Garbling",
            "OwnedRecord",
            "Purge",
            "Run",
            "SlowLinks",
            "Span",
            "Stage",
            "ms",
        ],
    ),
];

impl Plan {
    /// The source of a test of this name that carries out the plan, with what it needs to compile:
    /// it fails as the plan does.
    #[must_use]
    pub fn source(&self, name: &str) -> String {
        let changes = changes(&self.stage);
        let mutable = if changes.is_empty() { "" } else { "mut " };
        let mut lines = vec![format!(
            "let {mutable}stage = Stage::new({});",
            grouped(self.stage.seed.into())
        )];
        lines.extend(changes.iter().map(|change| format!("stage.{change};")));
        lines.push("let mut run = Run::new(&stage);".to_owned());
        let verbs = self.steps.iter().map(verb);
        lines.extend(verbs.map(|verb| format!("run.{verb};")));
        let mut body = String::new();
        for line in lines {
            let _ = writeln!(body, "    {line}");
        }
        let imports = imports(&body);
        format!("{imports}\n#[test]\nfn {name}() {{\n{body}}}\n")
    }
}

/// The `use` lines of what is named.
fn imports(body: &str) -> String {
    let is_named = |name: &&str| {
        let mut signs = ["::", "(", " {"].into_iter();
        signs.any(|sign| body.contains(&format!("{name}{sign}")))
    };
    let mut lines = String::new();
    for (place, names) in NAMES {
        let found: Vec<&str> = names.iter().copied().filter(is_named).collect();
        let _ = match found.as_slice() {
            [] => Ok(()),
            [name] => writeln!(lines, "use {place}::{name};"),
            [..] => writeln!(lines, "use {place}::{{{}}};", found.join(", ")),
        };
    }
    lines
}

// ---- The stage --------------------------------------------------------------------------------

/// What is not as in the plainest stage, as assignments.
fn changes(stage: &Stage) -> Vec<String> {
    let plain = Stage::new(stage.seed);
    let mut changes = Vec::new();
    if stage.brokers != plain.brokers {
        changes.push(format!("brokers = {}", stage.brokers));
    }
    if stage.releases != plain.releases {
        changes.push(format!("releases = vec!{:?}", stage.releases));
    }
    if stage.answers_without_acks {
        changes.push("answers_without_acks = true".to_owned());
    }
    if stage.first_epoch != plain.first_epoch {
        let epoch = grouped(stage.first_epoch.unsigned_abs().into());
        changes.push(format!("first_epoch = {epoch}"));
    }
    if stage.topics != plain.topics {
        changes.push(format!("topics = vec!{:?}", stage.topics));
    }
    changes.extend(of_replicas(&stage.replicas, &plain.replicas));
    for key in KEYS {
        let value = key.value_in(&stage.core);
        if value != key.default {
            changes.push(format!("core.set({:?}, {value:?}).unwrap()", key.name));
        }
    }
    changes.extend(of_network(&stage.network, &plain.network));
    changes
}

fn of_replicas(replicas: &Replicas, plain: &Replicas) -> Vec<String> {
    let mut changes = Vec::new();
    for (name, count, plain) in [
        ("factor", replicas.factor, plain.factor),
        ("min_in_sync", replicas.min_in_sync, plain.min_in_sync),
    ] {
        if count != plain {
            changes.push(format!("replicas.{name} = {count}"));
        }
    }
    for (name, span, plain) in [
        ("fetch", replicas.fetch, plain.fetch),
        ("lag_max", replicas.lag_max, plain.lag_max),
    ] {
        if span != plain {
            changes.push(format!("replicas.{name} = {}", of_duration(span)));
        }
    }
    changes
}

fn of_network(network: &NetworkConfig, plain: &NetworkConfig) -> Vec<String> {
    let mut changes = Vec::new();
    for (name, span, plain) in [
        ("latency", network.latency, plain.latency),
        ("seal", network.seal, plain.seal),
        ("write_pause", network.write_pause, plain.write_pause),
    ] {
        if span != plain {
            changes.push(format!("network.{name} = {}", of_span(span)));
        }
    }
    for (name, bytes) in [
        ("write_bytes_max", network.write_bytes_max),
        ("chunk_bytes_max", network.chunk_bytes_max),
    ] {
        if let Some(bytes) = bytes {
            changes.push(format!("network.{name} = Some({bytes})"));
        }
    }
    if let Some(slow) = network.slow_links {
        let (percent, extra) = (slow.percent, of_span(slow.extra));
        changes.push(format!(
            "network.slow_links = Some(SlowLinks {{\n        percent: {percent},\n        \
             extra: {extra},\n    }})"
        ));
    }
    changes
}

fn of_span(span: Span) -> String {
    if span.min == span.max {
        return format!("Span::exactly({})", of_duration(span.min));
    }
    let (min, max) = (of_duration(span.min), of_duration(span.max));
    format!("Span::between({min}, {max})")
}

/// `ms(5)` where it is as much.
fn of_duration(duration: Duration) -> String {
    if duration.subsec_micros().is_multiple_of(1_000) {
        format!("ms({})", grouped(duration.as_millis()))
    } else {
        format!("Duration::from_micros({})", grouped(duration.as_micros()))
    }
}

/// `1_000`, as lints want it.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    grouped
}

// ---- The steps --------------------------------------------------------------------------------

/// What is called.
fn verb(step: &Step) -> String {
    match step {
        Step::Wait(span) => format!("wait({})", of_duration(*span)),
        Step::Settle => "settle()".to_owned(),
        Step::Send(record) => format!("send({})", of_record(record)),
        Step::Echo(record) => format!("echo({})", of_record(record)),
        Step::Flush => "flush()".to_owned(),
        Step::Cancel => "cancel()".to_owned(),
        Step::Withdraw(nth) => format!("withdraw({nth})"),
        Step::Purge(what) => format!("purge(Purge::{what:?})"),
        Step::Inflict(fault) => format!("inflict(&{})", of_fault(fault)),
        Step::Damage(broker, damage) => format!("damage({broker:?}, Damage::{damage:?})"),
        Step::Heal => "heal()".to_owned(),
        Step::Close(within) => format!("close({})", of_duration(*within)),
    }
}

fn of_record(record: &OwnedRecord) -> String {
    let place = match record.partition {
        Some(partition) => format!("{}/{partition}", record.topic),
        None => record.topic.clone(),
    };
    let value = text(record.value.as_deref().unwrap_or_default());
    let number = value.trim_end_matches('.');
    let value = if number.len() == value.len() {
        format!("{value:?}")
    } else {
        format!("format!(\"{{:.<{}}}\", {number:?})", value.len())
    };
    let mut source = format!("OwnedRecord::to({place:?}, {value})");
    if let Some(key) = &record.key {
        let _ = write!(source, ".key({:?})", text(key));
    }
    for (name, value) in &record.headers {
        let value = value.as_deref();
        let value = value.map_or("None".to_owned(), |value| format!("Some(&{value:?})"));
        let _ = write!(source, ".header({name:?}, {value})");
    }
    if let Some(at_ms) = record.timestamp_ms {
        let at_ms = grouped(at_ms.unsigned_abs().into());
        let _ = write!(source, ".timestamp({at_ms})");
    }
    source
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn of_fault(fault: &Fault) -> String {
    let source = match fault {
        Fault::ForgetProducers(..)
        | Fault::LimitBatches(..)
        | Fault::LiftLimit(_)
        | Fault::Permit(..)
        | Fault::AddPartition(_)
        | Fault::Delete(_)
        | Fault::Recreate(..) => return of_topic_fault(fault),
        Fault::MoveLeader {
            topic,
            partition,
            leader,
        } => format!("move_leader(\"{topic}/{partition}\", {leader:?})"),
        Fault::ReplaceLeader {
            topic,
            partition,
            leader,
        } => format!("replace_leader(\"{topic}/{partition}\", {leader:?})"),
        Fault::ElectUnclean {
            topic,
            partition,
            leader,
        } => format!("elect_unclean(\"{topic}/{partition}\", {leader:?})"),
        Fault::FailNext {
            topic,
            partition,
            error_code,
            append,
        } => {
            let verb = ["fail_next", "fail_after_append"][usize::from(*append)];
            format!("{verb}(\"{topic}/{partition}\", {error_code})")
        }
        Fault::Delay(broker, extra) => format!("Delay({broker:?}, {})", of_duration(*extra)),
        Fault::Distort(broker, distortion) => {
            format!("Distort({broker:?}, Distortion::{distortion:?})")
        }
        Fault::Garble(broker, garbling) => format!("Garble({broker:?}, Garbling::{garbling:?})"),
        Fault::Mislead(broker, lie) => format!("Mislead({broker:?}, Lie::{lie:?})"),
        Fault::Starve(span) => format!("Starve({})", of_duration(*span)),
        Fault::Leap(span) => format!("Leap({})", of_duration(*span)),
        Fault::Throttle(broker, millis) => {
            format!(
                "Throttle({broker:?}, {})",
                grouped(millis.unsigned_abs().into())
            )
        }
        Fault::Cut(_)
        | Fault::CutRequestsAfter(..)
        | Fault::CutResponsesAfter(..)
        | Fault::Silence(_)
        | Fault::Swallow(_)
        | Fault::Stall(_)
        | Fault::Admit(_)
        | Fault::HoldReplicas(_)
        | Fault::FreeReplicas(_)
        | Fault::Down(_)
        | Fault::Up(_)
        | Fault::Clog(..)
        | Fault::Restart(_)
        | Fault::Upgrade(..)
        | Fault::Lag(_)
        | Fault::Blank(_)
        | Fault::CatchUp(_)
        | Fault::Readdress(_)
        | Fault::RefuseId(_)
        | Fault::SwapAddresses(..) => format!("{fault:?}"),
    };
    format!("Fault::{source}")
}

/// A fault of a topic, or of a partition by its number.
fn of_topic_fault(fault: &Fault) -> String {
    let source = if let Fault::Permit(topic, access) = fault {
        format!("Permit({topic:?}.into(), Access::{access:?})")
    } else if let Fault::ForgetProducers(topic, partition) = fault {
        format!("ForgetProducers({topic:?}.into(), {partition})")
    } else if let Fault::LimitBatches(topic, bytes) = fault {
        let bytes = u128::try_from(*bytes).expect("a usize fits");
        format!("LimitBatches({topic:?}.into(), {})", grouped(bytes))
    } else if let Fault::LiftLimit(topic) = fault {
        format!("LiftLimit({topic:?}.into())")
    } else if let Fault::AddPartition(topic) = fault {
        format!("AddPartition({topic:?}.into())")
    } else if let Fault::Delete(topic) = fault {
        format!("Delete({topic:?}.into())")
    } else if let Fault::Recreate(topic, count) = fault {
        format!("Recreate({topic:?}.into(), {count})")
    } else {
        format!("{fault:?}")
    };
    format!("Fault::{source}")
}
