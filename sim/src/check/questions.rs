//! L9 for questions about the cluster: one at a time is waited for, and no connection owes two
//! answers.
//!
//! A question is waited for until it is answered or lost; until its connection has owed any answer
//! for a second, and a pause after that (L10); or until an earlier question is answered after all.

use core::time::Duration;
use std::collections::BTreeMap;

use titorelli::{Config, ConnId, Instant};

use super::pause::Pause;

/// A connection that has owed an answer for so long is not waited for if another can be asked.
const PATIENCE: Duration = Duration::from_secs(1);

/// A question that is not answered.
#[derive(Debug)]
struct Question {
    asked_at: Instant,
    /// When its connection had owed an answer for too long.
    slow_at: Option<Instant>,
    /// An earlier question was answered since.
    is_overtaken: bool,
}

impl Question {
    /// Its connection owes an answer to what was handed out at `oldest_at`, at `now`.
    fn look(&mut self, now: Instant, oldest_at: Instant) {
        let slow_at = (oldest_at + PATIENCE).max(self.asked_at);
        if slow_at <= now {
            self.slow_at.get_or_insert(slow_at);
        }
    }
}

/// The Metadata requests that are not answered.
#[derive(Debug)]
pub(crate) struct Questions {
    least: Duration,
    open: BTreeMap<ConnId, Question>,
}

impl Questions {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            least: Pause::of_retries(config).least(1),
            open: BTreeMap::new(),
        }
    }

    /// Somebody is asked. `oldest_at`: when the oldest request was handed out that a connection has
    /// not answered; `is_late`: the core was not called for a while, and knows less than is seen.
    ///
    /// # Panics
    /// It is one question too many.
    pub(crate) fn on_question(
        &mut self,
        now: Instant,
        conn: ConnId,
        oldest_at: impl Fn(ConnId) -> Option<Instant>,
        is_late: bool,
    ) {
        for (other, question) in &mut self.open {
            if let Some(oldest_at) = oldest_at(*other) {
                question.look(now, oldest_at);
            }
            let is_given_up = question.slow_at.is_some_and(|at| now >= at + self.least);
            assert!(
                is_given_up || question.is_overtaken || is_late,
                "L9: {conn:?} is asked at {now}, and {other:?} owes an answer: {question:?}"
            );
        }
        let question = Question {
            asked_at: now,
            slow_at: None,
            is_overtaken: false,
        };
        let before = self.open.insert(conn, question);
        assert!(before.is_none(), "L9: {conn:?} is asked twice");
    }

    /// A connection answers whatever was handed out at `handed_at`.
    pub(crate) fn on_any_answer(&mut self, now: Instant, conn: ConnId, handed_at: Instant) {
        if let Some(question) = self.open.get_mut(&conn) {
            question.look(now, handed_at);
        }
    }

    /// The question to a connection is answered.
    pub(crate) fn on_answer(&mut self, conn: ConnId) {
        let Some(answered) = self.open.remove(&conn) else {
            return;
        };
        for question in self.open.values_mut() {
            question.is_overtaken |= question.asked_at > answered.asked_at;
        }
    }

    /// A connection is gone.
    pub(crate) fn on_end(&mut self, conn: ConnId) {
        self.open.remove(&conn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn questions() -> Questions {
        let mut config = Config::default();
        config.retry_backoff = Duration::from_millis(100);
        config.backoff_jitter_percent = 0;
        let mut questions = Questions::new(&config);
        questions.on_question(Instant::from_millis(5_000), ConnId(1), |_| None, false);
        questions
    }

    /// The first was asked at 5 s, on a connection that owes an answer since 4.5 s.
    fn ask(questions: &mut Questions, at_ms: u64, conn: u64) {
        let oldest_at = |_| Some(Instant::from_millis(4_500));
        questions.on_question(Instant::from_millis(at_ms), ConnId(conn), oldest_at, false);
    }

    #[test]
    fn who_was_slow_is_waited_for_no_more_after_a_pause() {
        ask(&mut questions(), 5_600, 2);
    }

    #[test]
    #[should_panic = "L9: ConnId(2) is asked"]
    fn before_that_it_is() {
        ask(&mut questions(), 5_599, 2);
    }

    #[test]
    #[should_panic = "L9: ConnId(1) is asked twice"]
    fn a_connection_is_asked_once() {
        ask(&mut questions(), 9_000, 1);
    }

    #[test]
    fn an_earlier_question_answers_for_a_later_one() {
        let mut questions = questions();
        ask(&mut questions, 5_600, 2);
        questions.on_answer(ConnId(1));
        ask(&mut questions, 5_601, 3);
    }
}
