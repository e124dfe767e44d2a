//! The whole built-in consortium as processes: it gets ready, certifies blocks, stops, and goes on where it stopped.

use std::path::PathBuf;
use std::time::Duration;

use medshare::consortium::{Consortium, HospitalDatabase};
use medshare::supervisor::{Options, State, System};
use medshare::{init, verify};

fn options() -> Options {
    let mut options = Options::new().unwrap();
    options.program = PathBuf::from(env!("CARGO_BIN_EXE_medshare"));
    options
}

/// Blocks on a replica's disk, verified from the genesis file.
fn blocks(system: &System, replica: &str) -> u64 {
    let data = system.layout().process(replica).join("data");
    verify::chain(&data, &system.layout().genesis(), true)
        .unwrap()
        .blocks
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_up_continues_the_chain_of_the_first_and_a_replica_that_was_killed_catches_up() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("system");
    init::init(&Consortium::built_in(), &folder).unwrap();
    let system = System::start(&folder, options()).await.unwrap();
    assert!(
        system
            .processes()
            .values()
            .all(|status| status.state == State::Ready)
    );
    // Idle, the cluster certifies an empty block every ten seconds.
    system.kill("replica-3").await.unwrap();
    until(|| blocks(&system, "replica-0") >= 2).await;
    system.shut_down().await;
    let before = blocks(&system, "replica-0");
    drop(system);

    let system = System::start(&folder, options()).await.unwrap();
    until(|| blocks(&system, "replica-0") > before && blocks(&system, "replica-3") > before).await;
    system.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hospital_that_is_added_while_the_system_runs_gets_its_own_process() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("system");
    init::init(&Consortium::built_in(), &folder).unwrap();
    let system = System::start(&folder, options()).await.unwrap();
    let pids: Vec<_> = system
        .processes()
        .values()
        .map(|status| status.pid)
        .collect();
    let added = init::add_hospital(
        system.layout(),
        "newfield",
        "Newfield Hospital",
        HospitalDatabase::sqlite("a"),
    )
    .unwrap();
    assert_eq!(
        system.take_up_new().await.unwrap(),
        std::slice::from_ref(&added.process)
    );
    let after = system.processes();
    assert_eq!(after[&added.process].state, State::Ready);
    assert!(
        after
            .values()
            .filter(|status| pids.contains(&status.pid))
            .count()
            == pids.len(),
        "nothing was restarted"
    );
    system.shut_down().await;
}
