//! Where other clients send records, line by line: `tests/vectors/`, which says how its files were
//! made.

use std::collections::BTreeMap;
use titorelli::Partitioner;
use titorelli::partitioner::{
    cumulative_weights, has_produced_enough, murmur2, partition_for_key, round_robin,
    weighted_index,
};

/// Partition counts of the columns.
const COUNTS: [usize; 8] = [1, 2, 3, 7, 12, 100, 1_000, 0x7fff_ffff];
/// Fewer vectors than this would prove little.
const VECTORS_MIN: usize = 1_000;

macro_rules! file {
    ($name:literal) => {
        lines(include_str!(concat!("../vectors/", $name)))
    };
}

/// The lines of a file, without its head.
fn lines(text: &str) -> Vec<&str> {
    let is_head = |line: &&str| line.starts_with('#');
    text.lines().skip_while(is_head).collect()
}

/// `keys.txt`: hexadecimal, or a word.
fn keys() -> Vec<Option<Vec<u8>>> {
    let digits = |at: usize, word: &str| u8::from_str_radix(&word[at..at + 2], 16).expect("hex");
    let key = |word: &str| match word {
        "null" => None,
        "empty" => Some(Vec::new()),
        _ => Some(
            (0..word.len())
                .step_by(2)
                .map(|at| digits(at, word))
                .collect(),
        ),
    };
    file!("keys.txt").into_iter().map(key).collect()
}

/// Numbers with commas between them; `-` is none.
fn numbers<T: core::str::FromStr<Err: core::fmt::Debug>>(word: &str) -> Vec<T> {
    if word == "-" {
        return Vec::new();
    }
    let number = |word: &str| word.parse().expect("a number");
    word.split(',').map(number).collect()
}

/// Numbers with colons between them.
fn parts<const N: usize>(word: &str) -> [u32; N] {
    let found: Vec<u32> = word
        .split(':')
        .map(|part| part.parse().expect("a number"))
        .collect();
    found.try_into().expect("so many parts")
}

/// Compares what a client does with every key; returns the number of keys.
#[track_caller]
fn check_keys(partitioner: Partitioner, lines: &[&str]) -> usize {
    let keys = keys();
    assert_eq!(keys.len(), lines.len(), "a line per key");
    for (key, line) in keys.iter().zip(lines) {
        let index = |count| partition_for_key(partitioner, key.as_deref(), count);
        if *line == "-" {
            assert_eq!(index(1_000), None, "{partitioner:?} spreads {key:?}");
            continue;
        }
        let columns: Vec<usize> = numbers(&line.replace(' ', ","));
        assert!(columns.len() >= COUNTS.len() - 1, "{line}");
        for (count, expected) in COUNTS.into_iter().zip(columns) {
            assert_eq!(
                index(count),
                Some(expected),
                "{partitioner:?} {key:?} of {count}"
            );
        }
    }
    keys.len()
}

/// The lines of Java's hash without their first column, the hash, which is compared here.
fn java_keys() -> Vec<&'static str> {
    let lines = file!("java-murmur2.txt");
    let mut rest = Vec::new();
    for (key, line) in keys().iter().zip(lines) {
        let (hash, columns) = line.split_once(' ').unwrap_or(("", line));
        if let Some(key) = key {
            assert_eq!(murmur2(key).cast_signed().to_string(), hash, "{key:?}");
        }
        rest.push(columns);
    }
    rest
}

/// KIP-369 with leaders that come and go, several topics, and the end of the counter.
fn check_round_robin() -> usize {
    let mut turns: BTreeMap<&str, u32> = BTreeMap::new();
    let mut vectors = 0;
    for line in file!("java-round-robin.txt") {
        let words: Vec<&str> = line.split(' ').collect();
        let [topic, first, count, available, chosen] = words[..] else {
            panic!("five words: {line}");
        };
        let turn = turns.entry(topic).or_default();
        if first != "-" {
            *turn = first.parse::<i32>().expect("a number").cast_unsigned();
        }
        let (count, available) = (count.parse().expect("a number"), numbers(available));
        for expected in numbers::<usize>(chosen) {
            assert_eq!(
                round_robin(*turn, &available, count),
                expected,
                "{turn} of {line}"
            );
            *turn = turn.wrapping_add(1);
            vectors += 1;
        }
    }
    vectors
}

