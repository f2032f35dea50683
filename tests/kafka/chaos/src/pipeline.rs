//! `titorelli-chaos pipeline`: what five batches in flight to one partition gain on a long way.

use crate::Place;
use crate::proxy::Proxy;
use clap::Args;
use std::error::Error;
use std::time::{Duration, Instant};
use titorelli_mio::{Config, Producer, Record};

const VALUE_BYTES: usize = 1_000;
const BATCH_BYTES: usize = 16_384;
const PATIENCE: Duration = Duration::from_secs(60);

/// Send to partition 0 with one and with five batches in flight, in turn, and compare.
///
/// Prints a line of JSON: the medians in seconds, and the ratio.
#[derive(Args)]
pub(crate) struct Pipeline {
    #[command(flatten)]
    place: Place,
    /// How long each answer is on its way.
    #[arg(long, default_value_t = 20)]
    delay_ms: u64,
    /// Bytes of values.
    #[arg(long, default_value_t = 2_000_000)]
    bytes: usize,
    /// How often each is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

impl Pipeline {
    /// Measures.
    ///
    /// # Errors
    ///
    /// The configuration cannot work, or a record is not acknowledged.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        let proxy = Proxy::open(&self.place.doors)?;
        proxy.delay(Duration::from_millis(self.delay_ms));
        let mut config = self.place.config()?;
        config.batch_size = BATCH_BYTES;
        // Batches leave when they are full.
        config.linger = Duration::from_millis(100);
        let mut seconds = [Vec::new(), Vec::new()];
        for _ in 0..self.rounds.max(1) {
            for (in_flight, seconds) in [1, 5].into_iter().zip(&mut seconds) {
                config.max_in_flight_requests_per_connection = in_flight;
                seconds.push(self.measure(config.clone())?);
            }
        }
        let [one, five] = seconds.map(median);
        println!(
            r#"{{"one_s":{one:.3},"five_s":{five:.3},"ratio":{:.2},"bytes":{},"delay_ms":{}}}"#,
            one / five,
            self.bytes,
            self.delay_ms
        );
        Ok(())
    }

    /// Seconds from the first `send` to the last acknowledgement; in order, or it is an error.
    fn measure(&self, config: Config) -> Result<f64, Box<dyn Error>> {
        let producer = Producer::new(config)?;
        let value = [b'.'; VALUE_BYTES];
        let record = Record::to(&self.place.topic).partition(0).value(&value);
        // The leader is known, connected to and has acknowledged a first batch.
        let first = producer
            .send(&record)?
            .wait(PATIENCE)
            .ok_or("no answer")??;
        let began = Instant::now();
        let count = self.bytes.div_ceil(VALUE_BYTES);
        let receipts: Result<Vec<_>, _> = (0..count).map(|_| producer.send(&record)).collect();
        producer.flush(PATIENCE)?;
        let elapsed = began.elapsed().as_secs_f64();
        for (expected, receipt) in (first.offset + 1..).zip(receipts?) {
            let offset = receipt.wait(PATIENCE).ok_or("no outcome")??.offset;
            if offset != expected {
                return Err(format!("offset {offset} where {expected} is in order").into());
            }
        }
        Ok(elapsed)
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
