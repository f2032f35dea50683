//! Every record for itself: round robin (KIP-369), and at random.

use super::{Stage, TOPIC, histogram};
use titorelli::Partitioner;
use titorelli_sim::{RecordState, ms};

#[test]
fn topics_have_turns_of_their_own_and_keys_mean_nothing() {
    let mut stage = Stage::new(Partitioner::RoundRobin, 3, |_| {});
    stage.topic("five", 5);
    stage.topic("three", 3);
    let (mut fives, mut threes) = (Vec::new(), Vec::new());
    for number in 0..60_u32 {
        let key = number.to_be_bytes();
        let key = (number % 2 == 0).then_some(&key[..1]);
        fives.push(stage.send("five", key, 10));
        if number % 3 != 0 {
            threes.push(stage.send("three", key, 10));
        }
        if number % 4 == 0 {
            stage.run_for(ms(1));
        }
    }
    let in_turn = |count, len| (0..len).map(|turn| turn % count).collect::<Vec<usize>>();
    assert_eq!(stage.partitions(&fives), in_turn(5, fives.len()));
    assert_eq!(stage.partitions(&threes), in_turn(3, threes.len()));
}

#[test]
fn turns_go_round_those_with_a_leader() {
    let mut stage = Stage::new(Partitioner::RoundRobin, 4, |_| {});
    stage.take_down([2]);
    stage.topic(TOPIC, 4);
    let records: Vec<_> = (0..9).map(|_| stage.send(TOPIC, None, 10)).collect();
    assert_eq!(stage.partitions(&records), [0, 2, 3, 0, 2, 3, 0, 2, 3]);
}

/// First they wait for the topic, then for memory: in the end no turn was skipped.
#[test]
fn a_record_that_waits_takes_one_turn() {
    let mut stage = Stage::new(Partitioner::RoundRobin, 3, |config| {
        config.batch_size = 0;
        config.buffer_memory = 256;
    });
    stage
        .world
        .control(|cluster| cluster.create_topic(TOPIC, 5));
    let records: Vec<_> = (0..100).map(|_| stage.send(TOPIC, None, 90)).collect();
    let waits = |id| matches!(stage.world.journal().state(id), RecordState::Waiting(_));
    assert!(records.iter().all(|id| waits(*id)), "nothing is known yet");
    let partitions = stage.partitions(&records);
    let in_turn: Vec<usize> = (0..100).map(|turn| turn % 5).collect();
    assert_eq!(partitions, in_turn);
}

#[test]
fn a_record_that_is_refused_takes_no_turn() {
    let mut stage = Stage::new(Partitioner::RoundRobin, 3, |config| {
        config.batch_size = 0;
        config.buffer_memory = 256;
        config.max_block = ms(0);
    });
    stage.topic(TOPIC, 5);
    let mut accepted = Vec::new();
    let mut refused = 0;
    for number in 0..300 {
        let id = stage.send(TOPIC, None, 90);
        if number % 5 == 4 {
            stage.run_for(ms(10));
        }
        match stage.world.journal().state(id) {
            RecordState::Accepted(_) | RecordState::Acked { .. } => accepted.push(id),
            RecordState::Waiting(_) | RecordState::Rejected(_) | RecordState::Cancelled => {
                refused += 1;
            }
            other @ (RecordState::NotPersisted(_) | RecordState::MaybePersisted(_)) => {
                panic!("{other:?}")
            }
        }
    }
    assert!(refused > 100 && accepted.len() > 100, "{refused} were");
    let in_turn: Vec<usize> = (0..accepted.len()).map(|turn| turn % 5).collect();
    assert_eq!(stage.partitions(&accepted), in_turn);
}

#[test]
fn random_is_even_and_sees_no_keys() {
    let mut stage = Stage::new(Partitioner::Random, 3, |_| {});
    stage.topic(TOPIC, 6);
    let mut records = Vec::new();
    for number in 0..3_000 {
        let key = (number % 2 == 0).then_some(&b"the same"[..]);
        records.push(stage.send(TOPIC, key, 10));
        if number % 50 == 0 {
            stage.run_for(ms(1));
        }
    }
    let partitions = stage.partitions(&records);
    let counts = histogram(&partitions, 6);
    assert!(counts.iter().all(|n| (430..570).contains(n)), "{counts:?}");
    // Every record for itself: one in six goes where the last one went.
    let repeats = partitions.windows(2).filter(|two| two[0] == two[1]);
    assert!((400..600).contains(&repeats.count()));
}
