//! What the application does, and what goes wrong around the core.

use super::model::State;
use super::plan::Fault;
use super::rig::Rig;
use core::time::Duration;
use titorelli::{SendError, WaiterId};
use titorelli_sim::cluster::BrokerId;

impl Rig {
    // ---- The application ----------------------------------------------------------------------

    pub(super) fn act(&mut self) {
        if self.dice.percent(self.plan.workload.flush_percent) {
            let id = self.core.flush(self.instant());
            self.model.flush(id, self.now);
        }
        if self.dice.percent(3) {
            self.ask();
        }
        if let Some(waiter) = self.model.waiting.keys().next_back().copied()
            && self.dice.percent(self.plan.habits.cancel_percent / 2)
        {
            self.cancel(waiter);
        }
        let number = self.model.draw(&self.plan, &mut self.dice);
        self.send(number);
    }

    pub(crate) fn send(&mut self, number: usize) {
        let now = self.instant();
        let has_patience = self.dice.percent(80);
        self.fetch_ahead();
        let (first, buffered) = (self.first_in_line(), self.core.stats().buffered_bytes);
        let core = &mut self.core;
        let result = self.model.entries[number].lend(|record| {
            if has_patience {
                core.send(now, record)
            } else {
                core.try_send(now, record)
            }
        });
        if first.is_some() {
            let after = self.core.stats().buffered_bytes;
            assert!(after <= buffered, "L5: took memory before {first:?}");
        }
        if self.give_up_at.is_some() {
            assert_eq!(result, Err(SendError::Closed), "L4: after close");
        }
        self.note(|| format!("send {number} -> {result:?}"));
        self.answered(number, &result);
    }

    fn ask(&mut self) {
        let topic = format!("topic-{}", self.dice.below(self.plan.workload.topics));
        if let Err(SendError::WouldBlock(id)) = self.core.partitions_for(self.instant(), &topic) {
            self.queries.insert(id, topic);
        }
    }

    pub(super) fn cancel(&mut self, waiter: WaiterId) {
        self.note(|| format!("cancel {waiter:?}"));
        self.core.cancel(self.instant(), waiter);
        self.admitted.remove(&waiter);
        self.cancelled.insert(waiter);
        if let Some(number) = self.model.waiting.remove(&waiter) {
            self.model.entries[number].state = State::Rejected;
        }
    }

    pub(crate) fn close(&mut self, within: Duration) {
        self.note(|| format!("close within {within:?}"));
        let give_up_at = self.instant() + within;
        self.core.close(self.instant(), give_up_at);
        let earlier = self.give_up_at.unwrap_or(u64::MAX);
        self.give_up_at = Some(earlier.min(give_up_at.as_micros()));
    }

    // ---- Faults -------------------------------------------------------------------------------

    pub(super) fn on_fault(&mut self) {
        let fault = self.dice.pick(&self.plan.faults);
        self.note(|| format!("fault {fault:?}"));
        let broker = self.dice.pick(&self.broker_ids());
        let topic = format!("topic-{}", self.dice.below(self.plan.workload.topics));
        let count = self.cluster.partition_count(&topic);
        let partition = i32::try_from(self.dice.below(u64::from(count.unsigned_abs())));
        let partition = partition.expect("small");
        match fault {
            Fault::BrokerDown => self.cluster.set_down(broker),
            Fault::BrokersDown => {
                for broker in self.broker_ids() {
                    self.cluster.set_down(broker);
                }
            }
            Fault::BrokerUp => {
                for broker in self.broker_ids() {
                    self.cluster.set_up(broker);
                }
            }
            Fault::MoveLeader => {
                if self.cluster.is_up(broker) {
                    self.cluster.move_leader(&topic, partition, broker);
                }
            }
            Fault::Refusal => {
                let code = self.dice.pick(&[2, 3, 5, 6, 6, 10, 19, 29, 56, 87]);
                self.cluster.fail_next(&topic, partition, code, false);
            }
            Fault::RefusalAfterAppend => {
                let code = self.dice.pick(&[-1, 7, 13, 20, 999]);
                self.cluster.fail_next(&topic, partition, code, true);
            }
            Fault::Throttle => {
                let millis = self.dice.pick(&[0, 1, 50, 1_000, i32::MAX]);
                self.cluster.throttle(broker, millis);
            }
            Fault::AddPartitions => self.cluster.add_partitions(&topic, (count + 1).min(7)),
            Fault::Recreate => {
                self.cluster.delete_topic(&topic);
                self.cluster
                    .create_topic(&topic, self.plan.workload.partitions);
                self.model.recreated.insert(topic);
            }
            Fault::Cut
            | Fault::CutRequest
            | Fault::CutResponse
            | Fault::LoseResponse
            | Fault::Silence => self.on_wire_fault(fault),
        }
        self.drain_cluster();
    }

    fn on_wire_fault(&mut self, fault: Fault) {
        let Some(conn) = self.wires.any_open() else {
            return;
        };
        let bytes = self.dice.pick(&[0, 1, 3, 20, 100, 1_000]);
        let bytes = self.dice.index(bytes + 1);
        if fault == Fault::Cut {
            return self.wires.cut(self.now, conn);
        }
        if fault == Fault::Silence {
            return self.wires.silence(conn);
        }
        let wire = self.wires.all.get_mut(&conn).expect("open");
        if fault == Fault::CutRequest {
            wire.budget_to_broker = Some(bytes);
        } else if fault == Fault::LoseResponse {
            wire.budget_to_client = Some(0);
        } else {
            wire.budget_to_client = Some(bytes);
        }
    }

    pub(crate) fn broker_ids(&self) -> Vec<BrokerId> {
        let brokers = self.cluster.config().brokers.iter();
        brokers.map(|broker| broker.id).collect()
    }
}
