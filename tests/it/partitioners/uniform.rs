//! Partitions that are kept for a number of bytes, and drawn by how much waits for them: KIP-794.

use super::{Stage, TOPIC, histogram};
use core::time::Duration;
use titorelli::{Config, Partitioner};
use titorelli_sim::cluster::BrokerId;
use titorelli_sim::{Fault, RecordId, ms};

fn stage(change: impl FnOnce(&mut Config)) -> Stage {
    Stage::new(Partitioner::UniformSticky, 3, |config| {
        config.batch_size = 1_000;
        change(config);
    })
}

/// The lengths of the runs of equal partitions but for the last, which may go on.
fn runs(partitions: &[usize]) -> Vec<usize> {
    let runs = partitions.chunk_by(|a, b| a == b).map(<[usize]>::len);
    let mut runs: Vec<usize> = runs.collect();
    runs.pop();
    runs
}

/// A value of 100 bytes makes a record of 109; a batch begins with 61. Six batches of one record
/// are the first 1,000 bytes.
#[test]
fn a_partition_is_kept_for_batch_size_bytes_in_any_number_of_batches() {
    let mut stage = stage(|_| {});
    stage.topic(TOPIC, 12);
    let mut records = Vec::new();
    for _ in 0..600 {
        records.push(stage.send(TOPIC, None, 100));
        stage.run_for(ms(5));
    }
    let runs = runs(&stage.partitions(&records));
    assert!(runs.iter().all(|run| run % 6 == 0), "{runs:?}");
    assert!(runs.len() > 80, "it is drawn anew: {runs:?}");
}

/// Eight records fill a batch, but are less than 1,000 bytes: the second batch is filled, too.
#[test]
fn a_partition_changes_between_batches_that_are_full() {
    let mut stage = stage(|config| config.linger = ms(1_000));
    stage.topic(TOPIC, 12);
    let records: Vec<_> = (0..1_600).map(|_| stage.send(TOPIC, None, 100)).collect();
    let runs = runs(&stage.partitions(&records));
    assert!(runs.iter().all(|run| run % 16 == 0), "{runs:?}");
    assert!(runs.len() > 80, "it is drawn anew: {runs:?}");
}

/// Records that do not fit open the next batch before the last could end the turn; after twice
/// the bytes it ends all the same.
#[test]
fn an_open_batch_is_left_after_twice_the_bytes() {
    let values = [100, 100, 100, 100, 100, 100, 100, 400, 100, 100, 100, 400];
    let mut has_left = 0;
    for seed in 0..40 {
        let mut stage = Stage::seeded(seed, Partitioner::UniformSticky, 3, |config| {
            config.batch_size = 1_000;
            config.linger = ms(5);
        });
        stage.topic(TOPIC, 12);
        let mut records: Vec<_> = values.map(|bytes| stage.send(TOPIC, None, bytes)).to_vec();
        records.push(stage.send(TOPIC, None, 100));
        let partitions = stage.partitions(&records);
        assert!(partitions[..12].iter().all(|p| *p == partitions[0]));
        has_left += u32::from(partitions[12] != partitions[0]);
    }
    assert!(
        has_left >= 33,
        "one in twelve draws is the same: {has_left}"
    );
}

/// The bytes that each partition was given.
fn bytes_of(stage: &mut Stage, records: &[(RecordId, usize)], count: usize) -> Vec<usize> {
    stage.world.run_until_quiet();
    let mut bytes = vec![0; count];
    for (id, value_bytes) in records {
        bytes[stage.partition(*id)] += value_bytes;
    }
    bytes
}

/// Sends five records of this size every millisecond.
fn load(stage: &mut Stage, span_ms: usize, value_bytes: usize) -> Vec<(RecordId, usize)> {
    let mut records = Vec::new();
    for _ in 0..span_ms {
        for _ in 0..5 {
            records.push((stage.send(TOPIC, None, value_bytes), value_bytes));
        }
        stage.run_for(ms(1));
    }
    records
}