/// KIP-794's choice: queue sizes and a random number.
fn check_adaptive() -> usize {
    let mut vectors = 0;
    for line in file!("java-adaptive.txt") {
        let words: Vec<&str> = line.split(' ').collect();
        let [queues, indices, length, count, available, draws] = words[..] else {
            panic!("six words: {line}");
        };
        let number = |word: &str| word.parse::<usize>().expect("a number");
        let (length, count) = (number(length), number(count));
        let (indices, available) = (numbers::<usize>(indices), numbers::<usize>(available));
        let mut weights = numbers::<u32>(queues);
        weights.truncate(length);
        cumulative_weights(&mut weights);
        for [random, expected] in draws.split(',').map(parts) {
            let choice = if weights.is_empty() {
                round_robin(random, &available, count)
            } else {
                indices[weighted_index(&weights, random)]
            };
            assert_eq!(choice, expected as usize, "{random} of {line}");
            vectors += 1;
        }
    }
    vectors
}

/// KIP-794's rule of when to switch.
fn check_switching() -> usize {
    let mut vectors = 0;
    for line in file!("java-switching.txt") {
        let (sticky, steps) = line.split_once(' ').expect("two words");
        let sticky_bytes = sticky.parse().expect("a number");
        let mut produced_bytes = 0;
        for [bytes, is_enabled, is_switched] in steps.split(',').map(parts) {
            produced_bytes += bytes as usize;
            let has_enough = has_produced_enough(produced_bytes, sticky_bytes, is_enabled == 0);
            assert_eq!(has_enough, is_switched == 1, "{bytes} of {line}");
            if has_enough {
                produced_bytes = 0;
            }
            vectors += 1;
        }
    }
    vectors
}

#[test]
fn every_record_goes_where_the_other_clients_send_it() {
    let java = java_keys();
    for partitioner in Partitioner::ALL {
        let by_key = |lines: &[&str]| check_keys(partitioner, lines);
        let vectors = match partitioner {
            Partitioner::Default => by_key(&java) + by_key(&file!("kafka-python.txt")),
            Partitioner::Sticky => by_key(&java),
            Partitioner::UniformSticky => by_key(&java) + check_adaptive() + check_switching(),
            Partitioner::RoundRobin => check_round_robin(),
            Partitioner::Random => by_key(&file!("librdkafka-random.txt")),
            Partitioner::Murmur2 => by_key(&file!("librdkafka-murmur2.txt")),
            Partitioner::Murmur2Random => by_key(&file!("librdkafka-murmur2_random.txt")),
            Partitioner::Consistent => by_key(&file!("librdkafka-consistent.txt")),
            Partitioner::ConsistentRandom => by_key(&file!("librdkafka-consistent_random.txt")),
            Partitioner::Fnv1a => by_key(&file!("librdkafka-fnv1a.txt")),
            Partitioner::Fnv1aRandom => by_key(&file!("librdkafka-fnv1a_random.txt")),
            other => panic!("no other client has {other:?}"),
        };
        println!("{partitioner:?}: {vectors} vectors");
        assert!(
            vectors >= VECTORS_MIN,
            "{partitioner:?} has {vectors} vectors"
        );
    }
}

/// The keys are of all kinds: a list that lost some would still match.
#[test]
fn the_keys_are_of_every_length_and_kind() {
    let keys = keys();
    let some: Vec<&[u8]> = keys.iter().flatten().map(Vec::as_slice).collect();
    assert_eq!(some.len() + 1, keys.len(), "one is null");
    for length in (0..=64).chain([127, 128, 255, 256, 300]) {
        assert!(some.iter().any(|key| key.len() == length), "{length} bytes");
    }
    let is_wide = |key: &&&[u8]| core::str::from_utf8(key).is_ok_and(|text| !text.is_ascii());
    assert!(some.iter().filter(is_wide).count() > 100, "UTF-8");
    let is_binary = |key: &&&[u8]| core::str::from_utf8(key).is_err();
    assert!(some.iter().filter(is_binary).count() > 100, "binary");
}
