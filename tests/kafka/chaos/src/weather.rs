//! What befalls connections: drawn from a seed, one after another, while it storms.

use crate::draws::Draws;
use crate::proxy::{Link, Proxy};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// How long the answers of a muted connection are lost before it ends, at most: shorter than any
/// timeout, so that it is the end which tells the producer.
const MUTE_MS_MAX: u64 = 400;
/// A request is torn after so many bytes at most.
const TORN_BYTES_MAX: u64 = 40_000;

/// The names of what may befall a connection.
pub(crate) const KINDS: [&str; 4] = ["reset", "closed", "muted", "torn"];

/// The weather.
pub(crate) struct Weather {
    is_stormy: AtomicBool,
    /// How often each of [`KINDS`] struck.
    struck: [AtomicU64; 4],
}

impl Weather {
    /// Calm until [`storm`](Self::storm); then something strikes every `mean` on average.
    pub(crate) fn start(proxy: Arc<Proxy>, seed: u64, mean: Duration) -> Arc<Self> {
        let weather = Arc::new(Self {
            is_stormy: AtomicBool::new(false),
            struck: Default::default(),
        });
        let (ours, mut draws) = (Arc::clone(&weather), Draws::new(seed));
        let mean_ms = u64::try_from(mean.as_millis()).unwrap_or(1_000).max(1);
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(draws.between(0, 2 * mean_ms)));
                let links = proxy.links();
                if !ours.is_stormy.load(Ordering::Relaxed) || links.is_empty() {
                    continue;
                }
                let at = draws.next() % links.len() as u64;
                if let Some(link) = usize::try_from(at).ok().and_then(|at| links.get(at)) {
                    ours.strike(&mut draws, link);
                }
            }
        });
        weather
    }

    /// Lets it storm, or not.
    pub(crate) fn storm(&self, is_stormy: bool) {
        self.is_stormy.store(is_stormy, Ordering::Relaxed);
    }

    /// How often each of [`KINDS`] struck.
    pub(crate) fn struck(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.struck.iter();
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        KINDS.into_iter().zip(counts.map(count))
    }

    fn strike(&self, draws: &mut Draws, link: &Link) {
        let kind = match draws.between(0, 3) {
            0 => {
                link.reset();
                0
            }
            1 => {
                link.close();
                1
            }
            2 => {
                link.mute();
                thread::sleep(Duration::from_millis(draws.between(1, MUTE_MS_MAX)));
                link.reset();
                2
            }
            _ => {
                link.tear_after(draws.between(1, TORN_BYTES_MAX));
                3
            }
        };
        self.struck[kind].fetch_add(1, Ordering::Relaxed);
    }
}
