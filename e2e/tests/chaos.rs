//! Things break while a system works: nothing that was acknowledged is lost, nothing is done twice, and the cluster forks
//! never. After every fault the replicas' own files are checked against the invariants of [`e2e::invariants`], with every
//! receipt that a client was given.

//!
//! Each row of the fault table injects its faults at least once. With `MEDSHARE_CHAOS_OPERATIONS=10000` they come again
//! until clients have done so many operations under them; every history is judged by [`e2e::linearizable`].

#[path = "chaos/databases.rs"]
mod databases;
#[path = "chaos/disks.rs"]
mod disks;
#[path = "chaos/imports.rs"]
mod imports;
#[path = "chaos/lost.rs"]
mod lost;
#[path = "chaos/network.rs"]
mod network;
#[path = "chaos/power.rs"]
mod power;
#[path = "chaos/replicas.rs"]
mod replicas;
#[path = "chaos/row.rs"]
mod row;
