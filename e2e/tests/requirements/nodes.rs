//! A new organisation's node is voted in and an old one out, by the commands that operators type, while clients work.

use std::time::Instant;

use e2e::cast::Cast;
use e2e::invariants;
use e2e::linearizable::judge;
use e2e::load::Load;
use e2e::system::Setup;
use ledger::{Epoch, ReplicaId};
use serde_json::Value;

/// A16. Fault: a change of the replica set needs a restart, loses receipts, or lets a node in that nobody voted for.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_organisations_node_is_voted_in_and_an_old_one_out_on_a_running_system() {
    let mut system = Setup::new().start();
    let cast = Cast::gather(&system).await;
    let load = Load::start(&cast.treasurer, 4);
    load.goes_on(20).await;

    // The node is there, follows the ledger, and has no vote.
    let added = system.administer(
            &["add-node", "university", "--name", "University Clinic"],
    )
    .unwrap();
    assert_eq!(
        (&added["added"]["replica"], &added["started"]),
        (&Value::from(4), &Value::from(true))
    );
    let alone = system.administer(
            &[
            "replace-node",
            "--add",
            "4",
            "--retire",
            "3",
            "--as",
            "university",
        ],
    );
    assert!(alone.is_err(), "the newcomer votes for itself: {alone:?}");
    assert!(
        system.administer(
            &["replace-node", "--add", "9", "--as", "authority"]
        )
        .is_err()
    );

    // Its operator is a member once a quorum of operators has endorsed it: two are not enough, the third one is. That one
    // proposes, and the others vote, each as if on a machine of its own.
    let change = ["replace-node", "--add", "4", "--retire", "3", "--as"];
    let two = system.administer(
            &[&change[..], &["authority", "--as", "lakeside"]].concat(),
    );
    assert!(two.unwrap_err().contains("not a member yet"));
    let proposed = system.administer(&[&change[..], &["hillcrest"]].concat()).unwrap();
    assert_eq!(
        (&proposed["votes"], &proposed["adopted"]),
        (&Value::from(1), &Value::from(false))
    );
    let proposal = proposed["proposal"].as_str().unwrap();
    let vote = |slug: &str| {
        system.administer(
            &[&change[..], &[slug, "--proposal", proposal]].concat(),
        )
    };
    // The new operator counts among those of whom a quorum is needed: four of five.
    let mut adopted = proposed.clone();
    for slug in ["authority", "lakeside", "chamber"] {
        assert_eq!(
            (&adopted["adopted"], &adopted["needed"]),
            (&Value::from(false), &Value::from(4))
        );
        adopted = vote(slug).unwrap();
    }
    assert_eq!(
        (&adopted["adopted"], &adopted["epoch"]),
        (&Value::from(true), &Value::from(1))
    );
    let is_in_force = || {
        let blocks = e2e::chain::blocks(&system.blocks(4));
        blocks.last().map(|block| block.block.header.epoch) == Some(Epoch(1))
    };
    while !is_in_force() {
        tokio::time::sleep(e2e::system::LOOK_EVERY).await;
    }
    load.goes_on(40).await;
    let changed = Instant::now();

    // The retired one goes; the new one is needed for a quorum once another is away as well.
    system.admin(&["stop", "replica-3"]);
    system.admin(&["stop", "replica-0"]);
    load.goes_on(40).await;
    system.admin(&["start", "replica-0"]);
    let history = load.finish().await;
    let newest = history.newest();
    for replica in [0, 1, 2, 4] {
        let height = || {
            let blocks = e2e::chain::blocks(&system.blocks(replica));
            blocks.last().map_or(0, |block| block.block.header.height.0)
        };
        while height() < newest {
            tokio::time::sleep(e2e::system::LOOK_EVERY).await;
        }
    }
    drop(cast);
    system.stop();
    let chain = e2e::chain::blocks(&system.blocks(4));
    judge(&chain, &history).unwrap();
    let pause = history.longest_silence(changed).as_millis();
    println!("the longest time without a receipt, up to the change and through it: {pause} ms");
    let voters = |epoch: Epoch, replica: u16| {
        let mut of_epoch = chain.iter().filter(|it| it.block.header.epoch == epoch);
        of_epoch.any(|it| {
            it.certificate
                .votes
                .iter()
                .any(|(voter, _)| *voter == ReplicaId(replica))
        })
    };
    assert!(voters(Epoch(0), 3) && !voters(Epoch(0), 4));
    assert!(!voters(Epoch(1), 3) && voters(Epoch(1), 4));
    invariants::check(&system, &history.receipts());
}
