//! Partitions that are kept for a batch: the default, and KIP-480.

use super::{Stage, TOPIC, histogram};
use titorelli::Partitioner;
use titorelli_sim::ms;

/// How often a partition was followed by itself.
fn repeats(partitions: &[usize]) -> usize {
    partitions.windows(2).filter(|two| two[0] == two[1]).count()
}

fn numbers(word: &str) -> Vec<usize> {
    let number = |word: &str| word.parse().expect("a number");
    word.split(',')
        .filter(|word| *word != "-")
        .map(number)
        .collect()
}

/// Compared with what Java's own cache drew, in every constellation of leaders of
/// `tests/vectors/java-sticky.txt`.
#[test]
fn sticky_draws_another_partition_every_time_as_java_does() {
    let lines = include_str!("../../vectors/java-sticky.txt").lines();
    let mut constellations = 0;
    for line in lines.filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let [count, available, draws, java_repeats, java_counts] = words[..] else {
            panic!("five words: {line}");
        };
        let (count, available) = (numbers(count)[0], numbers(available));
        let (draws, java_repeats) = (numbers(draws)[0], numbers(java_repeats)[0]);
        let mut stage = Stage::new(Partitioner::Sticky, 7, |config| {
            // Every record is a batch.
            config.batch_size = 0;
            config.delivery_timeout = Some(config.request_timeout);
        });
        let is_led =
            |partition: &i32| available.contains(&usize::try_from(*partition).expect("small"));
        // The seventh broker leads nothing and can be asked.
        stage.take_down((0..6).filter(|p| !is_led(p)).map(|p| p + 1));
        stage.topic(TOPIC, i32::try_from(count).expect("small"));
        let mut records = Vec::new();
        for draw in 0..=draws {
            records.push(stage.send(TOPIC, None, 10));
            if draw % 20 == 0 {
                stage.run_for(ms(5));
            }
        }
        let partitions = stage.partitions(&records);
        let our_repeats = repeats(&partitions);
        if available.is_empty() {
            // Java draws among all then, the last one included.
            let (least, most) = (draws / count * 7 / 10, draws / count * 13 / 10);
            for repeats in [our_repeats, java_repeats] {
                assert!((least..most).contains(&repeats), "{repeats} of {line}");
            }
        } else {
            assert_eq!(our_repeats, java_repeats, "{line}");
        }
        let counts = histogram(&partitions[1..], count);
        for (ours, javas) in counts.iter().zip(numbers(java_counts)) {
            let mean = draws / available.len().max(1);
            assert!(ours.abs_diff(javas) <= mean / 3, "{counts:?}, Java: {line}");
        }
        constellations += 1;
    }
    assert!(constellations >= 8, "Java was asked");
}

#[test]
fn the_default_may_draw_the_same_partition_again() {
    let mut stage = Stage::new(Partitioner::Default, 3, |config| config.batch_size = 0);
    stage.topic(TOPIC, 4);
    let mut records = Vec::new();
    for _ in 0..2_000 {
        records.push(stage.send(TOPIC, None, 10));
        stage.run_for(ms(1));
    }
    let partitions = stage.partitions(&records);
    assert!((400..600).contains(&repeats(&partitions)), "a quarter");
    let counts = histogram(&partitions, 4);
    assert!(counts.iter().all(|n| (425..575).contains(n)), "{counts:?}");
}

#[test]
fn a_partition_is_kept_until_its_batch_has_left() {
    for partitioner in [
        Partitioner::Default,
        Partitioner::Sticky,
        Partitioner::ConsistentRandom,
    ] {
        let mut stage = Stage::new(partitioner, 3, |config| config.linger = ms(10));
        stage.topic(TOPIC, 12);
        let mut records = Vec::new();
        for _ in 0..100 {
            // Ten records in five milliseconds share a batch; then it leaves.
            for _ in 0..10 {
                records.push(stage.send(TOPIC, None, 10));
                stage.run_for(ms(1) / 2);
            }
            stage.run_for(ms(10));
        }
        let partitions = stage.partitions(&records);
        let firsts: Vec<usize> = partitions.iter().copied().step_by(10).collect();
        for (batch, first) in partitions.chunks(10).zip(&firsts) {
            assert!(
                batch.iter().all(|p| p == first),
                "{partitioner:?} {batch:?}"
            );
        }
        assert!(histogram(&firsts, 12).iter().all(|n| *n > 0), "{firsts:?}");
        if partitioner == Partitioner::Sticky {
            assert_eq!(repeats(&firsts), 0, "{firsts:?}");
        }
    }
}

/// A record that was given a partition and has to wait for memory keeps it: another draw might
/// return to the partition that had the last batch.
#[test]
fn a_record_that_waits_for_memory_does_not_draw_again() {
    let mut stage = Stage::new(Partitioner::Sticky, 3, |config| {
        config.batch_size = 0;
        config.buffer_memory = 256;
    });
    stage.topic(TOPIC, 3);
    let mut records = Vec::new();
    for number in 0..400 {
        // Some get in at once, and some wait while others that came before are let in.
        records.push(stage.send(TOPIC, None, 90));
        if number % 3 == 0 {
            stage.run_for(ms(1));
        }
    }
    let partitions = stage.partitions(&records);
    assert_eq!(repeats(&partitions), 0, "{partitions:?}");
    assert!(histogram(&partitions, 3).iter().all(|n| *n > 100));
}
