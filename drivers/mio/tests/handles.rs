//! One program, compiled against the driver's handle and against the simulated one: what is written
//! for the one runs on the other.

use std::time::Duration;

/// A service and its test, with whatever `$crate_name` calls a producer.
macro_rules! program {
    ($name:ident, $crate_name:ident) => {
        mod $name {
            use std::time::Duration;
            use $crate_name::serializer::{Raw, fallible, plain};
            use $crate_name::{
                BoxError, Choice, CloseReport, CustomPartitioner, DeliveryError, DeliveryFuture,
                FlushError, Header, Metrics, PartitionInfo, Producer, Purge, Record,
                RecordMetadata, SendError, Serializer, Stats, TypedProducer, TypedRecord,
                Undelivered, Withdrawal,
            };

            type Outcome = Result<RecordMetadata, DeliveryError>;

            /// A partitioner of the application's own.
            pub(super) struct Second;

            impl CustomPartitioner for Second {
                fn partition(&self, choice: &Choice<'_>) -> Result<i32, BoxError> {
                    choice
                        .all
                        .get(1)
                        .copied()
                        .ok_or_else(|| "there is one".into())
                }
            }

            fn is_fine(outcome: &Outcome) -> bool {
                outcome.as_ref().is_ok_and(|written| written.partition == 1)
            }

            async fn send_and_await(producer: &Producer) -> Result<Outcome, SendError> {
                Ok(producer.send(&Record::to("t").value(b"awaited"))?.await)
            }

            fn send(producer: &Producer, patience: Duration) -> Result<(), SendError> {
                let headers = [Header {
                    name: "a",
                    value: None,
                }];
                let record = Record::to("t").key(b"k").value(b"sent").headers(&headers);
                let receipt: DeliveryFuture = producer.send(&record)?;
                let outcome: Option<Outcome> = receipt.wait(patience);
                assert!(is_fine(&outcome.expect("in time")));
                assert!(is_fine(&receipt.poll_now().expect("done")));
                assert!(receipt.is_done() && receipt.succeeded() && !receipt.failed());
                let (tell, told) = std::sync::mpsc::channel();
                receipt.on_delivery(move |outcome| tell.send(is_fine(&outcome)).expect("heard"));
                assert_eq!(told.recv(), Ok(true));
                assert_eq!(producer.withdraw(&receipt), Withdrawal::Unknown);
                let tried: DeliveryFuture = producer.try_send(&Record::to("t").value(b"tried"))?;
                drop(tried);
                producer.send_with(&Record::to("t").value(b"called"), |outcome| drop(outcome))
            }

            fn send_typed(producer: &Producer, patience: Duration) -> Result<bool, SendError> {
                let value: &dyn Serializer<str> = &Raw;
                let _ = value;
                let orders: TypedProducer<u8, u32> = producer.typed(
                    plain(|key: &u8| [*key]),
                    fallible(|value: &u32| value.checked_sub(1).map(u32::to_be_bytes).ok_or("0")),
                );
                let orders = orders.clone();
                let good = orders.send(&TypedRecord::to("t").key(&7).value(&1))?;
                assert!(is_fine(&good.wait(patience).expect("in time")));
                let bad = orders.send(&TypedRecord::to("t").key(&7).value(&0))?;
                let error: DeliveryError = bad.wait(patience).expect("at once").expect_err("0");
                assert!(!error.may_be_persisted() && error.code().is_none());
                let _: &Producer = orders.producer();
                let report: CloseReport = orders.close(patience);
                Ok(report.undelivered
                    == [Undelivered {
                        topic: "t".into(),
                        partition: 1,
                        records: 0,
                        may_be_persisted: false,
                        cause: error.detail().cause.clone(),
                    }; 0])
            }

            /// One of three is withdrawn while they linger, and what comes after is purged.
            pub(super) fn take_back(
                producer: &Producer,
                patience: Duration,
            ) -> Result<(), SendError> {
                let send = |value: &str| {
                    producer.send(&Record::to("t").partition(1).value(value.as_bytes()))
                };
                let receipts = [send("0")?, send("1")?, send("2")?];
                let why = producer.explain(&receipts[1]).expect("it lingers");
                assert!(why.contains("t-1: lingering "), "{why}");
                assert_eq!(producer.withdraw(&receipts[1]), Withdrawal::Withdrawn);
                let end = receipts[1].wait(patience).expect("at once");
                let error: DeliveryError = end.expect_err("withdrawn");
                assert!(!error.may_be_persisted());
                assert_eq!(producer.withdraw(&receipts[1]), Withdrawal::Unknown);
                assert_eq!(producer.explain(&receipts[1]), None);
                assert_eq!(producer.flush(patience), Ok(()));
                assert!(receipts[0].succeeded() && receipts[2].succeeded());
                let purged = send("3")?;
                producer.purge(Purge::Queued);
                let end = purged.wait(patience).expect("at once");
                assert!(!end.expect_err("purged").may_be_persisted());
                let last = send("4")?;
                assert_eq!(producer.flush(patience), Ok(()));
                assert!(last.succeeded());
                Ok(())
            }

            /// All that a handle can do.
            pub(super) fn run(
                producer: &Producer,
                patience: Duration,
                block_on: impl FnOnce(
                    std::pin::Pin<&mut dyn Future<Output = Result<Outcome, SendError>>>,
                ) -> Result<Outcome, SendError>,
            ) -> Result<(), SendError> {
                let infos: Vec<PartitionInfo> = producer.clone().partitions_for("t")?;
                assert_eq!(infos.len(), 2);
                send(producer, patience)?;
                assert!(is_fine(&block_on(std::pin::pin!(send_and_await(
                    producer
                )))?));
                let flushed: Result<(), FlushError> = producer.flush(patience);
                assert_eq!(flushed, Ok(()));
                let stats: Stats = producer.stats();
                assert_eq!((stats.records_accepted, stats.records_acked), (4, 4));
                let metrics: Metrics = producer.metrics();
                assert!(
                    metrics
                        .get("record-send-total")
                        .is_some_and(|count| count >= 4.0)
                );
                assert!(producer.report().contains("buffer_memory"));
                assert!(send_typed(producer, patience)?);
                assert_eq!(producer.close(patience).records(), 0);
                let refused = producer.send(&Record::to("t").value(b"late"));
                assert!(matches!(refused, Err(SendError::Closed)));
                Ok(())
            }
        }
    };
}

