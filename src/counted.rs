//! A count with its noun, for people.

use core::fmt;

/// `1 batch`, `2 batches`, `0 retries`: so many of a thing, with the plural where it is due. The
/// noun is a regular one, in the singular.
#[must_use]
pub fn counted(count: impl fmt::Display, noun: &str) -> String {
    let count = count.to_string();
    if count == "1" {
        return format!("{count} {noun}");
    }
    let consonant_y = noun.strip_suffix('y');
    let consonant_y = consonant_y.filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match consonant_y {
        Some(stem) => format!("{count} {stem}ies"),
        None if noun.ends_with("ch") || noun.ends_with('s') => format!("{count} {noun}es"),
        None => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_thing_is_no_plural() {
        for (count, noun, told) in [
            (0, "batch", "0 batches"),
            (1, "batch", "1 batch"),
            (2, "batch", "2 batches"),
            (1, "retry", "1 retry"),
            (11, "retry", "11 retries"),
            (3, "day", "3 days"),
            (21, "record", "21 records"),
            (-1, "record", "-1 records"),
        ] {
            assert_eq!(counted(count, noun), told);
        }
    }
}
