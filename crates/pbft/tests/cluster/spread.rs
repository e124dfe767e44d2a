//! How COMMITs travel.

use std::cell::RefCell;
use std::rc::Rc;

use pbft::{Limits, Message};

use crate::network::{Cluster, MILLISECOND, fair, limits};

/// COMMITs as they left: from, to, place.
type Left = Rc<RefCell<Vec<(usize, usize, u64)>>>;

/// A cluster of which the COMMITs that leave are noted.
fn cluster(limits: Limits) -> (Cluster, Left) {
    let left = Left::default();
    let noted = left.clone();
    let link = Box::new(move |from, to, message: &pbft::SignedMessage| {
        if let Message::Commit(vote) = &message.message {
            noted.borrow_mut().push((from, to, vote.sequence.0));
        }
        Some(300)
    });
    (Cluster::new(limits, link), left)
}

fn certified(cluster: &Cluster) -> Vec<u64> {
    let replicas = cluster.replicas.iter();
    replicas
        .map(|replica| replica.summary().certified.0)
        .collect()
}

/// A cluster that has made its first, empty block, and has said all about it.
fn at_work(limits: Limits) -> (Cluster, Left) {
    let (mut cluster, left) = cluster(limits);
    cluster.run_for(100 * MILLISECOND);
    assert_eq!(certified(&cluster), [1; 4]);
    left.borrow_mut().clear();
    (cluster, left)
}

/// COMMITs wait for long, but after silence.
fn patient() -> Limits {
    Limits {
        commit_spread_us: 40 * MILLISECOND,
        ..limits()
    }
}

#[test]
fn the_primary_hears_commits_at_once_and_the_others_with_what_is_said_next() {
    let (mut cluster, left) = at_work(patient());
    cluster.submit(1);
    cluster.run_for(10 * MILLISECOND);
    left.borrow_mut().clear();
    cluster.submit(2);
    cluster.run_for(10 * MILLISECOND);
    assert_eq!(certified(&cluster), [3, 2, 2, 2]);
    let mut to_primary = left.take();
    to_primary.sort_unstable();
    assert_eq!(to_primary, [(1, 0, 3), (2, 0, 3), (3, 0, 3)]);

    // The next proposal, and the PREPAREs for it, bring those of the block before.
    cluster.submit(3);
    cluster.run_for(10 * MILLISECOND);
    assert_eq!(certified(&cluster), [4, 3, 3, 3]);
    let of_the_second = left.borrow().iter().filter(|(_, _, at)| *at == 3).count();
    assert_eq!(of_the_second, 12);
}

#[test]
fn after_silence_the_others_hear_commits_soon() {
    let (mut cluster, left) = at_work(patient());
    cluster.submit(1);
    cluster.run_for(10 * MILLISECOND);
    assert_eq!(certified(&cluster), [2; 4]);
    // Three of backups to the primary by themselves, then four to three each.
    assert_eq!(left.borrow().len(), 15);
}

#[test]
fn commits_are_said_to_all_when_nothing_else_is() {
    let (mut cluster, left) = at_work(limits());
    cluster.submit(1);
    cluster.run_for(3 * MILLISECOND);
    left.borrow_mut().clear();
    cluster.submit(2);
    cluster.run_for(20 * MILLISECOND);
    assert_eq!(certified(&cluster), [3; 4]);
    // Three of backups to the primary by themselves, then four to three each.
    assert_eq!(left.borrow().len(), 15);
}

#[test]
fn who_shares_no_commits_with_the_others_keeps_no_certificate_from_them() {
    let (mut cluster, _) = at_work(limits());
    cluster.link = Box::new(|from, _, message| {
        let is_kept = from == 0 && matches!(message.message, Message::Commit(_));
        (!is_kept).then_some(300)
    });
    cluster.submit_steadily(1..5);
    cluster.run_for(20 * MILLISECOND);
    assert_eq!(certified(&cluster), [5; 4]);
}

#[test]
fn a_place_whose_primary_dies_before_it_answers_is_certified_without_it() {
    let (mut cluster, _) = at_work(limits());
    // It hears the others' COMMITs and says nothing more.
    cluster.link = Box::new(|from, _, message| {
        let is_said = from != 0 || matches!(message.message, Message::PrePrepare(_));
        is_said.then_some(300)
    });
    cluster.submit(1);
    cluster.run_for(50 * MILLISECOND);
    assert_eq!(certified(&cluster), [2; 4]);
    cluster.link = fair();
    cluster.submit(2);
    cluster.run_for(500 * MILLISECOND);
    assert_eq!(certified(&cluster), [3; 4]);
}
