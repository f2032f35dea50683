//! Runs that are small enough to be explored, by name.

use titorelli::{Acks, Config};

use super::Exploration;
use crate::cluster::{Access, BrokerId, ClusterConfig, Distortion, Lie, Strictness};
use crate::codec::error_code::{NOT_ENOUGH_REPLICAS, REQUEST_TIMED_OUT};
use crate::fault::{Fault, Garbling};
use crate::journal::OwnedRecord;
use crate::network::NetworkConfig;
use crate::story::ms;
use crate::world::{World, WorldConfig};

const B1: BrokerId = BrokerId(1);
const B2: BrokerId = BrokerId(2);

/// Their names, and what happens in them.
pub(super) const NAMED: [(&str, &str); 5] = [
    ("one-record", "from the first connection to the ack"),
    (
        "four-records",
        "two partitions on two brokers, in order; the third while two are on their way",
    ),
    ("full-buffer", "memory for one record; two calls wait"),
    ("close", "the producer closes while a record is on its way"),
    (
        "once-and-in-order",
        "three batches to two partitions on two brokers, idempotent; three faults",
    ),
];

pub(super) fn of_name(name: &str) -> Option<Exploration> {
    if name == "once-and-in-order" {
        return Some(once_and_in_order());
    }
    let mut core = Config::default();
    core.retries = 5;
    core.request_timeout = ms(500);
    core.delivery_timeout = Some(ms(20_000));
    core.socket_connection_setup_timeout = ms(500);
    let script = match name {
        "one-record" => one_record,
        "four-records" => {
            core.max_in_flight_requests_per_connection = 1;
            four_records
        }
        "full-buffer" => {
            core.batch_size = 0;
            core.buffer_memory = 256;
            core.max_block = ms(2_000);
            full_buffer
        }
        "close" => close,
        _ => return None,
    };
    Some(Exploration {
        config: world(core),
        script,
        faults: faults(),
        depth: 2,
        first_step: 0,
        ends_with_records: false,
    })
}

/// Two brokers that overlook nothing.
fn world(core: Config) -> WorldConfig {
    let mut cluster = ClusterConfig::with_brokers(2);
    cluster.strictness = Strictness::Strict;
    WorldConfig {
        seed: 0,
        core,
        cluster,
        network: NetworkConfig::default(),
    }
}

/// Faults that bear on what a batch's number means: an answer is lost, a leader moves, a batch is
/// refused, requests are applied late. From when the producer has its id and knows its leaders on.
fn once_and_in_order() -> Exploration {
    let mut core = Config::default();
    core.enable_idempotence = true;
    core.acks = Acks::All;
    core.retries = 1_000_000;
    core.batch_size = 0;
    core.retry_backoff = ms(20);
    core.backoff_jitter_percent = 0;
    core.reconnect_backoff = ms(20);
    core.request_timeout = ms(200);
    core.delivery_timeout = Some(ms(5_000));
    let config = world(core);
    let mut ready = World::new(config.clone());
    ready.narrate(false);
    make_ready(&mut ready);
    Exploration {
        config,
        script: three_batches,
        faults: vec![
            Fault::CutResponsesAfter(B1, 0),
            Fault::move_leader("orders/0", B2),
            Fault::fail_next("orders/0", NOT_ENOUGH_REPLICAS),
            Fault::Delay(B1, ms(300)),
        ],
        depth: 3,
        first_step: ready.steps(),
        ends_with_records: true,
    }
}

/// One of each kind that does something to such a run.
fn faults() -> Vec<Fault> {
    let topic = || "orders".to_owned();
    vec![
        Fault::Cut(B1),
        Fault::Cut(B2),
        Fault::CutRequestsAfter(B1, 20),
        Fault::CutResponsesAfter(B1, 0),
        Fault::CutResponsesAfter(B1, 11),
        Fault::Silence(B1),
        Fault::Swallow(B1),
        Fault::Stall(B1),
        Fault::Down(B1),
        Fault::Clog(B1, 9),
        Fault::Delay(B1, ms(700)),
        Fault::Garble(B1, Garbling::Twice),
        Fault::Distort(B1, Distortion::StrangeEntry),
        Fault::Throttle(B1, 50),
        Fault::Lag(B1),
        Fault::Blank(B1),
        Fault::Mislead(B1, Lie::NoBrokers),
        Fault::move_leader("orders/0", B2),
        Fault::replace_leader("orders/0", B2),
        Fault::fail_next("orders/0", NOT_ENOUGH_REPLICAS),
        Fault::fail_after_append("orders/0", REQUEST_TIMED_OUT),
        Fault::Permit(topic(), Access::None),
        Fault::Recreate(topic(), 2),
        Fault::Readdress(B1),
        Fault::Starve(ms(30)),
        Fault::Leap(ms(600)),
    ]
}

/// Both partitions have taken a record.
fn make_ready(world: &mut World) {
    world.tell_batches_apart();
    world.control(|cluster| cluster.create_topic("orders", 2));
    world.send(OwnedRecord::to("orders/0", "ready 0"));
    world.send(OwnedRecord::to("orders/1", "ready 1"));
    world.run_until_quiet();
}

fn three_batches(world: &mut World) {
    make_ready(world);
    world.send(OwnedRecord::to("orders/0", "a"));
    world.send(OwnedRecord::to("orders/0", "b"));
    world.send(OwnedRecord::to("orders/1", "c"));
}

fn one_record(world: &mut World) {
    world.control(|cluster| cluster.create_topic("orders", 1));
    world.send(OwnedRecord::to("orders/0", "a"));
}

fn four_records(world: &mut World) {
    world.control(|cluster| cluster.create_topic("orders", 2));
    world.send(OwnedRecord::to("orders/0", "a"));
    world.send(OwnedRecord::to("orders/1", "b"));
    world.run_for(ms(13));
    world.send(OwnedRecord::to("orders/0", "c"));
    world.run_for(ms(1));
    world.send(OwnedRecord::to("orders/0", "d"));
    world.flush();
}

fn full_buffer(world: &mut World) {
    world.control(|cluster| cluster.create_topic("orders", 2));
    let large = "x".repeat(150);
    world.send(OwnedRecord::to("orders/0", format!("a{large}")));
    world.send(OwnedRecord::to("orders/1", format!("b{large}")));
    world.send(OwnedRecord::to("orders/0", "c"));
}

fn close(world: &mut World) {
    world.control(|cluster| cluster.create_topic("orders", 1));
    world.send(OwnedRecord::to("orders/0", "a"));
    world.run_for(ms(7));
    world.send(OwnedRecord::to("orders/0", "b"));
    world.close(ms(3_000));
}
