//! The recorded conversations, as `tests/data/corpus/README.md` describes them.

use std::collections::BTreeMap;
use std::io::Read as _;

/// One step of a conversation.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) script: String,
    pub(super) number: String,
    pub(super) note: String,
    /// The connection within the script.
    pub(super) connection: String,
    pub(super) api: String,
    pub(super) version: i16,
    /// Whole frames; empty: the next answer to the bytes of the step before.
    pub(super) request: Vec<u8>,
    /// Whole frame; `None`: closed or silent.
    pub(super) response: Option<Vec<u8>>,
    pub(super) is_closed: bool,
    /// The broker asked, where there is more than one.
    pub(super) node: i32,
}

impl Step {
    fn parse(line: &str) -> Self {
        let fields = fields(line);
        let field = |name: &str| fields.get(name).copied();
        let text = |name: &str| field(name).unwrap_or_default().to_owned();
        let response = field("response_hex").filter(|answer| *answer != "null");
        let node = field("node_id").unwrap_or("1");
        Self {
            script: text("script"),
            number: text("step"),
            note: text("note"),
            connection: text("conn"),
            api: text("api"),
            version: text("version").parse().expect("a version"),
            request: unhex(&text("request_hex")),
            response: response.map(unhex),
            is_closed: field("closed") == Some("true"),
            node: node.parse().expect("a broker id"),
        }
    }

    /// Whether both are tries of one step, which was repeated until it came out well.
    pub(super) fn is_same_try(&self, other: &Self) -> bool {
        let key = |step: &Self| (step.version, step.api.clone(), step.connection.clone());
        self.note == other.note && self.script == other.script && key(self) == key(other)
    }
}

/// The steps of a release in their order.
pub(super) fn steps(gzipped: &[u8]) -> Vec<Step> {
    let mut lines = String::new();
    flate2::read::GzDecoder::new(gzipped)
        .read_to_string(&mut lines)
        .expect("gzipped text");
    lines.lines().map(Step::parse).collect()
}

/// The fields of one flat JSON object whose strings have no escapes.
fn fields(line: &str) -> BTreeMap<&str, &str> {
    assert!(!line.contains('\\'), "no escapes: {line}");
    let mut rest = line.trim().trim_start_matches('{').trim_end_matches('}');
    let mut fields = BTreeMap::new();
    while !rest.is_empty() {
        let (name, after) = token(rest);
        let (value, after) = token(after.trim_start_matches(':'));
        fields.insert(name, value);
        rest = after.trim_start_matches(',');
    }
    fields
}

/// A string without its quotes, or everything up to the comma.
fn token(text: &str) -> (&str, &str) {
    let split = match text.strip_prefix('"') {
        Some(quoted) => return quoted.split_once('"').expect("a closing quote"),
        None => text.find(',').unwrap_or(text.len()),
    };
    text.split_at(split)
}

fn unhex(digits: &str) -> Vec<u8> {
    let digits: Vec<char> = digits.chars().collect();
    let byte = |pair: &[char]| {
        let digit = |digit: char| digit.to_digit(16).expect("a hexadecimal digit");
        u8::try_from(digit(pair[0]) * 16 + digit(pair[1])).expect("a byte")
    };
    digits.chunks_exact(2).map(byte).collect()
}
