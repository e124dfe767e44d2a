//! Named scenarios: one fault each, in a cluster of four.

use ledger::Timestamp;
use pbft::{Input, Sequence, View};
use simulator::plan::Behaviour;
use simulator::{Cluster, Plan};

const SECOND: u64 = 1_000_000;

fn plan(requests: u64) -> Plan {
    Plan {
        requests,
        faulty_us: 3_600 * SECOND,
        ..Plan::calm()
    }
}

fn finished(cluster: &Cluster) -> u64 {
    cluster.clients.iter().map(|client| client.finished).sum()
}

fn assert_all_answered(cluster: &Cluster, requests: u64) {
    assert_eq!(cluster.violation, None);
    let each = requests / cluster.clients.len() as u64;
    let mut clients = cluster.clients.iter();
    assert!(clients.all(|client| client.finished >= each));
}

fn heights(cluster: &Cluster) -> Vec<u64> {
    cluster
        .nodes
        .iter()
        .filter_map(|node| Some(node.replica.as_ref()?.summary().certified.0))
        .collect()
}

fn assert_same_height(cluster: &Cluster) {
    let heights = heights(cluster);
    assert!(
        heights.windows(2).all(|pair| pair[0] == pair[1]),
        "heights differ: {heights:?}"
    );
}

#[test]
fn in_the_normal_case_everything_is_answered_in_view_zero() {
    let mut cluster = Cluster::new(plan(20), 1);
    cluster.run_for(2 * SECOND);
    assert_all_answered(&cluster, 40);
    assert_same_height(&cluster);
    assert!(
        cluster
            .summaries()
            .all(|summary| summary.view == View(0) && !summary.changing)
    );
    assert!(
        !cluster.faults.contains_key("state_transfer"),
        "nobody had to catch up: {:?}",
        cluster.faults
    );
}

#[test]
fn a_single_replica_and_two_and_three_work_without_fault_tolerance() {
    for replicas in 1..=3 {
        let mut cluster = Cluster::new(
            Plan {
                replicas,
                ..plan(10)
            },
            2,
        );
        cluster.run_for(2 * SECOND);
        assert_all_answered(&cluster, 20);
    }
}

#[test]
fn a_dead_primary_is_replaced_and_nothing_is_lost() {
    let mut cluster = Cluster::new(plan(100), 3);
    cluster.run_for(SECOND / 2);
    assert!(cluster.kill_node(0));
    let before = finished(&cluster);
    cluster.run_for(3 * SECOND);
    assert!(
        finished(&cluster) > before,
        "commits again within three seconds"
    );
    assert!(cluster.summaries().all(|summary| summary.view >= View(1)));
    cluster.run_for(10 * SECOND);
    assert_all_answered(&cluster, 200);
}

#[test]
fn a_silent_primary_is_replaced() {
    let byzantine = vec![(0, Behaviour::SilentPrimary)];
    let mut cluster = Cluster::new(
        Plan {
            byzantine,
            ..plan(20)
        },
        4,
    );
    cluster.run_for(10 * SECOND);
    assert_all_answered(&cluster, 40);
    assert!(cluster.summaries().all(|summary| summary.view >= View(1)));
}

#[test]
fn an_equivocating_primary_forks_nothing_and_is_proven_guilty() {
    let mut proven = 0;
    for seed in 0..10 {
        let byzantine = vec![(0, Behaviour::Equivocating)];
        let mut cluster = Cluster::new(
            Plan {
                byzantine,
                loss_permille: 50,
                ..plan(20)
            },
            seed,
        );
        cluster.run_for(20 * SECOND);
        assert_all_answered(&cluster, 40);
        proven += cluster
            .faults
            .get("equivocation_proven")
            .copied()
            .unwrap_or(0);
    }
    assert!(
        proven > 0,
        "two correct replicas compared what they were told"
    );
}

#[test]
fn after_a_power_cut_of_all_replicas_the_logs_bring_everything_back() {
    let mut cluster = Cluster::new(plan(100), 5);
    for _ in 0..10 {
        cluster.run_for(SECOND / 10);
        for node in 0..4 {
            cluster.kill_node(node);
        }
        for node in 0..4 {
            cluster.start_node(node);
        }
    }
    cluster.run_for(20 * SECOND);
    assert_all_answered(&cluster, 200);
    assert_same_height(&cluster);
}

#[test]
fn a_replica_that_lost_its_log_stops_before_it_votes_again() {
    let mut cluster = Cluster::new(plan(5), 6);
    cluster.run_for(SECOND);
    cluster.kill_node(2);
    cluster.nodes[2].disk.log.clear();
    cluster.start_node(2);
    cluster.run_for(SECOND);
    let violation = cluster
        .violation
        .clone()
        .expect("the replica halts, which the simulator reports");
    assert!(
        violation.contains("replica 2 halted") && violation.contains("not in our log"),
        "{violation}"
    );
}

