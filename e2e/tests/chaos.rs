//! Things break while a system works: nothing that was acknowledged is lost, nothing is done twice, and the cluster forks
//! never. After every fault the replicas' own files are checked against the invariants of [`e2e::invariants`], with every
//! receipt that a client was given.

#[path = "chaos/disks.rs"]
mod disks;
#[path = "chaos/imports.rs"]
mod imports;
#[path = "chaos/replicas.rs"]
mod replicas;
