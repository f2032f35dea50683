//! A run as one page of HTML, for a browser and nothing else: no script, nothing from elsewhere.
//!
//! Time runs downwards, a row for each line of the timeline. To its right are lanes: the
//! application, every connection while it lives, the brokers, and the partitions that were written
//! to. Requests are arrows from a connection to a broker, answers come back; appends, retries and
//! outcomes are on the partitions' lanes, faults on whom they strike. Where a promise was broken,
//! its message is above and below, and what it names is tinted.

mod arrows;
mod breach;
mod draw;
mod lanes;
mod rows;
mod svg;

use core::fmt::Write;

use titorelli::counted;

use crate::world::World;
use breach::Breach;
use lanes::Lanes;
use rows::Row;
use svg::Safe;

const STYLE: &str = include_str!("page.css");

/// The heads of arrows, by what they mean.
const HEADS: [&str; 5] = [
    "head-produce",
    "head-late",
    "head-other",
    "head-produced",
    "head-refusal",
];

/// What the shapes mean: a class, a sign and words.
const LEGEND: [(&str, &str, &str); 13] = [
    ("request produce", "→", "Produce"),
    ("request late", "→", "applied when its connection had ended"),
    ("request other", "→", "other requests"),
    ("answer produced", "←", "written"),
    ("answer refusal", "←", "refused"),
    ("gone-end", "✕", "never arrived"),
    ("append", "■", "appended"),
    ("append but", "■", "appended, and told otherwise"),
    ("refusal", "■", "not appended"),
    ("fate acked", "●", "acked"),
    ("fate failed", "●", "not persisted"),
    ("fate unknown", "●", "perhaps persisted"),
    ("bolt", "ϟ", "fault"),
];

impl World {
    /// The run so far as a page; [`draw`](Self::draw) must have been called before. `about` is what
    /// it began with, `failure` how it ended, in the words of the panic, if it failed.
    #[must_use]
    pub fn page(&self, title: &str, about: &str, failure: Option<&str>) -> String {
        let rows = rows::rows(self.timeline().lines(), self.marks());
        let brokers = self
            .cluster()
            .config()
            .brokers
            .iter()
            .map(|broker| broker.id);
        let lanes = Lanes::of(&rows, brokers);
        let breach = failure.map(|message| Breach::of(message, self));
        let mut page = head(title);
        page.push_str(&summary(title, about, self, (breach.as_ref(), &rows)));
        let width = lanes.width;
        let names = draw::names(&lanes, breach.as_ref());
        // A `String` takes everything.
        let _ = write!(
            page,
            "<div class=\"names\"><svg width=\"{width}\" height=\"42\">\n{names}</svg></div>\n"
        );
        let mut height = lanes.bottom;
        let mut run = draw::run(&rows, &lanes, breach.as_ref());
        if let Some(breach) = &breach {
            run.push_str(&verdict(breach, width, height));
            height += 70;
        }
        let _ = write!(
            page,
            "<svg class=\"run\" width=\"{width}\" height=\"{height}\">\n{}{run}</svg>\n",
            heads()
        );
        page.push_str("</body>\n</html>\n");
        page
    }
}

fn head(title: &str) -> String {
    let title = Safe(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    )
}

fn heads() -> String {
    let mut defs = "<defs>\n".to_owned();
    for head in HEADS {
        let _ = writeln!(
            defs,
            "<marker id=\"{head}\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" \
             markerHeight=\"7\" orient=\"auto\"><path class=\"{head}\" d=\"M0 0L8 4L0 8Z\"/>\
             </marker>"
        );
    }
    defs + "</defs>\n"
}

/// What the run was, and how it ended.
fn summary(
    title: &str,
    about: &str,
    world: &World,
    (breach, rows): (Option<&Breach>, &[Row<'_>]),
) -> String {
    let mut text = format!("<header>\n<h1>{}</h1>\n", Safe(title));
    let stats = world.core().stats();
    let _ = match breach {
        None => writeln!(text, "<p class=\"kept\">Every promise was kept.</p>"),
        Some(breach) => writeln!(
            text,
            "<p class=\"broken\"><a href=\"#broken\">Broken at {}</a>: {}</p>",
            world.now(),
            Safe(&breach.message)
        ),
    };
    for record in breach.map_or(&[][..], |breach| &breach.records) {
        let _ = writeln!(text, "<p class=\"record\">{}</p>", Safe(record));
    }
    let is_named = |row: &&Row<'_>| breach.is_some_and(|breach| breach.has_row(row));
    for row in rows.iter().filter(is_named) {
        let (anchor, words) = (breach::anchor(row), Safe(&row.text));
        let link = format!("<a href=\"#{anchor}\">{}</a>", row.at);
        let _ = writeln!(text, "<p class=\"record\">{link} {words}</p>");
    }
    let _ = writeln!(
        text,
        "<p>{} accepted, {} acked, {} not persisted, {} perhaps persisted, {}, {}, in {} ms of \
         virtual time</p>",
        counted(stats.records_accepted, "record"),
        stats.records_acked,
        stats.records_not_persisted,
        stats.records_maybe_persisted,
        counted(stats.retries, "retry"),
        counted(stats.connects, "connection"),
        world.now()
    );
    text.push_str("<details><summary>What it began with</summary><pre>");
    for line in about.lines() {
        let _ = writeln!(text, "{}", Safe(line));
    }
    text.push_str("</pre></details>\n");
    text.push_str("<p class=\"legend\">");
    for (class, sign, words) in LEGEND {
        let _ = write!(text, "<span class=\"{class}\">{sign}</span> {words} ");
    }
    text.push_str("</p>\n</header>\n");
    text
}

/// The message, where time ended.
fn verdict(breach: &Breach, width: u32, y: u32) -> String {
    let mut drawing = svg::Drawing::default();
    drawing.rect("broken-end", (0, y), (width, 60));
    drawing.cross("broken-sign", (24, y + 30));
    drawing.cut("broken-words", (44, y + 35), &breach.message, 220);
    format!("<g id=\"broken\">\n{}</g>\n", drawing.text)
}
