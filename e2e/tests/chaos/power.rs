//! The power fails.

use std::thread;

use e2e::invariants::REPLICAS;
use e2e::power_cut::{PowerCut, TakenBack};
use e2e::system::Setup;

use crate::row::{AT_WORK, Row, replica};

/// A16. Fault: a vote or a receipt relies on something that was written and not synced.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_synced_when_the_power_failed_was_relied_on_by_nobody() {
    let (setup, power) = PowerCut::prepare(Setup::new());
    let row = Row::start(setup, 1).await;
    let mut taken = TakenBack::default();
    let mut cut = |name: &str| {
        let one = power.take_back(name);
        taken.unsynced += one.unsynced;
        taken.undone += one.undone;
    };
    loop {
        // One replica's machine, the primary's first.
        let leader = row.primary().await;
        for number in [leader, (leader + 2) % REPLICAS] {
            row.system.kill(&replica(number));
            cut(&replica(number));
            row.system.start_process(&replica(number));
            row.goes_on_after("one replica's power cut").await;
        }
        // The whole building.
        for _ in 0..3 {
            for number in 0..REPLICAS {
                row.system.kill(&replica(number));
            }
            for number in 0..REPLICAS {
                cut(&replica(number));
            }
            thread::scope(|scope| {
                for number in 0..REPLICAS {
                    let system = &row.system;
                    scope.spawn(move || system.start_process(&replica(number)));
                }
            });
            row.goes_on_after("everybody's power cut").await;
            row.load.goes_on(AT_WORK).await;
        }
        if !row.has_more_to_do() {
            break;
        }
    }
    println!(
        "{} changes were not synced, {} were taken back",
        taken.unsynced, taken.undone
    );
    assert!(taken.undone > 0, "everything was synced: nothing was shown");
    row.settle().await;
}
