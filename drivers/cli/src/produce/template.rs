//! From a line to a record: what all records share, and how a line is taken apart.

use titorelli_mio::{Header, Record};

/// What the arguments say about every record.
pub(super) struct Template<'a> {
    /// The topic.
    pub(super) topic: &'a str,
    /// The partition, where one was asked for.
    pub(super) partition: Option<i32>,
    /// Headers of every record.
    pub(super) headers: Vec<Header<'a>>,
    /// What stands between key and value; not empty.
    pub(super) key_separator: Option<&'a [u8]>,
    /// Whether an empty value is sent as null.
    pub(super) empty_is_null: bool,
}

impl Template<'_> {
    /// The record that a line stands for.
    pub(super) fn record<'r>(&'r self, line: &'r [u8]) -> Record<'r> {
        let parts = self
            .key_separator
            .and_then(|separator| split(line, separator));
        let (key, value) = match parts {
            Some((key, value)) => (Some(key), value),
            None => (None, line),
        };
        // Without a key there is nothing that a null value could delete.
        let is_null = self.empty_is_null && value.is_empty() && key.is_some();
        Record {
            partition: self.partition,
            key,
            value: (!is_null).then_some(value),
            headers: &self.headers,
            ..Record::to(self.topic)
        }
    }
}

/// Key and value around the first separator.
fn split<'a>(line: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memchr::memmem::find(line, separator)?;
    Some((&line[..at], &line[at + separator.len()..]))
}

/// The header `NAME=VALUE`; without the equals sign its value is null.
pub(super) fn header(text: &str) -> Header<'_> {
    match text.split_once('=') {
        Some((name, value)) => Header {
            name,
            value: Some(value.as_bytes()),
        },
        None => Header {
            name: text,
            value: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(key_separator: Option<&[u8]>, empty_is_null: bool) -> Template<'_> {
        Template {
            topic: "t",
            partition: None,
            headers: vec![],
            key_separator,
            empty_is_null,
        }
    }

    fn key_and_value<'r>(
        template: &'r Template<'_>,
        line: &'r str,
    ) -> (Option<&'r [u8]>, Option<&'r [u8]>) {
        let record = template.record(line.as_bytes());
        (record.key, record.value)
    }

    #[test]
    fn a_line_is_split_at_the_first_separator() {
        let keyed = template(Some(b"::"), false);
        assert_eq!(
            key_and_value(&keyed, "k::v::w"),
            (Some(&b"k"[..]), Some(&b"v::w"[..]))
        );
        assert_eq!(
            key_and_value(&keyed, "::v"),
            (Some(&b""[..]), Some(&b"v"[..]))
        );
        assert_eq!(key_and_value(&keyed, "k:v"), (None, Some(&b"k:v"[..])));
    }

    #[test]
    fn an_empty_value_is_null_only_when_asked_for_and_where_there_is_a_key() {
        let empty = Some(&b""[..]);
        assert_eq!(
            key_and_value(&template(Some(b"="), false), "k="),
            (Some(&b"k"[..]), empty)
        );
        assert_eq!(key_and_value(&template(None, true), ""), (None, empty));
        assert_eq!(
            key_and_value(&template(Some(b"="), true), "k="),
            (Some(&b"k"[..]), None)
        );
    }

    #[test]
    fn a_header_without_an_equals_sign_has_a_null_value() {
        assert_eq!(
            header("a=b=c"),
            Header {
                name: "a",
                value: Some(b"b=c")
            }
        );
        assert_eq!(
            header("a="),
            Header {
                name: "a",
                value: Some(b"")
            }
        );
        assert_eq!(
            header("a"),
            Header {
                name: "a",
                value: None
            }
        );
    }
}
