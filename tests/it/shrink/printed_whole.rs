//! What the test beside it printed: everything that can be.

use core::time::Duration;
use titorelli_sim::cluster::{Access, BrokerId, Distortion, Lie};
use titorelli_sim::{Damage, Fault, Garbling, OwnedRecord, Run, SlowLinks, Span, Stage, ms};

#[test]
fn everything() {
    let mut stage = Stage::new(4_711);
    stage.brokers = 3;
    stage.releases = vec![(2, 8, 0)];
    stage.answers_without_acks = true;
    stage.first_epoch = 32_766;
    stage.topics = vec![2, 1];
    stage.replicas.factor = 2;
    stage.replicas.min_in_sync = 2;
    stage.replicas.fetch = ms(5);
    stage.replicas.lag_max = ms(200);
    stage.core.set("retries", "5").unwrap();
    stage.network.latency = Span::between(Duration::from_micros(50), ms(20));
    stage.network.seal = Span::exactly(ms(1));
    stage.network.write_pause = Span::exactly(ms(2));
    stage.network.write_bytes_max = Some(50);
    stage.network.chunk_bytes_max = Some(20);
    stage.network.slow_links = Some(SlowLinks {
        percent: 40,
        extra: Span::between(ms(50), ms(3_000)),
    });
    let mut run = Run::new(&stage);
    run.send(OwnedRecord::to("t0/1", "0:").key("k"));
    run.echo(OwnedRecord::to("t1", format!("{:.<6}", "1:")).header("a", Some(&[7])));
    run.send(OwnedRecord::to("t1", "2:").timestamp(1_699_999_950_000));
    run.flush();
    run.cancel();
    run.wait(Duration::from_micros(1_500));
    run.inflict(&Fault::Cut(BrokerId(1)));
    run.inflict(&Fault::CutRequestsAfter(BrokerId(1), 9));
    run.inflict(&Fault::CutResponsesAfter(BrokerId(1), 0));
    run.inflict(&Fault::Silence(BrokerId(1)));
    run.inflict(&Fault::Swallow(BrokerId(1)));
    run.inflict(&Fault::Stall(BrokerId(1)));
    run.inflict(&Fault::Admit(BrokerId(1)));
    run.inflict(&Fault::move_leader("t0/1", BrokerId(1)));
    run.inflict(&Fault::replace_leader("t0/1", BrokerId(1)));
    run.inflict(&Fault::elect_unclean("t0/1", BrokerId(1)));
    run.inflict(&Fault::HoldReplicas(BrokerId(1)));
    run.inflict(&Fault::FreeReplicas(BrokerId(1)));
    run.inflict(&Fault::Down(BrokerId(1)));
    run.inflict(&Fault::Up(BrokerId(1)));
    run.inflict(&Fault::fail_next("t0/0", 6));
    run.inflict(&Fault::fail_after_append("t1/0", -1));
    run.inflict(&Fault::ForgetProducers("t0".into(), 1));
    run.inflict(&Fault::RefuseId(14));
    run.inflict(&Fault::LimitBatches("t0".into(), 1_000));
    run.inflict(&Fault::LiftLimit("t0".into()));
    run.inflict(&Fault::Throttle(BrokerId(1), 1_000));
    run.inflict(&Fault::Permit("t0".into(), Access::Describe));
    run.inflict(&Fault::AddPartition("t0".into()));
    run.inflict(&Fault::Clog(BrokerId(1), 100));
    run.inflict(&Fault::Delay(BrokerId(1), ms(5_000)));
    run.inflict(&Fault::Garble(BrokerId(1), Garbling::Half));
    run.inflict(&Fault::Distort(BrokerId(1), Distortion::EntriesTwice));
    run.inflict(&Fault::Restart(BrokerId(1)));
    run.inflict(&Fault::Upgrade(BrokerId(1), (3, 7, 0)));
    run.inflict(&Fault::Lag(BrokerId(1)));
    run.inflict(&Fault::Blank(BrokerId(1)));
    run.inflict(&Fault::Mislead(BrokerId(1), Lie::NoLeader));
    run.inflict(&Fault::CatchUp(BrokerId(1)));
    run.inflict(&Fault::Readdress(BrokerId(1)));
    run.inflict(&Fault::SwapAddresses(BrokerId(1), BrokerId(2)));
    run.inflict(&Fault::Delete("t0".into()));
    run.inflict(&Fault::Recreate("t0".into(), 2));
    run.inflict(&Fault::Starve(ms(20)));
    run.inflict(&Fault::Leap(ms(700)));
    run.damage(BrokerId(2), Damage::Swallowed);
    run.heal();
    run.settle();
    run.close(ms(1_000));
}
