//! `titorelli demo`.
use crate::Ended;
/// Demo.
#[derive(clap::Args)]
pub(crate) struct Demo {}
impl Demo {
    pub(crate) fn run(&self) -> Ended {
        Err("x".into())
    }
}
