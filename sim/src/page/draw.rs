//! Rows, lanes and arrows as shapes.

use core::time::Duration;

use super::arrows::{Exchange, exchanges};
use super::breach::{self, Breach};
use super::lanes::{APP_X, CONNS_X, ConnLane, Lanes};
use super::rows::Row;
use super::svg::Drawing;
use crate::cluster::{BatchOutcome, BrokerId};
use crate::codec::{ApiKey, error_code};
use crate::fault::Fault;
use crate::marks::{Fate, Handled, Mark};

/// Where words are.
const TIME_X: u32 = 78;
const ACTOR_X: u32 = 90;
const TEXT_X: u32 = 132;
/// As many letters as there is room for.
const TEXT_CHARS: usize = 74;
/// A request or answer that does not arrive goes so far.
const STUB: u32 = 30;

/// Everything below the names of the lanes.
pub(super) fn run(rows: &[Row<'_>], lanes: &Lanes, breach: Option<&Breach>) -> String {
    let mut drawing = Drawing::default();
    for row in rows {
        background(&mut drawing, row, lanes, breach);
    }
    vertical(&mut drawing, rows, lanes, breach);
    for exchange in exchanges(rows) {
        request(&mut drawing, &exchange, lanes);
        answer(&mut drawing, &exchange, lanes);
    }
    for row in rows {
        words(&mut drawing, row);
        for mark in &row.marks {
            shape(&mut drawing, row, mark, lanes);
        }
        application(&mut drawing, row);
    }
    drawing.text
}

/// The names of the lanes.
pub(super) fn names(lanes: &Lanes, breach: Option<&Breach>) -> String {
    let mut drawing = Drawing::default();
    let mut kind = |x: u32, words: &str| drawing.words("kind", (x, 16), &words);
    kind(APP_X - 34, "client");
    if lanes.columns > 0 {
        kind(CONNS_X, "connections");
    }
    if let Some(x) = lanes.brokers.values().next() {
        kind(*x, "brokers");
    }
    if let Some(x) = lanes.partitions.values().next() {
        kind(*x, "partitions");
    }
    drawing.words("name", (TIME_X, 34), &"ms");
    drawing.words("what", (ACTOR_X, 34), &"what happened");
    drawing.words("name", (APP_X, 34), &"app");
    for (broker, x) in &lanes.brokers {
        let class = class_of("name", breach.is_some_and(|b| b.brokers.contains(broker)));
        drawing.words(&class, (*x, 34), broker);
    }
    for ((topic, partition), x) in &lanes.partitions {
        let is_guilty = breach.is_some_and(|b| b.has_place(topic, *partition));
        let name = format!("{topic}/{partition}");
        drawing.cut(&class_of("name", is_guilty), (*x, 34), &name, 11);
    }
    drawing.text
}

fn class_of(class: &str, is_guilty: bool) -> String {
    if is_guilty {
        format!("{class} guilty")
    } else {
        class.to_owned()
    }
}

/// Bands behind rows that stand out.
fn background(drawing: &mut Drawing, row: &Row<'_>, lanes: &Lanes, breach: Option<&Breach>) {
    let band = ((0, row.y.saturating_sub(8)), (lanes.width, 16));
    if row.actor == "fault" {
        drawing.rect("fault-row", band.0, band.1);
    }
    let is_guilty = breach.is_some_and(|breach| breach.has_row(row));
    if is_guilty {
        drawing.anchor(&breach::anchor(row), |drawing| {
            drawing.rect("guilty-row", band.0, band.1);
        });
    }
    if row.pause_micros.is_some() {
        let y = row.y.saturating_sub(13);
        drawing.line("pause", (0, y), (lanes.width, y));
    }
}

/// The lanes themselves.
fn vertical(drawing: &mut Drawing, rows: &[Row<'_>], lanes: &Lanes, breach: Option<&Breach>) {
    drawing.line("lane", (APP_X, 0), (APP_X, lanes.bottom));
    for (broker, x) in &lanes.brokers {
        let is_guilty = breach.is_some_and(|b| b.brokers.contains(broker));
        lane(drawing, "broker", is_guilty, *x, lanes.bottom);
        for (from, until) in downs(rows, *broker, lanes.bottom) {
            drawing.rect("down", (x.saturating_sub(5), from), (10, until - from));
        }
    }
    for ((topic, partition), x) in &lanes.partitions {
        let is_guilty = breach.is_some_and(|b| b.has_place(topic, *partition));
        lane(drawing, "partition", is_guilty, *x, lanes.bottom);
    }
    for (conn, lane) in &lanes.conns {
        connection(drawing, conn.0, lane, lanes.bottom);
    }
}

fn lane(drawing: &mut Drawing, kind: &str, is_guilty: bool, x: u32, bottom: u32) {
    if is_guilty {
        drawing.rect("guilty-lane", (x.saturating_sub(20), 0), (40, bottom));
    }
    drawing.line(&format!("lane {kind}"), (x, 0), (x, bottom));
}

/// From when until when a broker is down.
fn downs(rows: &[Row<'_>], broker: BrokerId, bottom: u32) -> Vec<(u32, u32)> {
    let (mut downs, mut since) = (Vec::new(), None);
    for row in rows {
        for mark in &row.marks {
            if matches!(mark, Mark::Strikes(Fault::Down(down)) if *down == broker) {
                since.get_or_insert(row.y);
            }
            let is_up = matches!(mark, Mark::Heals)
                || matches!(mark, Mark::Strikes(Fault::Up(up)) if *up == broker);
            if is_up {
                downs.extend(since.take().map(|since| (since, row.y)));
            }
        }
    }
    downs.extend(since.map(|since| (since, bottom)));
    downs
}

fn connection(drawing: &mut Drawing, number: u64, lane: &ConnLane, bottom: u32) {
    let ends_y = lane.ended.map_or(bottom, |(y, _)| y);
    let connected_y = lane
        .connected_y
        .unwrap_or(if lane.from_y == 0 { 0 } else { ends_y });
    drawing.line("conn trying", (lane.x, lane.from_y), (lane.x, connected_y));
    drawing.line("conn", (lane.x, connected_y), (lane.x, ends_y));
    let whom = lane
        .broker
        .map_or_else(|| "?".to_owned(), |broker| broker.to_string());
    let name = format!("c{number}→{whom}");
    drawing.words(
        "conn-name",
        (lane.x, lane.from_y.max(20).saturating_sub(5)),
        &name,
    );
    match lane.ended {
        Some((y, true)) => drawing.cross("lost", (lane.x, y)),
        Some((y, false)) => drawing.line("shut", (lane.x.saturating_sub(5), y), (lane.x + 5, y)),
        None => {}
    }
}

fn style(exchange: &Exchange) -> (&'static str, &'static str) {
    match exchange.api {
        ApiKey::Produce => ("request produce", "head-produce"),
        ApiKey::Metadata | ApiKey::ApiVersions | ApiKey::InitProducerId => {
            ("request other", "head-other")
        }
    }
}

fn request(drawing: &mut Drawing, exchange: &Exchange, lanes: &Lanes) {
    let Some(lane) = lanes.conns.get(&exchange.conn) else {
        return;
    };
    let (class, head) = style(exchange);
    let from = (lane.x, exchange.sent_y);
    let Some((y, broker)) = exchange.handled else {
        // It is on its way, or lost.
        let to = (lane.x + STUB, exchange.sent_y + 6);
        drawing.line("request gone", from, to);
        return drawing.cross("gone-end", to);
    };
    // Its connection had ended when it was applied.
    let is_late = lane.ended.is_some_and(|(ended_y, _)| ended_y < y);
    let (class, head) = if is_late && exchange.api == ApiKey::Produce {
        ("request late", "head-late")
    } else {
        (class, head)
    };
    if let Some(x) = lanes.brokers.get(&broker) {
        drawing.arrow(class, head, from, (*x, y));
    }
    if exchange.api == ApiKey::Produce {
        let place = (lane.x + 5, exchange.sent_y.saturating_sub(3));
        drawing.words("number", place, &format!("#{}", exchange.id));
    }
}

fn answer(drawing: &mut Drawing, exchange: &Exchange, lanes: &Lanes) {
    let (Some(lane), Some((y, broker))) = (lanes.conns.get(&exchange.conn), exchange.handled)
    else {
        return;
    };
    let Some(x) = lanes.brokers.get(&broker) else {
        return;
    };
    let (class, head) = match (exchange.is_refusal, exchange.api) {
        (true, _) => ("answer refusal", "head-refusal"),
        (false, ApiKey::Produce) => ("answer produced", "head-produced"),
        (false, _) => ("answer other", "head-other"),
    };
    let Some(answered_y) = exchange.answered_y else {
        if exchange.is_silent {
            return;
        }
        let to = (x.saturating_sub(STUB), y + 6);
        drawing.line("answer gone", (*x, y), to);
        return drawing.cross("gone-end", to);
    };
    drawing.arrow(class, head, (*x, y), (lane.x, answered_y));
}

fn words(drawing: &mut Drawing, row: &Row<'_>) {
    let y = row.y + 4;
    if row.is_later {
        drawing.words("time", (TIME_X, y), &row.at);
    }
    if let Some(micros) = row.pause_micros {
        let pause = format!("{:?} later", Duration::from_micros(micros));
        drawing.words("pause-told", (TEXT_X, row.y.saturating_sub(15)), &pause);
    }
    let class = if row.is_apart {
        "what apart"
    } else {
        match row.actor {
            "app" => "what app",
            "fault" => "what fault",
            "core" => "what core",
            _broker => "what broker",
        }
    };
    drawing.words(class, (ACTOR_X, y), &row.actor);
    let text = row.text.split_whitespace().collect::<Vec<_>>().join(" ");
    drawing.cut(class, (TEXT_X, y), &text, TEXT_CHARS);
}

/// What the application does and hears.
fn application(drawing: &mut Drawing, row: &Row<'_>) {
    let place = (APP_X, row.y);
    let is_ending = row
        .marks
        .iter()
        .any(|mark| matches!(mark, Mark::Delivered(..)));
    if row.actor != "app" || is_ending {
        return;
    }
    if row.text.contains(" waits (") {
        drawing.dot("call waiting", place, 4);
    } else if row.text.contains("error: ") || row.text.starts_with("refused") {
        drawing.cross("call refused", place);
    } else {
        drawing.dot("call", place, 4);
    }
}

fn shape(drawing: &mut Drawing, row: &Row<'_>, mark: &Mark, lanes: &Lanes) {
    match mark {
        Mark::Handled(handled) => {
            if let Some(x) = lanes.brokers.get(&handled.broker) {
                drawing.dot("handled", (*x, row.y), 3);
                outcomes(drawing, (*x, row.y), handled, lanes);
            }
        }
        Mark::Delivered(topic, partition, fate) => {
            let (class, word) = match fate {
                Fate::Acked => ("acked", "acked"),
                Fate::NotPersisted => ("failed", "failed"),
                Fate::MaybePersisted => ("unknown", "perhaps"),
            };
            drawing.dot(&format!("fate {class}"), (APP_X, row.y), 4);
            if let Some(x) = lanes.partition_x(topic, *partition) {
                drawing.dot(&format!("fate {class}"), (x, row.y), 5);
                drawing.words(&format!("told {class}"), (x + 9, row.y + 4), &word);
            }
        }
        Mark::Retry(topic, partition) => {
            if let Some(x) = lanes.partition_x(topic, *partition) {
                drawing.words("retry", (x, row.y + 5), &"↻");
                drawing.words("told retry", (x + 9, row.y + 4), &"retry");
            }
        }
        Mark::Leads(topic, partition, leader) => {
            if let Some(x) = lanes.partition_x(topic, *partition) {
                let leader = leader.map_or("none".to_owned(), |leader| format!("b{leader}"));
                drawing.words("told leads", (x + 9, row.y + 4), &format!("⇒ {leader}"));
            }
        }
        Mark::Strikes(fault) => strike(drawing, row, fault, lanes),
        Mark::Opens(..)
        | Mark::Connected(_)
        | Mark::Ends(..)
        | Mark::Request(..)
        | Mark::Answer(..)
        | Mark::Heals
        | Mark::Records(_) => {}
    }
}

/// What became of the batches of a request: on their partitions' lanes, tied to the broker's.
fn outcomes(drawing: &mut Drawing, broker: (u32, u32), handled: &Handled, lanes: &Lanes) {
    let place = |batch: &BatchOutcome| lanes.partition_x(&batch.topic, batch.partition);
    for batch in &handled.batches {
        if let Some(x) = place(batch) {
            drawing.line(
                &format!("tie {}", class_of_batch(batch)),
                broker,
                (x, broker.1),
            );
        }
    }
    for batch in &handled.batches {
        let Some(x) = place(batch) else {
            continue;
        };
        let (class, y) = (class_of_batch(batch), broker.1);
        let words = match (batch.error_code, batch.is_appended) {
            (error_code::NONE, true) => format!("at {}", batch.base_offset),
            (error_code::NONE, false) => format!("again {}", batch.base_offset),
            (code, _) => error_code::name(code).to_owned(),
        };
        drawing.rect(class, (x.saturating_sub(5), y.saturating_sub(5)), (10, 10));
        drawing.cut(&format!("told {class}"), (x + 9, y + 4), &words, 11);
    }
}

fn class_of_batch(batch: &BatchOutcome) -> &'static str {
    match (batch.error_code, batch.is_appended) {
        (error_code::NONE, true) => "append",
        (error_code::NONE, false) => "duplicate",
        (_, true) => "append but",
        (_, false) => "refusal",
    }
}

fn strike(drawing: &mut Drawing, row: &Row<'_>, fault: &Fault, lanes: &Lanes) {
    let mut fault = fault.clone();
    let mut is_placed = false;
    for broker in fault.brokers_mut() {
        if let Some(x) = lanes.brokers.get(broker) {
            is_placed = true;
            drawing.bolt("bolt", (*x, row.y));
        }
    }
    if let Some((topic, only)) = fault.place_mut() {
        for ((name, partition), x) in &lanes.partitions {
            if name == topic && only.as_deref().is_none_or(|only| only == partition) {
                is_placed = true;
                drawing.bolt("bolt", (*x, row.y));
            }
        }
    }
    if !is_placed {
        drawing.bolt("bolt", (APP_X, row.y));
    }
}
