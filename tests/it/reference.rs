//! `docs/reference-producer.md` is complete, and every test that it names is there.

use std::collections::{BTreeMap, BTreeSet};
use titorelli::config::KEYS;

const PAGE: &str = include_str!("../../docs/reference-producer.md");

/// A row of one of the page's tables: number, name, and the tests in the last column.
struct Row<'a> {
    number: &'a str,
    name: &'a str,
    tests: Vec<&'a str>,
}

/// The rows below a heading.
fn rows<'a>(heading: &str) -> Vec<Row<'a>> {
    let (_, section) = PAGE.split_once(heading).expect("the heading is there");
    let section = section.split("\n## ").next().expect("a section");
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| ---");
    section.lines().filter(is_row).skip(1).map(row).collect()
}

fn row(line: &str) -> Row<'_> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let tests = cells.last().expect("a cell").split(", ");
    Row {
        number: cells[0],
        name: cells[1].trim_matches('`'),
        tests: tests.map(|test| test.trim_matches('`')).collect(),
    }
}

/// How many tests have each name.
fn all_tests() -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for source in crate::tidy::everything() {
        let mut is_test = false;
        for line in source.text.lines().map(str::trim) {
            if line == "#[test]" {
                is_test = true;
            } else if let Some(rest) = line.strip_prefix("fn ")
                && let Some((name, _)) = rest.split_once('(')
            {
                if is_test {
                    *found.entry(name.to_owned()).or_default() += 1;
                }
                is_test = false;
            }
        }
    }
    found
}

#[test]
fn every_row_names_tests_that_are_there() {
    let tests = all_tests();
    assert!(tests.len() > 300, "{}", tests.len());
    for heading in ["## Configuration", "## Methods and behaviour", "## Errors"] {
        for row in rows(heading) {
            for test in row.tests {
                let count = tests.get(test).copied().unwrap_or_default();
                assert_eq!(count, 1, "{heading}, {}: {test:?}", row.name);
            }
        }
    }
}

#[test]
fn no_row_of_the_reference_is_missing() {
    for (heading, count) in [("## Configuration", 28), ("## Methods and behaviour", 24)] {
        let numbers = rows(heading).into_iter().map(|row| row.number);
        let numbers: BTreeSet<usize> = numbers.filter_map(|number| number.parse().ok()).collect();
        assert!(numbers.into_iter().eq(1..=count), "{heading}");
    }
}

/// What a row calls a key is one; what is no key is given to the builder or to `typed`.
#[test]
fn the_rows_of_the_configuration_are_keys() {
    const NO_TEXT: [&str; 3] = ["key_serializer", "value_serializer", "ssl_context"];
    for row in rows("## Configuration") {
        if row.number == "–" || NO_TEXT.contains(&row.name) {
            continue;
        }
        assert!(KEYS.iter().any(|key| key.name == row.name), "{}", row.name);
    }
}
