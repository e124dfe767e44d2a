//! Changes of the replica set, one at a time in a cluster that is otherwise calm, and what may go wrong in the middle of one.

use ledger::{Epoch, ReplicaId};
use pbft::Sequence;
use simulator::membership::{Change, Membership, Newcomer, PlannedChange};
use simulator::plan::{Behaviour, DiskDamage, limits};
use simulator::{Cluster, Outcome, Plan};

const SECOND: u64 = 1_000_000;
/// When the change is asked for.
const CHANGE_US: u64 = SECOND / 2;

/// Clients ask all the while, and the change is asked for after half a second.
fn plan(replicas: usize, change: Change) -> Plan {
    let newcomer = change.adds().map(|_| Newcomer {
        replica: replicas,
        starts_us: 0,
    });
    Plan {
        replicas,
        requests: 100,
        limits: limits(4, 8, 4, 8),
        membership: Membership {
            changes: vec![PlannedChange {
                change,
                at_us: CHANGE_US,
            }],
            newcomers: newcomer.into_iter().collect(),
            ..Membership::default()
        },
        ..Plan::calm()
    }
}

fn run(plan: Plan, seed: u64) -> (Cluster, Outcome) {
    let mut cluster = Cluster::new(plan, seed);
    let outcome = cluster.run(seed);
    assert_eq!(outcome.violation, None, "seed {seed}");
    (cluster, outcome)
}

/// Which processes vote in the second epoch at the end, which all correct ones have reached.
fn voters(cluster: &Cluster) -> Vec<usize> {
    let is_there = |node: &&simulator::node::Node| node.epoch() == Epoch(2);
    let mut correct = cluster.nodes.iter().filter(|node| node.is_correct());
    assert!(correct.all(|node| is_there(&node)));
    let voting = cluster.nodes.iter().filter(|node| node.replica.is_some());
    let voting = voting.filter(is_there);
    voting.map(|node| node.index).collect()
}

#[test]
fn a_replica_that_is_added_fetches_the_chain_and_votes() {
    let (cluster, outcome) = run(plan(4, Change::Add(ReplicaId(4))), 1);
    assert_eq!(voters(&cluster), [0, 1, 2, 3, 4]);
    assert!(cluster.nodes[4].disk.log.len() > cluster.nodes[4].disk.blocks.len());
    assert_eq!(outcome.faults["membership_added"], 1);
}

#[test]
fn a_replica_that_is_removed_follows_the_chain_and_votes_no_more() {
    let (cluster, outcome) = run(plan(5, Change::Remove(ReplicaId(0))), 2);
    assert_eq!(voters(&cluster), [1, 2, 3, 4]);
    assert_eq!(outcome.faults["membership_removed"], 1);
}

#[test]
fn a_replica_whose_key_is_rotated_votes_with_the_new_key() {
    let (cluster, outcome) = run(plan(4, Change::Rotate(ReplicaId(1))), 3);
    assert_eq!(voters(&cluster), [0, 1, 2, 3]);
    let described = &cluster.nodes[0].configuration().epoch.replicas;
    let first = &cluster.nodes[0].machine.epochs()[0].description.replicas;
    assert_ne!(described[1].public_key, first[1].public_key);
    assert_eq!(described[2], first[2]);
    assert_eq!(outcome.faults["membership_rotated"], 1);
}

#[test]
fn a_replica_whose_log_was_lost_is_replaced_by_a_new_one_and_another_may_fail_then() {
    let (retire, add) = (ReplicaId(2), ReplicaId(4));
    let change = Change::Replace { retire, add };
    let mut plan = plan(4, change);
    plan.damage = vec![(2, DiskDamage::LogLost, SECOND / 4)];
    // Under the first set it would be one too many; it starts after the change is in force.
    plan.byzantine = vec![(4, Behaviour::Equivocating)];
    let (cluster, outcome) = run(plan, 4);
    let voters = voters(&cluster);
    assert!(voters.contains(&4) && !voters.contains(&2), "{voters:?}");
    assert_eq!(outcome.faults["log_lost"], 1);
}

