//! Whatever the driver's calls tell can be named and matched with this crate alone.

use std::time::Duration;
use titorelli_mio::{
    ApiVersion, BoxError, BuildError, CloseCause, CloseReport, Config, ConfigError, DeliveryCause,
    DeliveryDetail, DeliveryError, ErrorCode, KEYS, Key, Metric, MetricKind, PartitionInfo,
    Producer, Record, Release, SendError, Stats, Undelivered, UnknownCause,
};

/// What a service may want to do about a failed record.
fn is_worth_another_try(error: &DeliveryError) -> bool {
    let detail: &DeliveryDetail = error.detail();
    if let DeliveryCause::Broker(code, _) = &detail.cause {
        return *code == ErrorCode::NOT_ENOUGH_REPLICAS;
    }
    matches!(
        &detail.cause,
        DeliveryCause::Disconnected(CloseCause::ByPeer) | DeliveryCause::DeliveryTimeout
    )
}

fn causes(report: &CloseReport) -> Vec<DeliveryCause> {
    let cause = |batch: &Undelivered| batch.cause.clone();
    report.undelivered.iter().map(cause).collect()
}

#[test]
fn errors_and_observations_can_be_matched() {
    let mut config = Config::default();
    config.api_version = ApiVersion::Release(Release::new(2, 1, 0));
    config.max_block = Duration::from_millis(50);
    config.bootstrap_servers = vec!["127.0.0.1:1".to_owned()];
    let key: Option<&Key> = KEYS.iter().find(|key| key.name == "api_version");
    assert_eq!(key.map(|key| key.value_in(&config)), Some("2.1".to_owned()));
    let producer = Producer::new(config.clone()).expect("valid");
    let refused = producer.send(&Record::to("t").value(b"v"));
    assert!(
        matches!(
            &refused,
            Err(SendError::TopicUnknown {
                cause: UnknownCause::NoBroker(_) | UnknownCause::Pending,
                ..
            })
        ),
        "{refused:?}"
    );
    let infos: Result<Vec<PartitionInfo>, SendError> = producer.partitions_for("t");
    assert!(infos.is_err());
    let stats: Stats = producer.stats();
    assert_eq!(stats.records_accepted, 0);
    let metrics: Vec<Metric> = producer.metrics().metrics;
    assert!(
        metrics
            .iter()
            .any(|metric| metric.kind == MetricKind::Gauge)
    );
    assert_eq!(causes(&producer.close(Duration::ZERO)), []);
    config.delivery_timeout = Some(Duration::from_secs(1));
    let error: BoxError = match Producer::new(config) {
        Err(BuildError::Config(ConfigError { key, .. })) => key.into(),
        other => panic!("{other:?}"),
    };
    assert_eq!(error.to_string(), "delivery_timeout_ms");
}

#[test]
fn an_error_of_a_record_tells_its_cause() {
    let mut config = Config::default();
    config.bootstrap_servers = vec!["127.0.0.1:1".to_owned()];
    let producer = Producer::new(config).expect("valid");
    let typed = producer.typed(
        titorelli_mio::serializer::Raw,
        titorelli_mio::serializer::fallible(|_: &str| Err::<Vec<u8>, BoxError>("no".into())),
    );
    let record = titorelli_mio::TypedRecord::<str, str>::to("t").value("v");
    let receipt = typed.send(&record).expect("the receipt tells");
    let error = receipt.poll_now().expect("completed").expect_err("failed");
    assert!(matches!(
        &error.detail().cause,
        DeliveryCause::NotSerialized(_)
    ));
    assert!(!is_worth_another_try(&error));
}
