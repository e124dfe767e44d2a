//! The story as a whole.

use e2e::chain::recount;
use e2e::story::{play_again, story};

/// A50, A60, A98. Fault: the report counts what was asked for instead of what was committed.
#[test]
fn the_story_ends_without_failure_and_every_figure_equals_an_independent_recount() {
    let story = story();
    assert!(
        story.success,
        "failed: {}\n{}",
        story.report["failed"], story.told
    );
    let recounted = recount(&story.blocks(0), &story.genesis()).expect("the chain verifies");
    for figure in [
        "records",
        "blocks",
        "transactions",
        "applications",
        "paid",
        "adjudicated",
        "views",
        "warnings",
        "tampering_detected",
    ] {
        assert_eq!(story.report[figure], recounted[figure], "{figure}");
    }
    assert_eq!(
        story.figure("receipts_verified"),
        story.figure("transactions")
    );
    assert!(
        story.figure("records") > 100 && story.figure("adjudicated") >= story.figure("records")
    );
    assert_eq!(
        recounted["money_inside"].as_i64().map(|money| money > 0),
        Some(true)
    );
}

/// A12. Fault: a statement that SQLite takes and PostgreSQL does not, or a process that knows one broker only.
#[test]
fn the_same_story_ends_without_failure_on_postgresql_with_three_brokers() {
    let Ok(server) = std::env::var("MEDSHARE_TEST_POSTGRES") else {
        e2e::story::skipped(
            "the_same_story_on_postgresql",
            "no PostgreSQL server (MEDSHARE_TEST_POSTGRES)",
        );
        return;
    };
    let server = server.strip_suffix("/postgres").unwrap_or(&server);
    let (report, told) = play_again(&["--nats-servers", "3", "--database", server]);
    assert_eq!(
        report["failed"].as_array().map(Vec::len),
        Some(0),
        "{}\n{told}",
        report["failed"]
    );
    for figure in [
        "records",
        "adjudicated",
        "paid",
        "applications",
        "tampering_detected",
    ] {
        assert_eq!(report[figure], story().report[figure], "{figure}");
    }
}
