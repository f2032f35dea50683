//! House rules that no compiler checks: sizes, words, arrows between rooms, purity by text, and a
//! code map that names every file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file.
const FILE_LINES_MAX: usize = 600;
/// Characters of a line.
const LINE_CHARS_MAX: usize = 100;

/// A source file: its path from the top, with slashes, and its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every Rust file below these folders.
fn sources(folders: &[&str]) -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| top.join(folder)).collect();
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder is readable");
            waiting.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file is text");
            let path = path.strip_prefix(top).expect("below the top");
            let parts = path.iter().map(|part| part.to_string_lossy());
            let path = parts.collect::<Vec<_>>().join("/");
            found.push(Source { path, text });
        }
    }
    assert!(!found.is_empty(), "there are files in {folders:?}");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

pub(crate) fn everything() -> Vec<Source> {
    sources(&["src", "sim", "drivers", "tests"])
}

/// Fails with all complaints at once.
#[track_caller]
fn expect_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn files_and_lines_are_short() {
    let mut complaints = Vec::new();
    for Source { path, text } in everything() {
        let count = text.lines().count();
        if count > FILE_LINES_MAX {
            complaints.push(format!(
                "{path}: {count} lines, {FILE_LINES_MAX} are allowed"
            ));
        }
        for (at, line) in text.lines().enumerate() {
            let chars = line.chars().count();
            // A raw literal cannot be broken.
            if chars > LINE_CHARS_MAX && !line.contains("r#\"") {
                complaints.push(format!("{path}:{}: {chars} characters", at + 1));
            }
        }
    }
    expect_none(&complaints);
}

#[test]
fn nothing_is_left_for_later() {
    // In two parts, or this file would complain about itself.
    let words = [
        ("FIX", "ME"),
        ("TO", "DO"),
        ("todo", "!("),
        ("dbg", "!("),
        ("unimplemen", "ted!"),
    ];
    let words: Vec<String> = words.iter().map(|(a, b)| format!("{a}{b}")).collect();
    let mut complaints = Vec::new();
    for Source { path, text } in everything() {
        for (at, line) in text.lines().enumerate() {
            let found = words.iter().filter(|word| line.contains(word.as_str()));
            complaints.extend(found.map(|word| format!("{path}:{}: {word}", at + 1)));
        }
    }
    expect_none(&complaints);
}

/// The part of a file that is not its unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text)
}

/// The core by text: macros and full paths included, which no lint of types sees.
#[test]
fn the_core_names_no_clock_thread_socket_file_environment_or_hash_order() {
    let words = [
        "std::time::Instant",
        "SystemTime",
        "std::thread",
        "std::net",
        "std::fs",
        "std::env",
        "HashMap",
        "HashSet",
        "Mutex",
        "RwLock",
        "std::sync::atomic",
        "thread_local",
        "static mut",
    ];
    let mut complaints = Vec::new();
    for Source { path, text } in sources(&["src"]) {
        if path == "src/test_support.rs" {
            continue;
        }
        for (at, line) in without_tests(&text).lines().enumerate() {
            let found = words.iter().filter(|word| line.contains(**word));
            complaints.extend(found.map(|word| format!("{path}:{}: {word}", at + 1)));
        }
    }
    expect_none(&complaints);
}

/// What a room or a leaf of the core must not know.
fn strangers(path: &str) -> &'static [&'static str] {
    let room = path
        .trim_start_matches("src/")
        .split('/')
        .next()
        .unwrap_or_default();
    match room {
        "lib.rs" | "producer" | "recording" => &[],
        "sender" => &["producer"],
        "accumulator" => &[
            "connection",
            "metadata",
            "partitioner",
            "sender",
            "producer",
            "seal",
        ],
        "connection" => &[
            "accumulator",
            "metadata",
            "partitioner",
            "sender",
            "producer",
            "seal",
        ],
        "metadata" => &["accumulator", "connection", "sender", "producer", "seal"],
        "wire" => &[
            "accumulator",
            "backoff",
            "boundary",
            "config",
            "connection",
            "error",
            "metadata",
            "partitioner",
            "producer",
            "random",
            "record",
            "report",
            "seal",
            "sender",
            "slot",
            "stats",
            "time",
            "trace",
        ],
        _leaf => &[
            "accumulator",
            "connection",
            "metadata",
            "sender",
            "producer",
        ],
    }
}

