//! Who may be a node.

use std::process::{Child, Command, Stdio};

use e2e::chain::blocks;
use e2e::invariants::all_reach;
use e2e::story::program;
use e2e::system::{LOOK_EVERY, RunningSystem, Setup};

fn height(system: &RunningSystem, replica: usize) -> u64 {
    blocks(&system.blocks(replica))
        .last()
        .map_or(0, |block| block.block.header.height.0)
}

/// `medshare admin start`, which goes on waiting for a process that is not let in.
fn start(system: &RunningSystem, name: &str) -> Child {
    Command::new(program())
        .args(["admin", "start", name, "--dir"])
        .arg(system.root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("medshare runs")
}

/// A14. Fault: a broker takes a certificate of any authority, or none.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_takes_part_only_with_a_certificate_of_this_consortiums_authority() {
    let mutual = || Setup {
        init: vec!["--tls".to_owned(), "mutual".to_owned()],
        ..Setup::new()
    };
    let system = mutual().start();
    let elsewhere = mutual().make();
    let replica = "replica-3";
    let own = system.process(replica).join("keys/tls.pem");
    let kept = std::fs::read(&own).unwrap();
    let foreign = elsewhere
        .root
        .join("processes")
        .join(replica)
        .join("keys/tls.pem");

    system.kill(replica);
    std::fs::copy(foreign, &own).unwrap();
    let reached = height(&system, 3);
    let mut starting = start(&system, replica);
    // The others go on (an idle cluster makes a block every ten seconds); what they decide does not reach it.
    all_of(&system, 0..3, reached + 3).await;
    assert_ne!(system.status(replica)["state"], "ready");
    assert_eq!(height(&system, 3), reached);
    starting.kill().unwrap();
    starting.wait().unwrap();

    system.admin(&["stop", replica]);
    std::fs::write(&own, kept).unwrap();
    system.start_process(replica);
    all_reach(&system, reached + 3).await;
}

async fn all_of(system: &RunningSystem, replicas: std::ops::Range<usize>, wanted: u64) {
    for replica in replicas {
        while height(system, replica) < wanted {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
