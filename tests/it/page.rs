//! A run as a page: what is in it, by its structure; how it looks is for eyes.

use titorelli::Acks;
use titorelli::recording::{Payloads, Replay};
use titorelli_sim::cluster::BrokerId;
use titorelli_sim::{
    Fault, OwnedRecord, Plan, Profile, Stage, Step, Story, Telling, draw, ms, witness,
};

/// How many shapes have exactly these classes.
fn count(page: &str, shape: &str, classes: &str) -> usize {
    page.matches(&format!("<{shape} class=\"{classes}\""))
        .count()
}

/// Every tag is closed by its own, attributes are quoted, and no text has a sign of its own.
#[track_caller]
fn expect_well_formed(page: &str) {
    let page = page.strip_prefix("<!DOCTYPE html>\n").expect("HTML");
    let mut open: Vec<&str> = Vec::new();
    for part in page.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        let entities = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
        let is_bare = |(at, _)| !entities.iter().any(|entity| text[at..].starts_with(entity));
        let has_signs = text.contains('>') || text.match_indices('&').any(is_bare);
        assert!(!has_signs, "{part}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split(' ').next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{part}"),
            None if tag.ends_with('/') => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, [""; 0], "every tag is closed");
}

/// An answer is lost, a batch refused, and a record written twice.
fn story() -> Story {
    let mut story = Story::new(|config| {
        config.retries = 3;
        config.linger = ms(5);
    });
    story.cluster("orders/0 -> b1, orders/1 -> b2");
    story.ready();
    story.draw();
    story.send("orders/0", "<&>");
    story.lose_next_response("b1");
    story.fails_next("orders/1", 19);
    story.send("orders/1", "again");
    story.run_until_idle();
    story
}

#[test]
fn a_story_has_its_lanes_arrows_faults_and_outcomes() {
    let page = story().page();
    expect_well_formed(&page);
    let lanes = ["lane", "lane broker", "lane partition"].map(|kind| count(&page, "line", kind));
    assert_eq!(lanes, [1, 3, 2]);
    for name in ["app", "b1", "b2", "b3", "orders/0", "orders/1"] {
        assert!(page.contains(&format!(">{name}</text>")), "{name}");
    }
    // Both are sent, and each is sent again.
    assert_eq!(count(&page, "line", "request produce"), 4);
    assert_eq!(count(&page, "line", "answer produced"), 2);
    assert_eq!(count(&page, "line", "answer refusal"), 1);
    assert_eq!(count(&page, "line", "answer gone"), 1, "one is lost");
    assert_eq!(
        count(&page, "path", "lost"),
        1,
        "and the connection with it"
    );
    assert_eq!(count(&page, "path", "bolt"), 1, "a fault strikes b1");
    assert_eq!(count(&page, "rect", "fault-row"), 1);
    assert_eq!(count(&page, "rect", "append"), 3);
    assert_eq!(count(&page, "rect", "refusal"), 1);
    assert_eq!(count(&page, "text", "retry"), 2);
    // Each on the partition's lane and on the application's.
    assert_eq!(count(&page, "circle", "fate acked"), 4);
    assert_eq!(count(&page, "circle", "call"), 2);
    assert!(page.contains("Every promise was kept.") && !page.contains("id=\"broken\""));
}

/// What is applied when the producer has given its connection up stands out.
#[test]
fn a_request_that_is_applied_late_stands_out() {
    let mut story = Story::new(|config| config.request_timeout = ms(100));
    story.cluster("orders/0 -> b1");
    story.ready();
    story.draw();
    story.strike(&Fault::Delay(BrokerId(1), ms(300)));
    story.send("orders/0", "late");
    story.run_until_idle();
    let page = story.page();
    assert_eq!(count(&page, "line", "request late"), 1);
    assert_eq!(count(&page, "circle", "fate unknown"), 2);
    assert_eq!(count(&page, "rect", "append"), 1);
}

/// Where no answer is owed, none is missed.
#[test]
fn an_answer_that_nobody_expects_is_not_lost() {
    let mut story = Story::new(|config| config.acks = Acks::None);
    story.cluster("orders/0 -> b1");
    story.ready();
    story.draw();
    story.send("orders/0", "fire");
    story.run_until_idle();
    let page = story.page();
    assert_eq!(count(&page, "line", "request produce"), 1);
    assert_eq!(count(&page, "line", "answer gone"), 0);
    assert_eq!(count(&page, "rect", "append"), 1);
}

