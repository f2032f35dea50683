//! The words of a log: how texts and bytes are written without spaces, and read again.
//!
//! Never: more memory than the line itself has.

use core::fmt::{self, Write};
use core::str::FromStr;

/// What stands for nothing: a null, an unset field.
pub(super) const NOTHING: &str = "-";

/// Bytes as text: printable ASCII as it is, everything else as `%` and two digits. No bytes are a
/// `%` alone, so that it is a word all the same.
pub(super) struct Escaped<'a>(pub(super) &'a [u8]);

/// The same within a line whose rest it is: spaces stay.
pub(super) struct Phrase<'a>(pub(super) &'a str);

/// Bytes as hexadecimal digits.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_char('%');
        }
        self.0.iter().try_for_each(|byte| escape(f, *byte, false))
    }
}

impl fmt::Display for Phrase<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| escape(f, byte, true))
    }
}

fn escape(f: &mut fmt::Formatter<'_>, byte: u8, keeps_spaces: bool) -> fmt::Result {
    let is_plain = byte.is_ascii_graphic() && byte != b'%' || keeps_spaces && byte == b' ';
    if is_plain {
        f.write_char(char::from(byte))
    } else {
        write!(f, "%{byte:02x}")
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a line cannot be read.
pub(super) type Malformed = &'static str;

/// The words of a line that are not read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a>(Option<&'a str>);

impl<'a> Words<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        Self(Some(line))
    }

    /// The next word, if there is one.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        let line = self.0?;
        let (word, rest) = match line.split_once(' ') {
            Some((word, rest)) => (word, Some(rest)),
            None => (line, None),
        };
        self.0 = rest;
        Some(word)
    }

    pub(super) fn word(&mut self) -> Result<&'a str, Malformed> {
        self.next().ok_or("a word is missing")
    }

    pub(super) fn number<T: FromStr>(&mut self) -> Result<T, Malformed> {
        self.word()?.parse().map_err(|_| "not such a number")
    }

    /// A number, or nothing.
    pub(super) fn optional<T: FromStr>(&mut self) -> Result<Option<T>, Malformed> {
        match self.word()? {
            NOTHING => Ok(None),
            word => word.parse().map(Some).map_err(|_| "not such a number"),
        }
    }

    pub(super) fn text(&mut self) -> Result<String, Malformed> {
        text(self.word()?)
    }

    /// What is left of the line.
    pub(super) fn rest(&mut self) -> &'a str {
        self.0.take().unwrap_or_default()
    }

    /// The line ends here.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        self.0.map_or(Ok(()), |_| Err("a word too many"))
    }
}

/// What [`Escaped`] or [`Phrase`] wrote.
pub(super) fn unescape(word: &str) -> Result<Vec<u8>, Malformed> {
    if word == "%" {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        if *first == b'%' {
            let (digits, others) = rest.split_at_checked(2).ok_or("an escape is cut off")?;
            bytes.push(byte(digits)?);
            rest = others;
        } else {
            bytes.push(*first);
        }
    }
    Ok(bytes)
}

pub(super) fn text(word: &str) -> Result<String, Malformed> {
    String::from_utf8(unescape(word)?).map_err(|_| "not a text")
}

/// What [`Hex`] wrote.
pub(super) fn unhex(word: &str) -> Result<Vec<u8>, Malformed> {
    word.as_bytes().chunks(2).map(byte).collect()
}

/// Two hexadecimal digits.
fn byte(digits: &[u8]) -> Result<u8, Malformed> {
    let [high, low] = digits else {
        return Err("a digit is missing");
    };
    let digit = |digit: &u8| char::from(*digit).to_digit(16).ok_or("not a digit");
    let byte = digit(high)? * 16 + digit(low)?;
    u8::try_from(byte).map_err(|_| "not a byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same_bytes() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [
            &b""[..],
            b"plain",
            b"100 % sure\n",
            "Titorelli’s".as_bytes(),
            &all,
        ] {
            let word = Escaped(bytes).to_string();
            assert!(word.bytes().all(|byte| byte.is_ascii_graphic()), "{word}");
            assert_eq!(unescape(&word).unwrap(), bytes);
            assert_eq!(unhex(&Hex(bytes).to_string()).unwrap(), bytes);
        }
        assert_eq!(Phrase("two words\n").to_string(), "two words%0a");
    }

    #[test]
    fn what_nobody_writes_is_refused() {
        for word in ["%4", "a%", "%zz", "%-1"] {
            assert!(unescape(word).is_err(), "{word}");
        }
        assert!(text("%ff").is_err());
        for word in ["0", "012", "zz", "+f"] {
            assert!(unhex(word).is_err(), "{word}");
        }
    }

    #[test]
    fn words_stand_between_single_spaces() {
        let mut words = Words::of("12 - a%20b  rest of it");
        assert_eq!(words.number::<u64>(), Ok(12));
        assert_eq!(words.optional::<i32>(), Ok(None));
        assert_eq!(words.text().as_deref(), Ok("a b"));
        assert_eq!(words.next(), Some(""));
        assert!(words.end().is_err());
        assert_eq!(words.rest(), "rest of it");
        assert!(words.end().is_ok() && words.word().is_err());
    }
}
