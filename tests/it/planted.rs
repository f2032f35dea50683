//! The bugs that are planted, and the museum's index: both are held to the code, so that neither
//! can rot. `.ci/planted` plants them, one at a time, and has the simulator find them.

use crate::tidy::everything;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// So many bugs at least.
const BUGS_MIN: usize = 40;
/// What is not built yet, and brings its own stories.
const LATER: [&str; 3] = [
    "with authentication",
    "with idempotence",
    "with transactions",
];

/// One text in a file in place of another.
#[derive(Debug, Default)]
struct Edit {
    path: String,
    before: String,
    after: String,
}

/// A bug: where it was told or what it breaks, what it is, and how it is made.
#[derive(Debug, Default)]
struct Bug {
    name: String,
    museum: String,
    words: String,
    edits: Vec<Edit>,
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every list in `sim/planted`.
fn lists() -> Vec<PathBuf> {
    let entries = fs::read_dir(top().join("sim/planted")).expect("the folder is there");
    let mut lists: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    lists.sort();
    lists
}

/// The bugs of a list: lines after `|` are text, all others say what it is.
fn read(path: &Path) -> Vec<Bug> {
    let text = fs::read_to_string(path).expect("a list is text");
    let mut bugs: Vec<Bug> = Vec::new();
    let mut is_after = false;
    for line in text.lines() {
        if line.is_empty() || line.starts_with("# ") {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            bugs.push(Bug {
                name: name.to_owned(),
                ..Bug::default()
            });
            continue;
        }
        let bug = bugs.last_mut().expect("a list begins with a name");
        if let Some(museum) = line.strip_prefix("museum: ") {
            museum.clone_into(&mut bug.museum);
        } else if let Some(words) = line.strip_prefix("bug: ") {
            words.clone_into(&mut bug.words);
        } else if let Some(path) = line.strip_prefix("file: ") {
            bug.edits.push(Edit {
                path: path.to_owned(),
                ..Edit::default()
            });
        } else if let Some(text) = line.strip_prefix('|') {
            let edit = bug.edits.last_mut().expect("a file is named first");
            let into = if is_after {
                &mut edit.after
            } else {
                &mut edit.before
            };
            into.push_str(text);
            into.push('\n');
        } else {
            assert!(
                matches!(line, "before:" | "after:"),
                "{}: {line}",
                path.display()
            );
            is_after = line == "after:";
        }
    }
    bugs
}

fn bugs() -> Vec<Bug> {
    lists().iter().flat_map(|path| read(path)).collect()
}

#[test]
fn every_planted_bug_still_has_its_place() {
    let bugs = bugs();
    assert!(bugs.len() >= BUGS_MIN, "{} bugs", bugs.len());
    let names: BTreeSet<&str> = bugs.iter().map(|bug| bug.name.as_str()).collect();
    assert_eq!(names.len(), bugs.len(), "each has a name of its own");
    for bug in &bugs {
        let is_told = !bug.museum.is_empty() && bug.words.ends_with('.');
        assert!(is_told && !bug.edits.is_empty(), "{bug:?}");
        for edit in &bug.edits {
            assert!(edit.path.starts_with("src/"), "{}: the core only", bug.name);
            let text = fs::read_to_string(top().join(&edit.path)).expect("the file is there");
            let count = text.matches(&edit.before).count();
            let (name, path) = (&bug.name, &edit.path);
            assert_eq!(count, 1, "{name}: in {path} there is\n{}", edit.before);
            assert_ne!(edit.before, edit.after, "{name}: it changes nothing");
        }
    }
}

#[test]
fn every_exhibit_of_the_museum_has_a_test_or_a_planted_bug() {
    let index = fs::read_to_string(top().join("tests/it/museum/index.txt"));
    let index = index.expect("the index is there");
    let planted: BTreeSet<String> = bugs().into_iter().map(|bug| bug.name).collect();
    let sources = everything();
    let is_test = |name: &str| {
        let head = format!("fn {name}()");
        sources.iter().any(|source| source.text.contains(&head))
    };
    let mut exhibits = BTreeSet::new();
    let mut complaints = Vec::new();
    for line in index.lines().filter(|line| !line.starts_with('#')) {
        let (exhibit, shown) = line.split_once(": ").expect("an exhibit and what shows it");
        exhibits.insert(exhibit);
        let is_shown = LATER.contains(&shown)
            || shown.strip_prefix("test ").is_some_and(is_test)
            || shown
                .strip_prefix("planted ")
                .is_some_and(|name| planted.contains(name));
        if !is_shown {
            complaints.push(format!("{exhibit}: there is no {shown}"));
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    assert!(exhibits.len() > 60, "{} exhibits", exhibits.len());
}
