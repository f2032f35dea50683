//! Keys, and records that say themselves where they go.

use super::{SPREADING, Stage, TOPIC, histogram};
use titorelli::Partitioner;
use titorelli::partitioner::partition_for_key;
use titorelli_sim::ms;

#[test]
fn a_key_goes_where_the_pure_function_says() {
    for partitioner in Partitioner::ALL {
        let mut stage = Stage::new(partitioner, 3, |_| {});
        // All partitions count, those without a leader too.
        stage.take_down([2]);
        stage.topic(TOPIC, 7);
        let mut expected = Vec::new();
        let mut records = Vec::new();
        for number in 0..60_usize {
            let long = vec![b'k'; number];
            let key = number.checked_sub(1).map(|length| &long[..length]);
            if let Some(index) = partition_for_key(partitioner, key, 7) {
                expected.push(index);
                records.push(stage.send(TOPIC, key, 10));
            }
            stage.run_for(ms(1));
        }
        assert_eq!(stage.partitions(&records), expected, "{partitioner:?}");
        let is_keyed = !matches!(partitioner, Partitioner::RoundRobin | Partitioner::Random);
        assert_eq!(expected.len() > 50, is_keyed, "{partitioner:?}");
    }
}

#[test]
fn keys_that_are_ignored_are_spread_like_null() {
    for partitioner in [
        Partitioner::Default,
        Partitioner::Sticky,
        Partitioner::UniformSticky,
    ] {
        let used = |ignores_keys| {
            let mut stage = Stage::new(partitioner, 3, |config| {
                config.batch_size = 400;
                config.partitioner_ignore_keys = ignores_keys;
            });
            stage.topic(TOPIC, 6);
            let key = Some(&b"the same"[..]);
            let records: Vec<_> = (0..300).map(|_| stage.send(TOPIC, key, 50)).collect();
            let partitions = stage.partitions(&records);
            // They fill batches, as those without a key do: several go to the same one in a row.
            let changes = partitions.windows(2).filter(|two| two[0] != two[1]);
            let used = histogram(&partitions, 6).into_iter().filter(|n| *n > 0);
            (used.count(), changes.count())
        };
        assert_eq!(used(false), (1, 0), "{partitioner:?}");
        let (partitions, changes) = used(true);
        assert_eq!(partitions, 6, "{partitioner:?}");
        assert!((20..100).contains(&changes), "{partitioner:?}: {changes}");
    }
}

#[test]
fn a_record_that_names_its_partition_goes_there() {
    for partitioner in Partitioner::ALL {
        let mut stage = Stage::new(partitioner, 3, |config| config.batch_size = 200);
        stage.topic(TOPIC, 6);
        let mut records = Vec::new();
        for number in 0..120_u8 {
            let key = (number % 2 == 0).then_some(&b"key"[..]);
            records.push(stage.place(i32::from(number % 6), key));
            stage.send(TOPIC, key, 20);
            stage.run_for(ms(1));
        }
        let expected: Vec<_> = (0..120).map(|number| number % 6).collect();
        assert_eq!(stage.partitions(&records), expected, "{partitioner:?}");
    }
}

/// What an application puts somewhere itself is not the partitioner's choice, and changes none.
#[test]
fn records_that_name_their_partition_take_no_turn_and_count_no_bytes() {
    for partitioner in SPREADING {
        let choices = |places_others| {
            let mut stage = Stage::new(partitioner, 2, |config| config.batch_size = 500);
            stage.topic(TOPIC, 4);
            stage.topic("lone", 1);
            let mut records = Vec::new();
            for _ in 0..100 {
                records.push(stage.send(TOPIC, None, 30));
                stage.run_for(ms(5));
                if places_others {
                    stage.place(3, None);
                    stage.place(1, Some(b"key"));
                    stage.run_for(ms(5));
                }
            }
            stage.partitions(&records)
        };
        assert_eq!(choices(false), choices(true), "{partitioner:?}");
    }
}
