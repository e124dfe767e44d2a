//! What was executed tentatively stays when the next view orders the same, and gives way when it orders something else.

use pbft::{Message, SignedMessage, View};

use crate::network::{Cluster, SECOND, digest, fair, limits};

fn is_vote(message: &SignedMessage) -> bool {
    matches!(&message.message, Message::Prepare(vote) | Message::Commit(vote) if vote.view == View(0))
}

/// Request 1 is executed by the replicas of `reached` alone: nobody else hears a vote of the first view, now or later. Then
/// those in `cut_off` are neither heard nor told anything.
fn executed_by(reached: &'static [usize], cut_off: &'static [usize]) -> Cluster {
    let mut cluster = Cluster::new(limits(), fair());
    cluster.run_for(SECOND);
    cluster.link = Box::new(move |_, to, message| {
        let is_heard = !is_vote(message) || reached.contains(&to);
        (is_heard && !matches!(message.message, Message::Commit(_))).then_some(300)
    });
    cluster.submit(1);
    cluster.run_for(SECOND / 4);
    for (node, replica) in cluster.replicas.iter().enumerate() {
        let executed = 1 + u64::from(reached.contains(&node));
        assert_eq!(replica.summary().executed.0, executed, "replica {node}");
        assert_eq!(replica.summary().certified.0, 1, "replica {node}");
    }
    cluster.link = Box::new(move |from, to, message| {
        let is_cut_off = cut_off.contains(&from) || cut_off.contains(&to);
        (!is_cut_off && !is_vote(message)).then_some(300)
    });
    cluster
}

fn assert_all_go_on(cluster: &mut Cluster, nodes: &[usize]) {
    cluster.submit(2);
    cluster.run_for(5 * SECOND);
    cluster.assert_no_fork();
    for node in nodes.iter().copied() {
        assert!(cluster.replicas[node].summary().view >= View(1));
        for number in [1, 2] {
            assert!(
                cluster.ordered(node).contains(&digest(number)),
                "request {number} at replica {node}"
            );
        }
    }
}

#[test]
fn what_only_one_executed_gives_way_to_what_the_others_order_without_it() {
    // Three of four know of no prepared certificate, and change the view without the one that has it.
    let mut cluster = executed_by(&[3], &[3]);
    cluster.submit(2);
    cluster.run_for(6 * SECOND);
    assert_eq!(cluster.taken_back, [0; 4]);
    cluster.link = fair();
    assert_all_go_on(&mut cluster, &[0, 1, 2, 3]);
    assert_eq!(cluster.taken_back, [0, 0, 0, 1]);
}

#[test]
fn what_one_executed_is_kept_when_the_next_view_hears_of_it() {
    // Without the primary, a quorum for the next view has to hear the one that prepared.
    let mut cluster = executed_by(&[3], &[0]);
    assert_all_go_on(&mut cluster, &[1, 2, 3]);
    assert_eq!(cluster.taken_back, [0; 4]);
}

#[test]
fn what_all_executed_and_nobody_heard_committed_is_certified_by_the_next_view() {
    let mut cluster = executed_by(&[0, 1, 2, 3], &[0]);
    assert_all_go_on(&mut cluster, &[1, 2, 3]);
    assert_eq!(cluster.taken_back, [0; 4]);
}
