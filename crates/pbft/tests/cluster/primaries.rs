//! A primary that does not serve is replaced, and so is one that serves badly.

use pbft::{Limits, Suspicion, View};

use crate::network::{Cluster, MILLISECOND, SECOND, digest, fair, limits, proposes};

#[test]
fn the_first_block_comes_at_once_and_an_idle_cluster_is_quiet_after_it() {
    let mut cluster = Cluster::new(limits(), fair());
    cluster.run_for(SECOND);
    for replica in &cluster.replicas {
        assert_eq!(replica.summary().certified.0, 1);
    }
    cluster.run_for(5 * SECOND);
    assert_eq!(cluster.replicas[0].summary().certified.0, 1);
}

#[test]
fn behind_a_silent_primary_requests_are_ordered_within_three_seconds() {
    let mut cluster = Cluster::new(limits(), fair());
    cluster.run_for(SECOND);
    cluster.link = Box::new(|from, _, _| (from != 0).then_some(300));
    cluster.submit(1);
    cluster.run_for(3 * SECOND);
    for node in 1..4 {
        assert!(cluster.ordered(node).contains(&digest(1)));
        assert!(cluster.replicas[node].summary().view >= View(1));
    }
    cluster.assert_no_fork();
}

#[test]
fn a_request_that_the_primary_censors_is_ordered_by_the_next_within_three_seconds() {
    let mut cluster = Cluster::new(limits(), fair());
    // The primary never sees it, neither from the client nor from those who relay it; it serves all others.
    cluster.withheld = Some((0, digest(1)));
    cluster.submit(1);
    cluster.submit_steadily(100..400);
    for node in 1..4 {
        assert!(cluster.ordered(node).contains(&digest(1)), "replica {node}");
    }
    assert!(cluster.timeouts() >= 2, "f + 1 backups complain");
    cluster.assert_no_fork();
}

#[test]
fn a_request_that_never_reached_the_primary_is_relayed_when_others_overtake_it() {
    let mut cluster = Cluster::new(limits(), fair());
    cluster.submit_to(1..4, 1);
    cluster.submit_steadily(100..200);
    for node in 0..4 {
        assert!(cluster.ordered(node).contains(&digest(1)), "replica {node}");
    }
    assert_eq!(cluster.relayed, [digest(1); 3], "once by each backup");
    assert!(cluster.left.is_empty(), "{:?}", cluster.left);
}

/// How many requests of clients wait at each of its replicas at most.
const WAITING_MAX: usize = 1_000;

/// A cluster that orders ten requests at a time, one block after another.
fn with_a_queue() -> Cluster {
    let few_at_once = Limits {
        batch_digests_max: 10,
        pipeline_depth: 1,
        pool_requests_max: WAITING_MAX,
        ..limits()
    };
    let far = |_: usize, _: usize, _: &pbft::SignedMessage| Some(20 * MILLISECOND);
    let mut cluster = Cluster::new(few_at_once, Box::new(far));
    cluster.run_for(SECOND);
    cluster
}

#[test]
fn a_queue_that_the_primary_works_through_is_not_relayed_to_it_and_is_no_reason_to_leave_it() {
    let mut cluster = with_a_queue();
    let all: Vec<u64> = (1..=600).collect();
    for number in &all {
        cluster.submit(*number);
    }
    cluster.run_for(SECOND);
    let ordered = |cluster: &Cluster| cluster.ordered(3).len();
    assert!(ordered(&cluster) < all.len() / 2, "the queue is long");
    cluster.run_for(5 * SECOND);
    assert_eq!(ordered(&cluster), all.len());
    assert_eq!(cluster.relayed, [], "backups hold what the primary holds");
    assert_eq!(cluster.left, [], "each waited for longer than a timer");
}