program!(real, titorelli_mio);
program!(simulated, titorelli_sim);

const PATIENCE: Duration = Duration::from_secs(30);
const IN_THE_LOG: [&[u8]; 5] = [b"sent", b"tried", b"called", b"awaited", &[0; 4]];

/// An executor of the plainest kind.
fn block_on<T>(mut future: std::pin::Pin<&mut dyn Future<Output = T>>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park();
    }
}

fn values(cluster: &titorelli_sim::cluster::Cluster) -> Vec<Vec<u8>> {
    let records = cluster.log("t", 1).records().iter();
    records
        .map(|record| record.value.as_deref().unwrap_or_default().to_vec())
        .collect()
}

#[test]
fn the_program_runs_on_real_sockets() {
    let config = titorelli_serve::EmbeddedConfig::with_brokers(1);
    let embedded = titorelli_serve::Embedded::start(config).expect("loopback ports");
    embedded.control(|cluster| cluster.create_topic("t", 2));
    let mut config = titorelli_mio::Config::default();
    config.bootstrap_servers = vec![embedded.bootstrap()];
    let builder = titorelli_mio::Producer::builder(config).partitioner(real::Second);
    let producer = builder.build().expect("valid");
    real::run(&producer, PATIENCE, |future| block_on(future)).expect("accepted");
    assert_eq!(values(&embedded.into_cluster()), IN_THE_LOG);
}

#[test]
fn the_program_runs_in_the_simulation() {
    let builder = titorelli_sim::Simulation::builder().topic("t", 2);
    let sim = builder.partitioner(simulated::Second).start();
    let run = simulated::run(&sim.producer(), PATIENCE, |future| sim.block_on(future));
    run.expect("accepted");
    assert_eq!(values(sim.world().cluster()), IN_THE_LOG);
}

#[test]
fn records_are_taken_back_on_real_sockets() {
    let config = titorelli_serve::EmbeddedConfig::with_brokers(1);
    let embedded = titorelli_serve::Embedded::start(config).expect("loopback ports");
    embedded.control(|cluster| cluster.create_topic("t", 2));
    let mut config = titorelli_mio::Config::default();
    config.bootstrap_servers = vec![embedded.bootstrap()];
    config.linger = Duration::from_secs(60);
    let producer = titorelli_mio::Producer::new(config).expect("valid");
    real::take_back(&producer, PATIENCE).expect("accepted");
    producer.close(PATIENCE);
    assert_eq!(values(&embedded.into_cluster()), [b"0", b"2", b"4"]);
}

#[test]
fn records_are_taken_back_in_the_simulation() {
    let mut config = titorelli_sim::Config::default();
    config.linger = Duration::from_secs(60);
    let builder = titorelli_sim::Simulation::builder().topic("t", 2);
    let sim = builder.config(config).start();
    simulated::take_back(&sim.producer(), PATIENCE).expect("accepted");
    assert_eq!(values(sim.world().cluster()), [b"0", b"2", b"4"]);
}
