//! The format of Java's properties files (`java.util.Properties.load`), which Kafka's own
//! configuration files have.
//!
//! A logical line is a key, then `=`, `:` or blanks, then a value. `#` and `!` begin comments. A
//! backslash at the end of a line continues it, blanks at the beginning of the next left out;
//! elsewhere it begins an escape.

use core::str::Chars;

/// What some editors begin a file with; it belongs to no key.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A key and its value, unescaped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) key: String,
    pub(super) value: String,
}

/// The properties of a text in order, each with the number of its line, from 1. An escape that is
/// none is told by its line alone.
pub(super) fn parse(text: &str) -> impl Iterator<Item = Result<(usize, Property), usize>> {
    let mut lines = text
        .strip_prefix(BYTE_ORDER_MARK)
        .unwrap_or(text)
        .lines()
        .enumerate();
    core::iter::from_fn(move || {
        loop {
            let (index, line) = lines.next()?;
            let line = line.trim_start();
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            let mut logical = line.to_owned();
            while is_continued(&logical) {
                logical.pop();
                let Some((_, next)) = lines.next() else { break };
                logical.push_str(next.trim_start());
            }
            let number = index + 1;
            return Some(match split(&logical) {
                Some(property) => Ok((number, property)),
                None => Err(number),
            });
        }
    })
}

/// Whether the line ends with a backslash that is not itself escaped.
fn is_continued(line: &str) -> bool {
    let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
    backslashes % 2 == 1
}

fn split(line: &str) -> Option<Property> {
    let mut rest = line.chars();
    let mut key = String::new();
    let mut has_separator = false;
    while let Some(char) = rest.next() {
        match char {
            '=' | ':' => {
                has_separator = true;
                break;
            }
            char if char.is_whitespace() => break,
            '\\' => key.push(unescape(&mut rest)?),
            char => key.push(char),
        }
    }
    let mut value_text = rest.as_str().trim_start();
    if !has_separator && let Some(after) = value_text.strip_prefix(['=', ':']) {
        value_text = after.trim_start();
    }
    let (mut value, mut rest) = (String::new(), value_text.chars());
    while let Some(char) = rest.next() {
        match char {
            '\\' => value.push(unescape(&mut rest)?),
            char => value.push(char),
        }
    }
    Some(Property { key, value })
}

/// What the characters after a backslash stand for; `None` after `\u` without four digits.
fn unescape(rest: &mut Chars<'_>) -> Option<char> {
    Some(match rest.next() {
        Some('t') => '\t',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('f') => '\u{c}',
        Some('u') => {
            let digits = rest.as_str().get(..4)?;
            let code = u32::from_str_radix(digits, 16).ok()?;
            *rest = rest.as_str()[4..].chars();
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        Some(other) => other,
        None => '\\',
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(usize, &str, &str)]) {
        let found: Vec<_> = parse(text)
            .map(|property| property.expect("valid"))
            .collect();
        let found: Vec<_> = found
            .iter()
            .map(|(line, property)| (*line, &*property.key, &*property.value))
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn keys_and_values_are_separated_in_three_ways() {
        check(
            "a=1\nb:2\nc 3\n d = 4 \n e : 5\nf\t6\ng=\nh\n=i",
            &[
                (1, "a", "1"),
                (2, "b", "2"),
                (3, "c", "3"),
                (4, "d", "4 "),
                (5, "e", "5"),
                (6, "f", "6"),
                (7, "g", ""),
                (8, "h", ""),
                (9, "", "i"),
            ],
        );
        check("a=b=c\nd==e", &[(1, "a", "b=c"), (2, "d", "=e")]);
    }

    #[test]
    fn comments_and_blank_lines_are_no_properties() {
        check("# a=1\n\n  ! b=2\r\n   \nc=#3\n", &[(5, "c", "#3")]);
    }

    #[test]
    fn a_byte_order_mark_belongs_to_no_key() {
        check("\u{feff}a=1\r\nb=2\r\n", &[(1, "a", "1"), (2, "b", "2")]);
        check("\u{feff}# no\n\u{feff}a=1", &[(2, "\u{feff}a", "1")]);
    }

    #[test]
    fn lines_are_continued_and_escapes_undone() {
        check(
            "a=1,\\\n    2,\\\n\t3\nb=\\\\\nc\\ d\\==\\u00e9\\tx\\q",
            &[(1, "a", "1,2,3"), (4, "b", "\\"), (5, "c d=", "é\txq")],
        );
        check("a=1\\", &[(1, "a", "1")]);
    }

    #[test]
    fn a_broken_escape_is_told_with_its_line() {
        for text in ["a=1\nb=\\u12", "a=1\nb=\\uxyzw", "a=1\nb\\u=2"] {
            assert_eq!(parse(text).last(), Some(Err(2)), "{text}");
        }
    }
}
