//! Time, downwards: a row for every line of the timeline, and for every fact that has none.
//!
//! A pause makes the step to the next row larger, but only with its logarithm: what happens stays
//! in sight however long nothing did.

use titorelli::Instant;

use crate::marks::{Mark, Placed};
use crate::timeline::Line;

/// Where the first row is.
const TOP: u32 = 24;
/// From one row to the next at the same instant.
const STEP: u32 = 16;
/// A pause of so many microseconds is told in figures.
const PAUSE_TOLD_MICROS: u64 = 100_000;

/// One row.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) y: u32,
    pub(super) at: Instant,
    /// Whether time has passed since the row before.
    pub(super) is_later: bool,
    /// A pause before it that is worth telling, in microseconds.
    pub(super) pause_micros: Option<u64>,
    pub(super) actor: &'a str,
    pub(super) text: String,
    pub(super) marks: Vec<&'a Mark>,
    /// It is no line of the timeline.
    pub(super) is_apart: bool,
}

/// Every row, in order.
pub(super) fn rows<'a>(lines: &'a [Line], placed: &'a [Placed]) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = Vec::new();
    // The row of the last line: marks that are not apart belong there.
    let mut last_line = None;
    let mut marks = placed.iter().peekable();
    for count in 0..=lines.len() {
        while let Some(placed) = marks.next_if(|placed| placed.after_lines <= count) {
            if let Some(row) = last_line.filter(|_| !placed.is_apart) {
                let row: &mut Row<'a> = &mut rows[row];
                row.marks.push(&placed.mark);
            } else {
                let mut row = row(&rows, placed.at, "", words(&placed.mark));
                row.marks.push(&placed.mark);
                row.is_apart = true;
                rows.push(row);
            }
        }
        if let Some(line) = lines.get(count) {
            last_line = Some(rows.len());
            rows.push(row(&rows, line.at, &line.actor, line.text.clone()));
        }
    }
    rows
}

fn row<'a>(rows: &[Row<'_>], at: Instant, actor: &'a str, text: String) -> Row<'a> {
    let (y, before) = rows
        .last()
        .map_or((TOP, None), |row| (row.y + STEP, Some(row.at)));
    let passed = before.map_or(0, |before| {
        at.as_micros().saturating_sub(before.as_micros())
    });
    Row {
        y: y + passed.checked_ilog2().unwrap_or(0),
        at,
        is_later: passed > 0 || before.is_none(),
        pause_micros: (passed >= PAUSE_TOLD_MICROS).then_some(passed),
        actor,
        text,
        marks: Vec::new(),
        is_apart: false,
    }
}

/// What is said of a fact that the timeline does not tell.
fn words(mark: &Mark) -> String {
    match mark {
        Mark::Connected(conn) => format!("c{} is established", conn.0),
        Mark::Ends(conn, _) => format!("c{} has ended", conn.0),
        Mark::Answer(conn, id) => format!("c{} brings the answer to #{id}", conn.0),
        Mark::Heals => "everything heals".to_owned(),
        Mark::Opens(..)
        | Mark::Request(..)
        | Mark::Handled(_)
        | Mark::Delivered(..)
        | Mark::Retry(..)
        | Mark::Leads(..)
        | Mark::Strikes(_)
        | Mark::Records(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use titorelli::ConnId;

    fn line(micros: u64, text: &str) -> Line {
        Line {
            at: Instant::from_micros(micros),
            actor: "core".to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_long_pause_takes_little_room() {
        let day = 86_400_000_000;
        let lines = [
            line(0, "a"),
            line(1_000, "b"),
            line(1_000, "c"),
            line(day, "d"),
        ];
        let rows = rows(&lines, &[]);
        let steps: Vec<u32> = rows.windows(2).map(|pair| pair[1].y - pair[0].y).collect();
        assert_eq!(steps, [STEP + 9, STEP, STEP + 36]);
        let told: Vec<bool> = rows.iter().map(|row| row.pause_micros.is_some()).collect();
        assert_eq!(told, [false, false, false, true]);
    }

    #[test]
    fn a_fact_is_at_its_line_or_has_a_row_of_its_own() {
        let lines = [line(0, "a"), line(5, "b")];
        let placed = |after_lines, is_apart, mark| Placed {
            at: Instant::from_micros(5),
            after_lines,
            is_apart,
            mark,
        };
        let placed = [
            placed(1, false, Mark::Heals),
            placed(1, true, Mark::Connected(ConnId(3))),
            placed(2, false, Mark::Heals),
        ];
        let rows = rows(&lines, &placed);
        let told: Vec<(&str, usize)> = rows
            .iter()
            .map(|row| (row.text.as_str(), row.marks.len()))
            .collect();
        assert_eq!(told, [("a", 1), ("c3 is established", 1), ("b", 1)]);
    }
}
