//! How a value is read from text and written as text, type by type.
//!
//! What is written is read as the same value.

use super::{Acks, ApiVersion, Codec, MetadataRecovery, Partitioner, SecurityProtocol};
use core::fmt::Display;
use core::str::FromStr;
use core::time::Duration;
use std::path::PathBuf;

/// The text of a value that is not set.
const UNSET: &str = "unset";

/// 584,000 years: as long as can be counted in microseconds, and still be added to the clocks of
/// all systems.
const FOR_EVER: Duration = Duration::from_millis(u64::MAX / 1_000);

/// A type of values.
pub(super) trait Kind {
    type Value;
    /// What a value looks like, for people.
    const NAME: &'static str;

    fn read(text: &str) -> Result<Self::Value, String>;
    fn write(value: &Self::Value) -> String;
}

/// A list of `host[:port]`; not empty.
pub(super) struct Servers;

impl Kind for Servers {
    type Value = Vec<String>;
    const NAME: &'static str = "host[:port],…";

    fn read(text: &str) -> Result<Vec<String>, String> {
        let parts = text.split(',').map(str::trim);
        let servers: Vec<String> = parts
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        if servers.is_empty() {
            return Err("expected HOST[:PORT],…".to_owned());
        }
        Ok(servers)
    }

    fn write(value: &Vec<String>) -> String {
        value.join(",")
    }
}

/// Any text.
pub(super) struct Text;

impl Kind for Text {
    type Value = String;
    const NAME: &'static str = "text";

    fn read(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn write(value: &String) -> String {
        value.clone()
    }
}

/// A number that is not negative.
pub(super) struct Count;

impl Kind for Count {
    type Value = usize;
    const NAME: &'static str = "number";

    fn read(text: &str) -> Result<usize, String> {
        number(text, usize::MIN, usize::MAX)
    }

    fn write(value: &usize) -> String {
        value.to_string()
    }
}

/// A number of retries; `inf`, as kafka-python has it, is as many as there can be.
pub(super) struct Retries;

impl Kind for Retries {
    type Value = u32;
    const NAME: &'static str = "number or inf";

    fn read(text: &str) -> Result<u32, String> {
        if text.eq_ignore_ascii_case("inf") {
            return Ok(u32::MAX);
        }
        number(text, u32::MIN, u32::MAX).map_err(|words| format!("{words}, or inf"))
    }

    fn write(value: &u32) -> String {
        if *value == u32::MAX {
            return "inf".to_owned();
        }
        value.to_string()
    }
}

/// 0 to 100.
pub(super) struct Percent;

impl Kind for Percent {
    type Value = u8;
    const NAME: &'static str = "0 to 100";

    fn read(text: &str) -> Result<u8, String> {
        number(text, 0, 100)
    }

    fn write(value: &u8) -> String {
        value.to_string()
    }
}

/// Milliseconds, with decimals if need be.
pub(super) struct Millis;

impl Kind for Millis {
    type Value = Duration;
    const NAME: &'static str = "milliseconds";

    fn read(text: &str) -> Result<Duration, String> {
        millis(text)
    }

    fn write(value: &Duration) -> String {
        let (whole, nanos) = (value.as_millis(), value.subsec_nanos() % 1_000_000);
        if nanos == 0 {
            return whole.to_string();
        }
        let decimals = format!("{nanos:06}");
        format!("{whole}.{}", decimals.trim_end_matches('0'))
    }
}

/// Milliseconds, or none told.
pub(super) struct MillisOrUnset;

impl Kind for MillisOrUnset {
    type Value = Option<Duration>;
    const NAME: &'static str = "milliseconds or unset";

    fn read(text: &str) -> Result<Option<Duration>, String> {
        unless_unset(text, millis)
    }

    fn write(value: &Option<Duration>) -> String {
        value.as_ref().map_or_else(unset, Millis::write)
    }
}

/// Milliseconds; −1 is for ever.
pub(super) struct MillisOrNever;

impl Kind for MillisOrNever {
    type Value = Duration;
    const NAME: &'static str = "milliseconds or -1";

    fn read(text: &str) -> Result<Duration, String> {
        if text == "-1" {
            return Ok(Duration::MAX);
        }
        millis(text)
    }

    fn write(value: &Duration) -> String {
        if *value == Duration::MAX {
            return "-1".to_owned();
        }
        Millis::write(value)
    }
}

/// True or false.
pub(super) struct Switch;

impl Kind for Switch {
    type Value = bool;
    const NAME: &'static str = "true or false";

    fn read(text: &str) -> Result<bool, String> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(format!("{text:?} is neither true nor false")),
        }
    }

    fn write(value: &bool) -> String {
        value.to_string()
    }
}

/// A codec's level; it may be negative.
pub(super) struct Level;

impl Kind for Level {
    type Value = Option<i32>;
    const NAME: &'static str = "number or unset";

    fn read(text: &str) -> Result<Option<i32>, String> {
        unless_unset(text, |text| number(text, i32::MIN, i32::MAX))
    }

    fn write(value: &Option<i32>) -> String {
        value.map_or_else(unset, |level| level.to_string())
    }
}

/// A sequence number.
pub(super) struct Sequence;

impl Kind for Sequence {
    type Value = i32;
    const NAME: &'static str = "number";

