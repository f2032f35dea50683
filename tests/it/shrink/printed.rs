//! What the test beside it cut down and printed.

use titorelli_sim::{Fault, OwnedRecord, Run, Stage};

#[test]
fn a_duplicate() {
    let mut stage = Stage::new(0);
    stage.core.set("retries", "5").unwrap();
    let mut run = Run::new(&stage);
    run.inflict(&Fault::fail_after_append("t0/0", 7));
    run.send(OwnedRecord::to("t0/0", "0:"));
    run.settle();
}
