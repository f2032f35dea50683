//! A state machine that goes on by what became of its records: an order is reserved, charged and
//! shipped, and no step is taken before the one before it is in the log.

use titorelli_sim::{DeliveryError, Record, RecordMetadata, Simulation, ms};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Reserve,
    Charge,
    Ship,
    Done,
    /// A step may have been taken: somebody has to look.
    Suspended,
}

impl Order {
    fn next(self, outcome: &Result<RecordMetadata, DeliveryError>) -> Self {
        match (self, outcome) {
            (_, Err(error)) if error.may_be_persisted() => Self::Suspended,
            (step, Err(_)) => step, // Certainly not written: again.
            (Self::Reserve, Ok(_)) => Self::Charge,
            (Self::Charge, Ok(_)) => Self::Ship,
            (Self::Ship | Self::Done | Self::Suspended, Ok(_)) => Self::Done,
        }
    }
}

fn main() {
    for accident in Simulation::accidents() {
        let sim = Simulation::builder()
            .topic("order", 1)
            .set("acks", "all")
            .start();
        sim.befall("order/0", accident);
        let (mut order, mut taken) = (Order::Reserve, Vec::new());
        while !matches!(order, Order::Done | Order::Suspended) && sim.now() < ms(600_000) {
            let step = format!("{order:?}");
            let Ok(sent) = sim
                .producer()
                .send(&Record::to("order").value(step.as_bytes()))
            else {
                sim.heal(); // Nobody answers, or nobody may write: the operator is woken.
                continue;
            };
            let outcome = sent.wait(ms(300_000)).expect("every record ends");
            taken.extend(outcome.is_ok().then_some(step));
            order = order.next(&outcome);
        }
        println!("{accident}: {order:?} after {taken:?}");
        let steps = ["Reserve", "Charge", "Ship"];
        assert!(steps.iter().zip(&taken).all(|(step, taken)| step == taken));
        assert!(
            sim.log("order", 0).len() <= steps.len(),
            "no step is taken twice"
        );
        assert!(
            order == Order::Suspended || taken.len() == steps.len(),
            "it ends"
        );
    }
}

#[test]
fn no_step_is_taken_before_or_twice() {
    main();
}
