//! A run as text: one line per fact.

use core::fmt;

use titorelli::Instant;

/// How much of a run is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Nothing, not even how it failed: for runs that are meant to fail.
    Silence,
    /// Nothing but the producer's report when it fails: quick.
    Nothing,
    /// All of it; a run that fails shows its last lines.
    Tail,
    /// All of it, shown when the run has ended, however it ends.
    Whole,
}

/// What happened, in order.
#[derive(Debug, Default)]
pub struct Timeline {
    lines: Vec<Line>,
    /// Nothing is noted while it is off.
    is_off: bool,
}

/// One fact.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) at: Instant,
    pub(crate) actor: String,
    pub(crate) text: String,
}

impl Timeline {
    /// Turns the notes on or off.
    pub(crate) const fn switch(&mut self, is_on: bool) {
        self.is_off = !is_on;
    }

    pub(crate) const fn is_on(&self) -> bool {
        !self.is_off
    }

    /// Notes a fact: who, and what.
    pub(crate) fn note(&mut self, at: Instant, actor: impl fmt::Display, text: impl fmt::Display) {
        if !self.is_off {
            let (actor, text) = (actor.to_string(), text.to_string());
            self.lines.push(Line { at, actor, text });
        }
    }

    /// When there was a line with these words in it, the first of them whole: every time, in order.
    #[must_use]
    pub fn times_of(&self, words: &str) -> Vec<Instant> {
        let within = format!(" {words}");
        let has_words = |line: &&Line| line.text.starts_with(words) || line.text.contains(&within);
        self.lines
            .iter()
            .filter(has_words)
            .map(|line| line.at)
            .collect()
    }

    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The last lines: what a failure report shows.
    pub(crate) fn tail(&self, count: usize) -> String {
        let from = self.lines.len().saturating_sub(count);
        let lines: Vec<String> = self.lines[from..].iter().map(Line::to_string).collect();
        lines.join("\n")
    }
}

impl fmt::Display for Line {
    /// Milliseconds with three decimals, the actor, the fact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>10}  {:<6} {}",
            self.at.to_string(),
            self.actor,
            self.text
        )
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