#[test]
fn a_replica_that_was_away_catches_up_by_certified_blocks() {
    let mut cluster = Cluster::new(plan(150), 7);
    cluster.run_for(SECOND / 5);
    cluster.kill_node(3);
    cluster.run_for(4 * SECOND);
    assert!(
        heights(&cluster)[0] > 100,
        "many windows passed: {:?}",
        heights(&cluster)
    );
    cluster.start_node(3);
    cluster.run_for(10 * SECOND);
    assert_all_answered(&cluster, 300);
    assert_same_height(&cluster);
    assert!(cluster.faults.contains_key("state_transfer"));
    assert!(
        cluster.summaries().all(|summary| summary.view == View(0)),
        "catching up deposes nobody"
    );
}

#[test]
fn a_replica_that_was_away_is_not_fooled_by_forged_blocks() {
    let byzantine = vec![(1, Behaviour::ForgingHistory)];
    let mut cluster = Cluster::new(
        Plan {
            byzantine,
            ..plan(100)
        },
        8,
    );
    cluster.run_for(SECOND / 5);
    cluster.kill_node(3);
    cluster.run_for(3 * SECOND);
    cluster.start_node(3);
    cluster.run_for(20 * SECOND);
    assert_all_answered(&cluster, 200);
    assert!(cluster.faults.contains_key("forged_blocks"));
    let certified: Vec<Sequence> = cluster
        .summaries()
        .map(|summary| summary.certified)
        .collect();
    assert!(
        certified.windows(2).all(|pair| pair[0] == pair[1]),
        "{certified:?}"
    );
}

#[test]
fn without_a_checkpoint_nothing_passes_the_high_water_mark() {
    // Two of four are cut off from each other and from the rest: no quorum, no checkpoint.
    let mut cluster = Cluster::new(plan(1_000), 9);
    cluster.run_for(SECOND / 2);
    let group = [2, 3].into_iter().collect();
    cluster.network.partition(&group, 4, false);
    cluster.run_for(5 * SECOND);
    assert_eq!(cluster.violation, None);
    let window = simulator::Plan::calm().limits.window;
    for summary in cluster.summaries() {
        assert!(
            summary.executed <= summary.stable.plus(window),
            "{summary:?}"
        );
        assert!(summary.slots as u64 <= 2 * window, "{summary:?}");
    }
    let stalled = finished(&cluster);
    cluster.network.mend();
    cluster.run_for(5 * SECOND);
    assert_eq!(cluster.violation, None);
    assert!(finished(&cluster) > stalled, "goes on after the partition");
}

#[test]
fn a_primary_whose_clock_is_an_hour_ahead_is_replaced() {
    let mut cluster = Cluster::new(plan(10), 10);
    cluster.nodes[0].clock_offset = 3_600 * SECOND as i64;
    cluster.run_for(10 * SECOND);
    assert_all_answered(&cluster, 20);
    assert!(cluster.summaries().all(|summary| summary.view >= View(1)));
    let wall_end = simulator::cluster::WALL_START_US + cluster.now + 2 * SECOND;
    assert!(
        cluster.nodes[1].machine.time.0 < wall_end,
        "block time follows the honest clocks"
    );
}

#[test]
fn an_idle_cluster_makes_an_empty_block_now_and_then_and_deposes_nobody() {
    let mut cluster = Cluster::new(plan(0), 11);
    cluster.run_for(10 * SECOND);
    let height = heights(&cluster)[0];
    assert!(
        (2..=4).contains(&height),
        "one block every three seconds: {height}"
    );
    assert!(cluster.summaries().all(|summary| summary.view == View(0)));
    assert_eq!(cluster.violation, None);
}

#[test]
fn a_due_deadline_brings_a_block_at_once() {
    let mut cluster = Cluster::new(plan(0), 12);
    cluster.run_for(SECOND / 2);
    let deadline = Timestamp(simulator::cluster::WALL_START_US + SECOND);
    for node in 0..4 {
        cluster.step(node, Input::DeadlineDue(deadline));
    }
    cluster.run_for(SECOND / 4);
    assert_eq!(heights(&cluster), [1; 4], "the deadline has not come");
    cluster.run_for(SECOND / 2);
    assert_eq!(heights(&cluster), [2; 4]);
    assert!(cluster.nodes[0].machine.time >= deadline);
}

#[test]
fn a_primary_that_ignores_a_deadline_is_replaced() {
    let byzantine = vec![(0, Behaviour::SilentPrimary)];
    let mut cluster = Cluster::new(
        Plan {
            byzantine,
            ..plan(0)
        },
        13,
    );
    cluster.run_for(SECOND / 2);
    let deadline = Timestamp(simulator::cluster::WALL_START_US + SECOND / 2);
    for node in 0..4 {
        cluster.step(node, Input::DeadlineDue(deadline));
    }
    cluster.run_for(2 * SECOND);
    assert_eq!(cluster.violation, None);
    assert!(
        cluster
            .summaries()
            .all(|summary| summary.view >= View(1) && summary.executed >= Sequence(1))
    );
}