    fn read(text: &str) -> Result<i32, String> {
        number(text, 0, i32::MAX)
    }

    fn write(value: &i32) -> String {
        value.to_string()
    }
}

/// The size of a socket's buffer. Java says −1 and librdkafka 0 for the system's.
pub(super) struct SocketBuffer;

impl Kind for SocketBuffer {
    type Value = Option<u32>;
    const NAME: &'static str = "number or unset";

    fn read(text: &str) -> Result<Option<u32>, String> {
        match text {
            "-1" | "0" => Ok(None),
            _ => unless_unset(text, |text| number(text, u32::MIN, u32::MAX)),
        }
    }

    fn write(value: &Option<u32>) -> String {
        value.map_or_else(unset, |bytes| bytes.to_string())
    }
}

/// A file.
pub(super) struct File;

impl Kind for File {
    type Value = Option<PathBuf>;
    const NAME: &'static str = "file or unset";

    fn read(text: &str) -> Result<Option<PathBuf>, String> {
        unless_unset(text, |path| Ok(PathBuf::from(path)))
    }

    fn write(value: &Option<PathBuf>) -> String {
        let path = value.as_ref();
        path.map_or_else(unset, |path| path.display().to_string())
    }
}

/// When a record counts as written.
pub(super) struct Acknowledgements;

impl Kind for Acknowledgements {
    type Value = Acks;
    const NAME: &'static str = "0, 1 or all";

    fn read(text: &str) -> Result<Acks, String> {
        match text.to_ascii_lowercase().as_str() {
            "0" => Ok(Acks::None),
            "1" => Ok(Acks::Leader),
            "all" | "-1" => Ok(Acks::All),
            _ => Err(format!("{text:?} is none of 0, 1, all")),
        }
    }

    fn write(value: &Acks) -> String {
        match value {
            Acks::None => "0",
            Acks::Leader => "1",
            Acks::All => "all",
        }
        .to_owned()
    }
}

/// A codec.
pub(super) struct Compression;

impl Kind for Compression {
    type Value = Codec;
    const NAME: &'static str = "codec";

    fn read(text: &str) -> Result<Codec, String> {
        parsed(&text.to_ascii_lowercase())
    }

    fn write(value: &Codec) -> String {
        value.name().to_owned()
    }
}

/// A partitioner.
pub(super) struct Partitioning;

impl Kind for Partitioning {
    type Value = Partitioner;
    const NAME: &'static str = "partitioner";

    fn read(text: &str) -> Result<Partitioner, String> {
        parsed(text)
    }

    fn write(value: &Partitioner) -> String {
        value.name().to_owned()
    }
}

/// What is spoken with brokers.
pub(super) struct Protocol;

impl Kind for Protocol {
    type Value = SecurityProtocol;
    const NAME: &'static str = "PLAINTEXT or SSL";

    fn read(text: &str) -> Result<SecurityProtocol, String> {
        parsed(text)
    }

    fn write(value: &SecurityProtocol) -> String {
        value.name().to_owned()
    }
}

/// What is done when no known broker answers.
pub(super) struct Recovery;

impl Kind for Recovery {
    type Value = MetadataRecovery;
    const NAME: &'static str = "rebootstrap or none";

    fn read(text: &str) -> Result<MetadataRecovery, String> {
        parsed(text)
    }

    fn write(value: &MetadataRecovery) -> String {
        value.name().to_owned()
    }
}

/// `auto` or a release.
pub(super) struct Version;

impl Kind for Version {
    type Value = ApiVersion;
    const NAME: &'static str = "auto or a release";

    fn read(text: &str) -> Result<ApiVersion, String> {
        parsed(text)
    }

    fn write(value: &ApiVersion) -> String {
        value.to_string()
    }
}

fn unset() -> String {
    UNSET.to_owned()
}

/// Nothing, or what `read` makes of it. kafka-python's word for nothing is `None`.
fn unless_unset<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    let is_unset = ["", UNSET, "none", "null"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    if is_unset {
        return Ok(None);
    }
    read(text).map(Some)
}

fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn number<T>(text: &str, least: T, most: T) -> Result<T, String>
where
    T: Copy + Display + FromStr + PartialOrd,
{
    let number = text.replace('_', "").parse().ok();
    let number = number.filter(|number| (&least..=&most).contains(&number));
    number.ok_or_else(|| format!("{text:?} is not a number from {least} to {most}"))
}

/// Parts of a microsecond round up, so that a time that is not 0 never becomes 0 for the core,
/// which counts in microseconds. What is more of them than it can count is for ever.
fn millis(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time in milliseconds, from 0 on or inf");
    let time = if let Ok(whole) = text.replace('_', "").parse() {
        Duration::from_millis(whole)
    } else {
        let millis: f64 = text.parse().map_err(|_| wrong())?;
        // A clamp keeps what is no number, and what is negative.
        Duration::try_from_secs_f64((millis / 1e3).clamp(-1.0, 1e18)).map_err(|_| wrong())?
    };
    let micros = time.as_nanos().div_ceil(1_000);
    let time = u64::try_from(micros).map_or(FOR_EVER, Duration::from_micros);
    Ok(time.min(FOR_EVER))
}