#[test]
fn names_and_values_are_texts() {
    let story = story();
    let page = story.page();
    assert!(
        page.contains("orders/0 &quot;&lt;&amp;&gt;&quot;"),
        "{page}"
    );
    let title = "<script>alert('1')</script>";
    let page = story.world().page(title, title, Some(title));
    expect_well_formed(&page);
    assert!(!page.contains("<script"), "{page}");
    assert_eq!(
        page.matches("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;")
            .count(),
        5
    );
}

/// Nothing is fetched, and nothing runs.
#[test]
fn a_page_stands_alone() {
    let page = story().page();
    for foreign in [
        "<script", "http:", "https:", "src=", "@import", "<link", "<img",
    ] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn a_seed_has_one_page() {
    for seed in 0..10 {
        let page = || {
            let witnessed = witness(
                &draw(Profile::Full, seed),
                Telling::Nothing,
                Payloads::Whole,
            );
            witnessed
                .ended
                .as_ref()
                .expect("the seed keeps every promise");
            witnessed.page("a seed", "its knobs")
        };
        let first = page();
        expect_well_formed(&first);
        assert!(first == page(), "S18: seed {seed}");
    }
}

/// What the text tells line by line, the page tells row by row.
#[test]
fn every_line_of_the_timeline_is_a_row() {
    let story = story();
    let page = story.page();
    let told = page
        .match_indices("<text class=\"what ")
        .filter(|(at, tag)| {
            let class = &page[at + tag.len()..];
            ["app\"", "core\"", "broker\"", "fault\""]
                .iter()
                .any(|actor| class.starts_with(actor))
        });
    // The actor and what it did; the first line of the text is its title.
    assert_eq!(told.count(), 2 * (story.timeline().lines().count() - 1));
}

/// Where a promise is broken, the page says which, and marks what the message names.
#[test]
fn a_violation_is_marked_with_what_it_names() {
    let story = story();
    let message = "X1: [RecordId(2)] of orders/0 is nowhere, says b2";
    let page = story.world().page("broken", "", Some(message));
    expect_well_formed(&page);
    assert_eq!(page.matches(message).count(), 2, "above and below");
    assert!(page.contains("<g id=\"broken\">") && page.contains("href=\"#broken\""));
    assert_eq!(count(&page, "rect", "guilty-lane"), 2, "orders/0 and b2");
    for name in ["orders/0", "b2"] {
        let mut names = page.split("<text class=\"name guilty\"").skip(1);
        assert!(
            names.any(|part| part.contains(&format!(">{name}</text>"))),
            "{name}"
        );
    }
    // When it was sent and when it ended; each is led to from above.
    assert_eq!(count(&page, "rect", "guilty-row"), 2);
    for anchors in ["href=\"#row-", "id=\"row-"] {
        assert_eq!(page.matches(anchors).count(), 2, "{anchors}");
    }
}

/// A run that fails leaves everything behind: its message, its log, its page.
#[test]
fn a_run_that_fails_has_a_page_and_a_log() {
    let stage = Stage::new(7);
    let steps = vec![
        Step::Send(OwnedRecord::to("t0/0", "first")),
        Step::Settle,
        Step::Inflict(Fault::move_leader("t0/0", BrokerId(9))),
        Step::Send(OwnedRecord::to("t0/0", "never")),
    ];
    let witnessed = witness(&Plan { stage, steps }, Telling::Silence, Payloads::Whole);
    let failure = witnessed.ended.as_ref().err();
    assert_eq!(failure.map(String::as_str), Some("b9 exists"));
    let page = witnessed.page("a failure", "");
    expect_well_formed(&page);
    assert!(
        page.contains(": b9 exists</p>") && page.contains("acked at offset 0"),
        "{page}"
    );
    assert!(!page.contains("never&quot;"), "it came no further");
    let replayed = Replay::new(witnessed.log.as_bytes()).and_then(Replay::run);
    let replayed = replayed.expect("it replays");
    assert!(replayed.bytes > 100, "{replayed}");
}