#[test]
fn arrows_between_rooms_point_down() {
    let mut complaints = Vec::new();
    for Source { path, text } in sources(&["src"]) {
        for (at, line) in without_tests(&text).lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for stranger in strangers(&path) {
                let is_named = [";", "::", ",", "}"]
                    .iter()
                    .any(|end| line.contains(&format!("crate::{stranger}{end}")));
                if is_named {
                    complaints.push(format!("{path}:{}: knows {stranger}", at + 1));
                }
            }
        }
    }
    expect_none(&complaints);
}

/// The simulator judges with its own codec.
#[test]
fn the_simulator_does_not_use_the_wire_that_it_judges() {
    let sources = sources(&["sim/src"]);
    let guilty = sources
        .iter()
        .filter(|source| source.text.contains("titorelli::wire::"));
    // Prose may name it, code may not.
    let in_code = |source: &&Source| {
        let mut lines = source.text.lines();
        lines.any(|line| line.contains("titorelli::wire::") && !line.trim().starts_with("//"))
    };
    let complaints: Vec<String> = guilty.filter(in_code).map(|s| s.path.clone()).collect();
    expect_none(&complaints);
}

/// The code map of DESIGN.md: a place (a folder or a file) and the words about it.
fn code_map() -> Vec<(String, BTreeSet<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("DESIGN.md");
    let design = fs::read_to_string(path).expect("DESIGN.md is there");
    let section = design
        .split("Code map")
        .nth(1)
        .expect("DESIGN.md has a code map");
    let map = section
        .split("```")
        .nth(1)
        .expect("the code map is a block");
    let mut places: Vec<(String, BTreeSet<String>)> = Vec::new();
    for line in map.lines().skip(1) {
        let is_place = !line.starts_with(' ') && !line.is_empty();
        let mut words = line
            .split([' ', '(', ')', ',', '·'])
            .filter(|word| !word.is_empty());
        if is_place {
            let place = words.next().unwrap_or_default();
            places.push((place.to_owned(), BTreeSet::new()));
        }
        if let Some((_, known)) = places.last_mut() {
            known.extend(words.map(str::to_owned));
        }
    }
    places
}

#[test]
fn the_code_map_names_every_file_and_no_other() {
    let map = code_map();
    let mut complaints = Vec::new();
    for Source { path, .. } in sources(&["src", "sim/src"]) {
        let (folder, file) = path.rsplit_once('/').expect("files are in folders");
        let is_named = map.iter().any(|(place, words)| {
            let is_here = *place == path;
            let is_listed = place.strip_suffix("/*.rs") == Some(folder) && words.contains(file);
            let in_folder = place.strip_suffix('/').is_some_and(|place| {
                let is_below = folder == place || folder.starts_with(&format!("{place}/"));
                // The simulator's rooms are named as rooms.
                is_below && (words.contains(file) || place.starts_with("sim/"))
            });
            let beside = words.contains(file) && place.starts_with(&format!("{folder}/"));
            let is_room = words.contains(&format!("{}/", folder.rsplit('/').next().unwrap_or("")))
                && place.starts_with("sim/");
            is_here || is_listed || in_folder || (beside && folder == "sim/src") || is_room
        });
        let is_door = path == "sim/src/lib.rs";
        if !is_named && !is_door {
            complaints.push(format!("{path} is not in the code map of DESIGN.md"));
        }
    }
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (place, words) in map {
        let folder = place.trim_end_matches("*.rs");
        if !top.join(folder).exists() {
            complaints.push(format!("DESIGN.md names {place}, which is not there"));
        }
        if !place.starts_with("src/") || !place.ends_with('/') {
            continue;
        }
        let is_file = |word: &&String| Path::new(word.as_str()).extension().is_some();
        for word in words.iter().filter(is_file) {
            let is_there = top.join(folder).join(word).exists()
                || top.join(folder).join("primitives").join(word).exists();
            if !is_there {
                complaints.push(format!(
                    "DESIGN.md names {folder}{word}, which is not there"
                ));
            }
        }
    }
    expect_none(&complaints);
}
