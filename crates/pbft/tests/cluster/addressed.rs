//! Requests that clients send to the primary alone (§4.1).

use pbft::{Limits, Message, View};

use crate::network::{Cluster, MILLISECOND, SECOND, digest, fair, limits, proposes};

/// A cluster that has made its first, empty block.
fn at_work(limits: Limits) -> Cluster {
    let mut cluster = Cluster::new(limits, fair());
    cluster.run_for(100 * MILLISECOND);
    cluster
}

fn ordered_everywhere(cluster: &Cluster, number: u64) -> bool {
    (0..4).all(|node| cluster.ordered(node).contains(&digest(number)))
}

#[test]
fn what_the_primary_alone_was_sent_is_ordered_with_the_bodies_that_it_gives() {
    let mut cluster = at_work(limits());
    cluster.address(0, 1);
    cluster.run_for(100 * MILLISECOND);
    assert!(ordered_everywhere(&cluster, 1));
    assert!(cluster.relayed.is_empty());
    assert!(cluster.left.is_empty(), "{:?}", cluster.left);
}

#[test]
fn what_was_sent_to_a_backup_as_the_primary_is_passed_on_at_once() {
    let mut cluster = at_work(limits());
    cluster.address(2, 1);
    cluster.run_for(MILLISECOND);
    assert_eq!(cluster.passed_on, [digest(1)], "before any patience ends");
    cluster.run_for(100 * MILLISECOND);
    assert!(ordered_everywhere(&cluster, 1));
    assert_eq!(cluster.passed_on.len(), 1);
    assert!(cluster.relayed.is_empty(), "it does not go before others");
}

#[test]
fn what_waits_at_a_primary_that_has_had_its_turn_goes_on_to_the_next() {
    let one_at_a_time = Limits {
        pipeline_depth: 1,
        // Nothing is relayed because it was overtaken.
        forward_after_us: 60 * SECOND,
        ..limits()
    };
    let mut cluster = at_work(one_at_a_time);
    // The first request is proposed, and nobody agrees to it: the second waits behind it, at the primary alone.
    cluster.link =
        Box::new(|_, _, message| (!matches!(message.message, Message::Prepare(_))).then_some(300));
    cluster.submit(1);
    cluster.run_for(MILLISECOND);
    cluster.address(0, 2);
    cluster.run_for(MILLISECOND);
    cluster.link = Box::new(|_, _, message| {
        let is_of_first_view = match &message.message {
            Message::Prepare(vote) => vote.view == View(0),
            _ => false,
        };
        (!is_of_first_view).then_some(300)
    });
    cluster.run_for(3 * SECOND);
    assert!(
        cluster
            .replicas
            .iter()
            .all(|it| it.summary().view == View(1))
    );
    assert!(cluster.passed_on.contains(&digest(2)));
    assert!(ordered_everywhere(&cluster, 1) && ordered_everywhere(&cluster, 2));
    cluster.assert_no_fork();
}

#[test]
fn what_a_primary_proposed_and_did_not_see_through_is_ordered_by_the_next_without_its_client() {
    let mut cluster = at_work(limits());
    cluster.address(0, 1);
    // The primary is heard until it has proposed, then never again, and no backup agrees in its view.
    cluster.link = Box::new(|from, _, message| {
        let agrees = matches!(&message.message, Message::Prepare(vote) if vote.view == View(0));
        let is_heard = from != 0 || proposes(message);
        (is_heard && !agrees).then_some(300)
    });
    cluster.run_for(4 * SECOND);
    for node in 1..4 {
        assert!(cluster.ordered(node).contains(&digest(1)), "replica {node}");
    }
    assert!(cluster.timeouts() >= 2, "f + 1 backups wait for it");
    cluster.assert_no_fork();
}
