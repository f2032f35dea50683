//! The simulated producer as an application sees it: what waits, how long, and what it is told.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use titorelli_sim::cluster::BrokerId;
use titorelli_sim::serializer::plain;
use titorelli_sim::{
    DeliveryCause, Fault, FlushError, Record, SendError, Simulation, TypedRecord, ms,
};

/// Longer than anything takes.
const PATIENCE: core::time::Duration = ms(1_000_000);

fn value(value: &str) -> Record<'_> {
    Record::to("orders").value(value.as_bytes())
}

#[test]
fn a_call_waits_in_virtual_time_until_its_topic_is_known() {
    let sim = Simulation::new(1);
    let receipt = sim.producer().send(&value("one")).expect("accepted");
    assert!(sim.now() > ms(0), "metadata was asked for");
    assert!(!receipt.is_done());
    let written = receipt.wait(PATIENCE).expect("in time").expect("acked");
    assert_eq!(
        (&*written.topic, written.partition, written.offset),
        ("orders", 0, 0)
    );
    assert!(receipt.is_done() && receipt.succeeded() && !receipt.failed());
    sim.expect_log("orders/0", &["one"]);
    assert_eq!(sim.values("orders"), ["one"]);
    assert_eq!(sim.log("orders", 1), [""; 0]);
}

#[test]
fn a_call_for_a_topic_that_never_comes_ends_at_max_block() {
    let builder = Simulation::builder().cluster(|cluster| cluster.auto_create_topics = false);
    let sim = builder.set("max_block_ms", "3000").start();
    let refused = sim.producer().send(&value("one"));
    assert!(
        matches!(refused, Err(SendError::TopicUnknown { .. })),
        "{refused:?}"
    );
    assert_eq!(sim.now(), ms(3_000));
    let refused = sim.producer().partitions_for("orders");
    assert!(
        matches!(refused, Err(SendError::TopicUnknown { .. })),
        "{refused:?}"
    );
    assert_eq!(sim.now(), ms(6_000));
    assert_eq!(sim.producer().stats().waiters, 0);
}

#[test]
fn what_never_waits_takes_no_time() {
    let sim = Simulation::builder().topic("orders", 2).start();
    let producer = sim.producer();
    let refused = producer.try_send(&value("one"));
    assert!(
        matches!(refused, Err(SendError::TopicUnknown { .. })),
        "{refused:?}"
    );
    assert_eq!(sim.now(), ms(0));
    assert_eq!(producer.partitions_for("orders").expect("known").len(), 2);
    let known_at = sim.now();
    assert!(known_at > ms(0));
    let receipt = producer.try_send(&value("one")).expect("accepted");
    assert_eq!((sim.now(), receipt.poll_now()), (known_at, None));
    sim.settle();
    assert!(receipt.succeeded());
}

#[test]
fn a_receipt_is_waited_for_as_long_as_said_and_again() {
    let builder = Simulation::builder().topic("orders", 1);
    let sim = builder.set("retries", "5").start();
    let producer = sim.producer();
    producer.partitions_for("orders").expect("known");
    (1..=3).for_each(|id| sim.inflict(&Fault::Down(BrokerId(id))));
    let receipt = producer.send(&value("one")).expect("accepted");
    let before = sim.now();
    assert_eq!(receipt.wait(ms(1_500)), None);
    assert_eq!(sim.now(), before + ms(1_500));
    sim.after(ms(1_000), Fault::Up(BrokerId(1)));
    sim.after(ms(1_000), Fault::Up(BrokerId(3)));
    assert!(receipt.wait(PATIENCE).expect("in time").is_ok());
    assert!(sim.now() > before + ms(2_500));
}

#[test]
fn a_full_buffer_makes_senders_wait_until_it_empties() {
    let builder = Simulation::builder()
        .topic("orders", 1)
        .set("buffer_memory", "2000");
    let sim = builder
        .set("batch_size", "500")
        .set("max_request_size", "1000")
        .start();
    let producer = sim.producer();
    let long = "x".repeat(400);
    for _ in 0..20 {
        drop(
            producer
                .send(&value(&long))
                .expect("there is room in the end"),
        );
    }
    sim.settle();
    assert_eq!(sim.log("orders", 0).len(), 20);
    let waits = sim.trace().matches("waits").count();
    assert!(waits > 1, "not only for metadata: {waits}");
}

