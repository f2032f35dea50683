//! The format of Java's properties files (`java.util.Properties.load`), which Kafka's own
//! configuration files have.
//!
//! A logical line is a key, then `=`, `:` or blanks, then a value. `#` and `!` begin comments, on a
//! line of their own. A backslash at the end of a line continues it, blanks at the beginning of the
//! next left out; elsewhere it begins an escape.

use core::str::Chars;

/// What may stand around a key and before a value; no other white space does.
const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

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
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut lines = lines(text).enumerate();
    core::iter::from_fn(move || {
        loop {
            let (index, line) = lines.next()?;
            let line = line.trim_start_matches(BLANKS);
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            let mut logical = line.to_owned();
            while is_continued(&logical) {
                logical.pop();
                let Some((_, next)) = lines.next() else { break };
                logical.push_str(next.trim_start_matches(BLANKS));
            }
            let number = index + 1;
            return Some(match split(&logical) {
                Some(property) => Ok((number, property)),
                None => Err(number),
            });
        }
    })
}

/// The lines of a text, which `\n`, `\r` or both together end.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        let after_both = after.strip_prefix("\r\n");
        rest = after_both.or_else(|| after.get(1..)).unwrap_or_default();
        Some(line)
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
            char if BLANKS.contains(&char) => break,
            '\\' => key.push(unescape(&mut rest)?),
            char => key.push(char),
        }
    }
    let mut value_text = rest.as_str().trim_start_matches(BLANKS);
    if !has_separator && let Some(after) = value_text.strip_prefix(['=', ':']) {
        value_text = after.trim_start_matches(BLANKS);
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
            let first = code_unit(rest)?;
            // What does not fit in one escape is a pair of them.
            let mut after = rest.clone();
            let is_escape = after.next() == Some('\\') && after.next() == Some('u');
            let second = is_escape.then(|| code_unit(&mut after)).flatten();
            match char::decode_utf16(core::iter::once(first).chain(second)).next() {
                Some(Ok(char)) => {
                    if char.len_utf16() > 1 {
                        *rest = after;
                    }
                    char
                }
                Some(Err(_)) | None => char::REPLACEMENT_CHARACTER,
            }
        }
        Some(other) => other,
        None => '\\',
    })
}

/// Four hexadecimal digits.
fn code_unit(rest: &mut Chars<'_>) -> Option<u16> {
    let mut code = 0;
    for _ in 0..4 {
        code = code * 16 + rest.next()?.to_digit(16)?;
    }
    u16::try_from(code).ok()
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
    fn a_carriage_return_alone_ends_a_line_too() {
        check(
            "# no\ra=1\rb=2,\\\r  3\r\n\rc=4",
            &[(2, "a", "1"), (3, "b", "2,3"), (6, "c", "4")],
        );
    }

    #[test]
    fn only_three_characters_are_blanks() {
        check("a\u{c}1\n\u{c}b\t=\u{c}2", &[(1, "a", "1"), (2, "b", "2")]);
        for other in ['\u{a0}', '\u{85}', '\u{b}', '\u{2003}'] {
            let text = format!("a{other}b=1{other}");
            let (key, value) = (format!("a{other}b"), format!("1{other}"));
            check(&text, &[(1, &key, &value)]);
        }
    }

    #[test]
    fn a_pair_of_escapes_is_one_character_and_half_of_it_none() {
        check("a=\\ud83d\\ude00!", &[(1, "a", "😀!")]);
        check(
            "a=\\ud83d!\nb=\\ude00",
            &[(1, "a", "\u{fffd}!"), (2, "b", "\u{fffd}")],
        );
        check("a=\\ud83d\\u0041", &[(1, "a", "\u{fffd}A")]);
        check("a=\\u0041\\ud83d\\uDE00", &[(1, "a", "A😀")]);
    }

    #[test]
    fn a_broken_escape_is_told_with_its_line() {
        for text in [
            "a=1\nb=\\u12",
            "a=1\nb=\\uxyzw",
            "a=1\nb\\u=2",
            "a=1\nb=\\u+0e9",
            "a=1\nb=\\ud83d\\u+e00",
        ] {
            assert_eq!(parse(text).last(), Some(Err(2)), "{text}");
        }
    }
}
