//! An epoch ends at its last place for everybody, whatever the view does.

use ledger::ReplicaId;
use pbft::{Input, Sequence, View};

use crate::network::{Cluster, MILLISECOND, SECOND, fair, limits};

const LAST: Sequence = Sequence(12);

fn announce(cluster: &mut Cluster) {
    for node in 0..4 {
        cluster.tell(node, Input::EpochEnds(LAST));
    }
}

fn assert_ended_equally(cluster: &Cluster, nodes: &[usize]) {
    let bases: Vec<_> = nodes.iter().map(|node| cluster.ended.get(node)).collect();
    assert!(
        bases
            .iter()
            .all(|base| base.is_some_and(|base| base.sequence == LAST))
    );
    assert!(bases.windows(2).all(|pair| pair[0] == pair[1]), "{bases:?}");
    for replica in &cluster.replicas {
        assert!(replica.summary().executed <= LAST);
    }
    cluster.assert_no_fork();
}

/// A cluster whose epoch is over for all but replica 3, which heard nothing of it.
fn which_ended_without_replica_3() -> Cluster {
    let mut cluster = Cluster::new(limits(), fair());
    cluster.run_for(SECOND);
    cluster.link = Box::new(|_, to, _| (to != 3).then_some(300));
    announce(&mut cluster);
    cluster.run_for(SECOND);
    assert_ended_equally(&cluster, &[0, 1, 2]);
    assert!(!cluster.ended.contains_key(&3));
    cluster
}

#[test]
fn an_epoch_that_is_to_end_ends_soon_without_requests_and_never_goes_past_its_last_place() {
    let mut cluster = Cluster::new(limits(), fair());
    cluster.run_for(SECOND);
    announce(&mut cluster);
    cluster.run_for(SECOND);
    assert_ended_equally(&cluster, &[0, 1, 2, 3]);
}

#[test]
fn under_load_nothing_is_ordered_past_the_last_place() {
    let mut cluster = Cluster::new(limits(), fair());
    for number in 0..200 {
        if number == 2 {
            announce(&mut cluster);
        }
        cluster.submit(number);
        cluster.run_for(MILLISECOND);
    }
    cluster.run_for(SECOND);
    assert_ended_equally(&cluster, &[0, 1, 2, 3]);
}

#[test]
fn an_epoch_ends_through_a_view_change_as_well() {
    let mut cluster = Cluster::new(limits(), fair());
    cluster.run_for(SECOND);
    cluster.link = Box::new(|from, _, _| (from != 0).then_some(300));
    announce(&mut cluster);
    cluster.submit(1);
    cluster.run_for(5 * SECOND);
    assert_ended_equally(&cluster, &[1, 2, 3]);
    assert!(cluster.replicas[1].summary().view >= View(1));
}

#[test]
fn a_replica_that_missed_the_end_fetches_up_to_it_when_it_hears_how_far_the_others_are() {
    let mut cluster = which_ended_without_replica_3();
    // The others are in the next epoch now, and far ahead; what it fetches ends with its own epoch.
    for peer in [0, 1] {
        let claimed = Input::Claimed {
            peer: ReplicaId(peer),
            certified: Sequence(50),
        };
        cluster.tell(3, claimed);
    }
    cluster.run_for(5 * SECOND);
    assert_ended_equally(&cluster, &[0, 1, 2, 3]);
}

#[test]
fn a_replica_of_the_next_epoch_alone_suffices_to_fetch_the_end_of_this_one() {
    let mut cluster = which_ended_without_replica_3();
    // It was let in by the change, and has fetched the chain.
    let newcomer = cluster.copy_chain(0);
    let claimed = Input::Claimed {
        peer: ReplicaId(newcomer as u16),
        certified: LAST,
    };
    cluster.tell(3, claimed);
    cluster.run_for(SECOND);
    assert_ended_equally(&cluster, &[0, 1, 2, 3]);
}