#[test]
fn callbacks_are_called_once_and_in_order_and_nothing_waits_in_them() {
    let sim = Simulation::builder().topic("orders", 1).start();
    let (producer, told) = (sim.producer(), Rc::new(RefCell::new(Vec::new())));
    for number in 0..3 {
        let (inside, told) = (producer.clone(), Rc::clone(&told));
        let text = number.to_string();
        let callback = move |result: Result<titorelli_sim::RecordMetadata, _>| {
            let unknown = inside.send(&Record::to("unknown").value(b"x"));
            assert!(
                matches!(unknown, Err(SendError::TopicUnknown { .. })),
                "{unknown:?}"
            );
            assert!(inside.partitions_for("unknown too").is_err());
            assert_eq!(inside.flush(PATIENCE), Err(FlushError::InCallback));
            let echo = inside.send(&value("echo")).expect("known");
            assert_eq!(echo.wait(PATIENCE), None);
            told.borrow_mut().push(result.expect("acked").offset);
        };
        producer
            .send_with(&value(&text), callback)
            .expect("accepted");
    }
    producer.flush(PATIENCE).expect("flushed");
    assert_eq!(*told.borrow(), [0, 1, 2]);
    sim.settle();
    assert_eq!(
        sim.log("orders", 0),
        ["0", "1", "2", "echo", "echo", "echo"]
    );
}

#[test]
fn a_callback_that_comes_late_is_called_at_once() {
    let sim = Simulation::new(2);
    let receipt = sim.producer().send(&value("one")).expect("accepted");
    assert!(receipt.wait(PATIENCE).is_some());
    let told = Rc::new(Cell::new(0));
    let heard = Rc::clone(&told);
    receipt.on_delivery(move |result| heard.set(1 + result.expect("acked").offset));
    assert_eq!(told.get(), 1);
}

#[test]
fn flush_and_close_keep_to_their_time_and_say_what_is_left() {
    let sim = Simulation::builder().topic("orders", 1).start();
    let producer = sim.producer();
    producer.partitions_for("orders").expect("known");
    (1..=3).for_each(|id| sim.inflict(&Fault::Down(BrokerId(id))));
    let receipt = producer.send(&value("one")).expect("accepted");
    let before = sim.now();
    let Err(FlushError::Timeout {
        waited,
        buffered_bytes,
    }) = producer.flush(ms(700))
    else {
        panic!("nobody is there to be flushed to");
    };
    assert!(waited == ms(700) && buffered_bytes > 0);
    assert_eq!(sim.now(), before + ms(700));
    let report = producer.close(ms(300));
    assert_eq!(sim.now(), before + ms(1_000));
    assert_eq!(report.records(), 1);
    assert_eq!(report.undelivered[0].cause, DeliveryCause::ProducerClosed);
    assert!(!report.undelivered[0].may_be_persisted);
    assert!(receipt.failed());
    let again = producer.close(ms(300));
    assert_eq!((again, sim.now()), (report, before + ms(1_000)));
    assert_eq!(
        producer.send(&value("two")).expect_err("closed"),
        SendError::Closed
    );
}

#[test]
fn futures_are_awaited_in_virtual_time() {
    let sim = Simulation::new(3);
    let producer = sim.producer();
    let offsets = sim.block_on(async {
        let mut offsets = Vec::new();
        for _ in 0..3 {
            sim.sleep(ms(60_000)).await;
            let receipt = producer.send(&value("one")).expect("accepted");
            offsets.push(receipt.await.expect("acked").offset);
        }
        offsets
    });
    assert_eq!(offsets, [0, 1, 2]);
    assert!(
        (ms(180_000)..ms(181_000)).contains(&sim.now()),
        "{:?}",
        sim.now()
    );
    let hangs = AssertUnwindSafe(|| sim.block_on(core::future::pending::<()>()));
    assert!(catch_unwind(hangs).is_err());
}

#[test]
fn the_applications_own_types_and_partitioner_are_used() {
    let own = |key: Option<&[u8]>, all: &[i32], _: &[i32]| match key {
        Some(b"7") => all[1],
        Some(_) => 99,
        None => panic!("no key"),
    };
    let sim = Simulation::builder()
        .topic("orders", 3)
        .partitioner(own)
        .start();
    let producer = sim.producer();
    let key = plain(|key: &u64| key.to_string());
    let orders = producer.typed(key, plain(|total: &f64| format!("{total:.2}")));
    let send = |key: Option<&u64>| {
        let record = TypedRecord {
            key,
            ..TypedRecord::to("orders").value(&19.9)
        };
        orders
            .send(&record)
            .expect("accepted")
            .wait(PATIENCE)
            .expect("in time")
    };
    assert_eq!(send(Some(&7)).expect("acked").partition, 1);
    let words = |key| send(key).expect_err("not partitioned").to_string();
    assert!(words(Some(&8)).contains("chose 99"));
    assert!(words(None).contains("panicked: no key"));
    assert_eq!(orders.clone().producer().stats().records_acked, 1);
    assert_eq!(orders.close(PATIENCE).records(), 0);
    sim.expect_log("orders/1", &["19.90"]);
}