#[test]
fn what_backups_hold_and_a_full_primary_refused_comes_first_when_they_relay_it() {
    let mut cluster = with_a_queue();
    cluster.submit_to(1..4, 1);
    let mut numbers = 100..;
    for _ in 0..300 {
        for number in numbers.by_ref().take(10) {
            cluster.submit_to(0..1, number);
        }
        cluster.run_for(10 * MILLISECOND);
    }
    let waiting = cluster.replicas[0].summary().requests;
    assert!(waiting > WAITING_MAX - 20, "{waiting}");
    assert!(cluster.ordered(1).contains(&digest(1)));
    assert_eq!(cluster.left, []);
}

#[test]
fn a_request_that_the_primary_censors_in_a_long_queue_is_ordered_by_the_next() {
    let mut cluster = with_a_queue();
    cluster.withheld = Some((0, digest(150)));
    for number in 1..=600 {
        cluster.submit(number);
    }
    cluster.run_for(10 * SECOND);
    for node in 1..4 {
        assert!(
            cluster.ordered(node).contains(&digest(150)),
            "replica {node}"
        );
        assert_eq!(cluster.replicas[node].summary().view, View(1));
    }
    assert!(cluster.timeouts() >= 2, "{:?}", cluster.left);
    cluster.assert_no_fork();
}

#[test]
fn a_primary_that_lets_requests_wait_is_demoted() {
    // Every proposal of replica 0 leaves 400 ms late: inside the timers, and far below what others do.
    let slow = |from: usize, _: usize, message: &pbft::SignedMessage| {
        Some(if from == 0 && proposes(message) {
            400 * MILLISECOND
        } else {
            300
        })
    };
    let mut cluster = Cluster::new(limits(), Box::new(slow));
    cluster.submit_steadily(0..500);
    let demoted = cluster
        .left
        .iter()
        .filter(|(_, reason)| *reason == Suspicion::TooSlow);
    assert!(demoted.count() >= 2, "{:?}", cluster.left);
    let view = cluster.replicas[1].summary().view;
    assert_eq!(
        view,
        View(1),
        "the next one does well and stays: {:?}",
        cluster.left
    );
    cluster.assert_no_fork();
}

#[test]
fn where_everybody_is_slow_nobody_is_demoted_without_end() {
    let slow = |_: usize, _: usize, message: &pbft::SignedMessage| {
        Some(if proposes(message) {
            400 * MILLISECOND
        } else {
            300
        })
    };
    let mut cluster = Cluster::new(limits(), Box::new(slow));
    for number in 0..1_200 {
        cluster.submit(number);
        cluster.run_for(10 * MILLISECOND);
    }
    let view = cluster.replicas[1].summary().view;
    assert!(view <= View(2), "{view}: {:?}", cluster.left);
}

#[test]
fn primaries_take_turns() {
    let limits = Limits {
        view_blocks_max: 8,
        ..limits()
    };
    let mut cluster = Cluster::new(limits, fair());
    for number in 0..100 {
        cluster.submit(number);
        cluster.run_for(20 * MILLISECOND);
    }
    cluster.run_for(SECOND);
    assert!(cluster.replicas[2].summary().view >= View(4));
    let by_turn =
        |(_, reason): &(usize, Suspicion)| matches!(reason, Suspicion::Turn | Suspicion::Others);
    assert!(cluster.left.iter().all(by_turn), "{:?}", cluster.left);
    assert_eq!(cluster.ordered(3).len(), 100);
    cluster.assert_no_fork();
}

#[test]
fn a_replica_that_gave_the_view_up_while_it_was_cut_off_votes_again_soon() {
    let limits = Limits {
        view_blocks_max: 1_024,
        ..limits()
    };
    let mut cluster = Cluster::new(limits, fair());
    cluster.run_for(SECOND);
    // The last one hears clients and no other replica, so it gives up on the primary.
    cluster.link = Box::new(|_, to, _| (to != 3).then_some(300));
    cluster.submit(1);
    cluster.run_for(3 * SECOND);
    assert!(cluster.replicas[3].summary().changing);
    assert_eq!(cluster.replicas[0].summary().view, View(0));
    cluster.link = fair();
    cluster.submit_steadily(2..200);
    for replica in &cluster.replicas {
        let summary = replica.summary();
        assert_eq!((summary.view, summary.changing), (View(1), false));
    }
    cluster.assert_no_fork();
}
