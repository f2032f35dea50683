//! `titorelli serve`.
use crate::Ended;
/// Serve.
#[derive(clap::Args)]
pub(crate) struct Serve {}
impl Serve {
    pub(crate) fn run(&self) -> Ended {
        Err("x".into())
    }
}