#[test]
fn every_accident_can_befall_any_producer() {
    for acks in ["0", "1", "all"] {
        for name in Simulation::accidents() {
            let builder = Simulation::builder().topic("orders", 1).set("acks", acks);
            let sim = builder.set("retries", "3").start();
            sim.befall("orders/0", name);
            for text in ["one", "two"] {
                // What became of it is for the end to judge.
                let _ = sim
                    .producer()
                    .send(&value(text))
                    .map(|receipt| receipt.wait(PATIENCE));
            }
        }
    }
}

#[test]
fn an_answer_is_lost_exactly_after_the_append() {
    let sim = Simulation::builder().topic("orders", 1).start();
    sim.befall("orders/0", "the answer is lost");
    let receipt = sim.producer().send(&value("one")).expect("accepted");
    let error = receipt.wait(PATIENCE).expect("in time").expect_err("lost");
    assert!(error.may_be_persisted());
    sim.expect_log("orders/0", &["one"]);
    sim.befall("orders/0", "the request is lost");
    let receipt = sim.producer().send(&value("two")).expect("accepted");
    let error = receipt.wait(PATIENCE).expect("in time").expect_err("lost");
    assert!(
        error.may_be_persisted(),
        "nobody can tell the one from the other"
    );
    sim.expect_log("orders/0", &["one"]);
}

#[test]
fn replicas_in_sync_are_told_and_what_a_leader_alone_has_goes_with_it() {
    let sim = Simulation::builder().topic("orders", 1).start();
    sim.befall("orders/0", "the leader goes down with what it alone has");
    let written = sim.producer().send(&value("one")).expect("accepted");
    assert!(written.wait(PATIENCE).expect("in time").is_ok(), "acks=1");
    sim.expect_log("orders/0", &[]);
    sim.producer()
        .send(&value("two"))
        .map(drop)
        .expect("accepted");
    sim.settle();
    sim.inflict(&Fault::Leap(ms(400_000)));
    sim.run_for(ms(1_000));
    let infos = sim.producer().partitions_for("orders").expect("known");
    assert_eq!(
        (infos[0].leader, &*infos[0].replicas),
        (Some(2), &[1, 2, 3][..])
    );
    // b1 is down, and b3 has lacked "two" for too long.
    assert_eq!(infos[0].in_sync_replicas, [2]);
}

#[test]
fn a_fault_waits_for_the_log_to_grow() {
    let sim = Simulation::builder().topic("orders", 2).start();
    let leader = || sim.world().cluster().leader("orders", 0);
    let moves = Fault::move_leader("orders/0", BrokerId(3));
    sim.once_appended("orders/0", moves);
    let send = |partition| {
        let sent = sim.producer().send(&value("one").partition(partition));
        assert!(
            sent.expect("accepted")
                .wait(PATIENCE)
                .expect("in time")
                .is_ok()
        );
    };
    send(1);
    assert_eq!(leader(), (Some(BrokerId(1)), 0));
    send(0);
    assert_eq!(leader(), (Some(BrokerId(3)), 1));
}

#[test]
fn a_seed_runs_the_same_again_and_others_do_not() {
    let run = |seed| {
        let builder = Simulation::builder().topic("orders", 2).set("retries", "9");
        let sim = builder.seed(seed).start();
        sim.chaos(ms(5_000));
        for _ in 0..10 {
            let _ = sim.producer().send(&value("one"));
            sim.run_for(ms(500));
        }
        assert_eq!(sim.outcomes().len(), 10);
        sim.trace()
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn a_test_that_fails_ends_at_its_seed() {
    let mut seen = Vec::new();
    let test = AssertUnwindSafe(|| {
        Simulation::each(0..100, |sim| {
            seen.push(sim.seed());
            // A callback that nobody calls holds a handle: it is let go all the same.
            let producer = sim.producer();
            let sent = sim
                .producer()
                .send_with(&value("one"), move |_| drop(producer));
            sent.expect("accepted");
            assert!(sim.seed() < 3, "seed 3 is not liked");
        });
    });
    assert!(catch_unwind(test).is_err());
    assert_eq!(seen, [0, 1, 2, 3]);
}

#[test]
#[should_panic(expected = "the answer is lost\n")]
fn an_unknown_accident_is_answered_with_those_there_are() {
    let sim = Simulation::builder().topic("orders", 1).start();
    sim.befall("orders/0", "the answer is late");
}
