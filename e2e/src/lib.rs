//! What the end-to-end tests share: the story, played once by `medshare demo` for all of them, and ways to look at what
//! it left behind.
//!
//! | module | what |
//! |---|---|
//! | [`story`] | plays the story once, and gives its report, what it told and its files |
//! | [`attacked`] | the system that attacks run against, with mutual TLS |
//! | [`chain`] | blocks and events of a replica's files; the independent verifier |
//! | [`canary`] | personal strings in every spelling, and the search for them in files |
//! | [`system`], [`cast`] | a whole system of its own, and who takes part in it |
//! | [`load`], [`linearizable`], [`invariants`] | clients at work while things break, a judge of their history, and what must hold after every fault |
//! | [`by_hand`], [`proxy`], [`power_cut`], [`postgres`] | ways to break it: a process run otherwise, the network, the disk, a database server |
//! | [`between`] | whoever reads what a broker delivers to a process, and decides what arrives |
//! | [`overheard`], [`wire`] | what replicas tell each other |
//! | [`capture`] | hears every subject of every account of the brokers, and every span |
//! | [`grpc`] | the gateway's gRPC interface |
//! | [`traces`] | a receiver of the spans of all processes |

pub mod attacked;
pub mod between;
pub mod by_hand;
pub mod canary;
pub mod capture;
pub mod cast;
pub mod chain;
pub mod grpc;
pub mod invariants;
pub mod linearizable;
pub mod load;
pub mod overheard;
pub mod postgres;
pub mod power_cut;
pub mod proxy;
pub mod story;
pub mod system;
pub mod traces;
pub mod wire;