#[test]
fn a_replica_that_was_cut_off_during_the_change_learns_of_it_by_the_blocks_that_it_fetches() {
    let mut cluster = Cluster::new(plan(4, Change::Rotate(ReplicaId(0))), 5);
    cluster.run_for(CHANGE_US / 2);
    cluster
        .network
        .partition(&[3].into_iter().collect(), 4, false);
    cluster.run_for(SECOND);
    let epochs: Vec<Epoch> = cluster.nodes.iter().map(|node| node.epoch()).collect();
    assert_eq!(epochs, [Epoch(2), Epoch(2), Epoch(2), Epoch(1)]);
    assert!(cluster.run(5).violation.is_none());
    assert_eq!(voters(&cluster), [0, 1, 2, 3]);
    assert!(cluster.faults.contains_key("change_fetched"));
}

#[test]
fn a_replica_is_killed_after_any_effect_of_the_change_and_comes_back_into_the_right_epoch() {
    let mut lived_again = 0;
    for effects in 0..120 {
        let mut cluster = Cluster::new(plan(4, Change::Rotate(ReplicaId(1))), 6);
        while cluster.nodes[2].last_height().is_none() {
            assert!(cluster.now < SECOND, "the change is certified soon");
            cluster.run_for(100);
        }
        cluster.nodes[2].killed_after_effects = Some(effects);
        let outcome = cluster.run(6);
        assert_eq!(outcome.violation, None, "killed after {effects} effects");
        assert_eq!(voters(&cluster), [0, 1, 2, 3]);
        assert!(outcome.faults.contains_key("crash_at_effect"));
        lived_again += outcome
            .faults
            .get("epoch_lived_again")
            .copied()
            .unwrap_or(0);
    }
    assert!(lived_again > 0, "some kill came before the end was durable");
}

#[test]
fn all_replicas_lose_power_at_any_time_of_the_change() {
    for step in 0..40 {
        let mut cluster = Cluster::new(plan(4, Change::Rotate(ReplicaId(1))), 7);
        cluster.run_for(CHANGE_US + step * 1_000);
        for node in 0..4 {
            cluster.kill_node(node);
            cluster.start_node(node);
        }
        let outcome = cluster.run(7);
        assert_eq!(outcome.violation, None, "after {step} ms");
        assert_eq!(voters(&cluster), [0, 1, 2, 3]);
    }
}

#[test]
fn the_epoch_ends_at_the_first_checkpoint_that_is_a_window_away() {
    let (cluster, _) = run(plan(4, Change::Rotate(ReplicaId(3))), 8);
    let announced = &cluster.nodes[0].machine.epochs()[1];
    let last = Sequence(announced.description.first_height.0 - 1);
    assert!(last.0.is_multiple_of(4) && (8..12).contains(&(last.0 - announced.at.0)));
    let of_epoch = |sequence| cluster.nodes[0].block(sequence).map(|it| it.block.epoch);
    assert_eq!(of_epoch(last), Some(Epoch(1)));
    assert_eq!(of_epoch(last.next()), Some(Epoch(2)));
}

#[test]
fn two_changes_follow_each_other_and_one_that_comes_too_early_is_asked_for_again() {
    let mut plan = plan(4, Change::Add(ReplicaId(4)));
    plan.membership.changes.push(PlannedChange {
        change: Change::Remove(ReplicaId(0)),
        at_us: CHANGE_US,
    });
    let (cluster, outcome) = run(plan, 9);
    assert!(cluster.nodes.iter().all(|node| node.epoch() == Epoch(3)));
    assert!(cluster.nodes[0].observer.is_some());
    assert!(outcome.faults["membership_refused"] >= 1);
    assert_eq!(outcome.faults["membership_change"], 2);
}

#[test]
fn who_alone_holds_the_certificate_that_ends_an_epoch_and_is_taken_out_by_it_serves_it_to_the_others()
 {
    let mut alone = 0;
    for step in 0..150 {
        let mut plan = plan(5, Change::Remove(ReplicaId(0)));
        plan.byzantine = vec![(4, Behaviour::Silent)];
        let mut cluster = Cluster::new(plan, 10);
        cluster.run_for(CHANGE_US + step * 200);
        // Nothing comes from replica 0 any more, and everything to it.
        let group = [0].into_iter().collect();
        cluster.network.partition(&group, 5, true);
        cluster.run_for(SECOND / 10);
        let epochs: Vec<Epoch> = cluster.nodes.iter().map(|node| node.epoch()).collect();
        if epochs[..4] == [Epoch(2), Epoch(1), Epoch(1), Epoch(1)] {
            alone += 1;
        }
        cluster.network.mend();
        let outcome = cluster.run(10);
        assert_eq!(outcome.violation, None, "cut off after {step} steps");
    }
    assert!(
        alone > 0,
        "in none of the runs replica 0 alone ended the epoch"
    );
}