/// Partitions 1 and 4 are led by broker 2, which asks for long pauses.
#[test]
fn a_slow_broker_gets_less_and_the_others_share_the_rest() {
    let shares = |is_adaptive| {
        let mut stage = stage(|config| {
            config.batch_size = 2_000;
            config.partitioner_adaptive = is_adaptive;
        });
        stage.topic(TOPIC, 6);
        stage.world.inflict(&Fault::Throttle(BrokerId(2), 100));
        let records = load(&mut stage, 1_000, 900);
        let bytes = bytes_of(&mut stage, &records, 6);
        let total: usize = bytes.iter().sum();
        bytes
            .iter()
            .map(|bytes| bytes * 1_000 / total)
            .collect::<Vec<_>>()
    };
    let (even, adaptive) = (shares(false), shares(true));
    let slow = |shares: &[usize]| shares[1] + shares[4];
    // A third; or more, for the last batch of every turn is filled while it waits.
    assert!((320..420).contains(&slow(&even)), "{even:?}");
    assert!(slow(&adaptive) < 180, "much less: {adaptive:?}");
    for other in [0, 2, 3, 5] {
        assert!((190..260).contains(&adaptive[other]), "{adaptive:?}");
    }
}

/// Records to broker 2 by when they were sent: before it falls silent, while the producer cannot
/// know, while it is silent, and after it answers again.
fn around_a_silence(timeout: Duration) -> [usize; 4] {
    let mut stage = stage(|config| {
        config.partitioner_availability_timeout = timeout;
        config.request_timeout = ms(500);
        config.retries = 10;
    });
    stage.topic(TOPIC, 6);
    let before = load(&mut stage, 100, 900);
    stage.world.inflict(&Fault::Silence(BrokerId(2)));
    let unknown = load(&mut stage, 100, 900);
    let silent = load(&mut stage, 300, 900);
    stage.run_for(ms(500));
    let after = load(&mut stage, 200, 900);
    stage.world.run_until_quiet();
    [before, unknown, silent, after].map(|records| {
        let partitions: Vec<_> = records.iter().map(|(id, _)| stage.partition(*id)).collect();
        let counts = histogram(&partitions, 6);
        counts[1] + counts[4]
    })
}

#[test]
fn a_broker_that_takes_nothing_is_left_out_until_it_does() {
    let [before, _, silent, after] = around_a_silence(ms(50));
    assert!(before > 100, "{before}");
    // What was kept when it was left out may have its bytes to the end.
    assert!(silent <= 2, "{silent}");
    assert!(after > 200, "{after}");
}

#[test]
fn a_broker_that_takes_nothing_goes_on_getting_a_little_without_a_timeout() {
    let [before, _, silent, after] = around_a_silence(ms(0));
    assert!(
        before > 100 && silent > 5 && after > 100,
        "{before} {silent} {after}"
    );
}

/// It asks for pauses that are shorter than the timeout, and takes something after each: with
/// little for it, its ring is empty then; with much it never is.
#[test]
fn a_broker_that_pauses_is_not_left_out_before_the_timeout() {
    for (value_bytes, least) in [(50, 45), (200, 15)] {
        let mut stage = stage(|config| config.partitioner_availability_timeout = ms(100));
        stage.topic(TOPIC, 6);
        // Five answers under way, each after the pause that the one before it asked for.
        stage.world.inflict(&Fault::Throttle(BrokerId(2), 15));
        let windows: Vec<_> = (0..8).map(|_| load(&mut stage, 100, value_bytes)).collect();
        stage.world.run_until_quiet();
        for records in windows {
            let partitions: Vec<_> = records.iter().map(|(id, _)| stage.partition(*id)).collect();
            let counts = histogram(&partitions, 6);
            assert!(counts[1] + counts[4] > least, "{value_bytes}: {counts:?}");
        }
    }
}
