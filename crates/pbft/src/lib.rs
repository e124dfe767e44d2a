//! A PBFT replica as a state machine: input in, effects out.
//!
//! Practical Byzantine Fault Tolerance after Castro and Liskov (OSDI 1999; TOCS 20(4), 2002; section
//! numbers in this crate are those of OSDI 1999 unless it says TOCS'02), with signatures instead of MAC
//! vectors, one file per phase. Pure: no clock, no network, no disk, no randomness, no threads. The same
//! inputs give the same effects, byte for byte.
//!
//! Reading order: [`message`], [`statement`], [`verify`], [`durable`], [`input`], [`effect`], then
//! `replica`, `slot` and the phases: `request`, `propose`, `pre_prepare`, `prepare`, `execute`,
//! `commit`, `spread`, `checkpoint`, `view_change`, `floor`, `new_view`, `retransmit`, `state_transfer`, `restore`, `recall`,
//! `epoch`.
//!
//! # The contract between core and driver
//!
//! ```text
//! let mut replica = Replica::restore(configuration, signer, log_records, stored_chain, moment)?;
//! loop {
//!     wait for an input, or until replica.next_wakeup() on the monotonic clock (then Input::Wakeup)
//!     for effect in replica.step(Moment { monotonic, wall }, input) { perform it }
//! }
//! ```
//!
//! **Messages.** Bytes from the wire go through [`Verifier::verify_bytes`] on any thread; what comes out
//! is given as [`Input::Message`]. What fails is dropped and charged to its source. Loss, duplication,
//! reordering and delay are all allowed; the core asks again for what it misses. The author of a message is
//! whoever signed it, not whoever delivered it: replicas relay pre-prepares and new views of others. [`Effect::Broadcast`]
//! and [`Effect::Send`] may be dropped when a queue is full.
//!
//! **Durability.** [`Effect::Persist`] hands out a [`Pending`] log entry. The driver appends
//! [`Pending::record_bytes`], makes sure that the bodies named by [`Pending::bodies`] are on disk too, syncs
//! once for as many entries as are at hand ([`Durable::after`]), and returns them in order by
//! [`Input::Persisted`]. Only then does the core give out the message for sending ([`Outgoing`]).
//! [`Effect::CompactLog`] replaces the log. At start the records are given back in order, and the first
//! step (a [`Input::Wakeup`] at once) returns what the restored replica has to say.
//!
//! **Bodies.** Clients send transactions to the primary, some to every replica, and to every replica what got no answer (§4.1).
//! The driver checks a body (canonical, chain, size, signature), keeps it under its wire digest and tells [`Input::Addressed`],
//! [`Input::Submitted`] or [`Input::Relayed`]; what was addressed to one that is not the primary gives [`Effect::PassOn`]. With a PRE-PREPARE that it broadcasts it sends the bodies that the batch names; those
//! that their receiver [`Replica::wants`] are checked there and told by [`Input::BodiesHeld`]. What stays away gives
//! [`Effect::FetchBodies`], answered by the same. The driver keeps bodies until [`Effect::ForgetBodies`] or [`Effect::Refused`] and
//! serves them to other replicas that fetch them. PREPARE is sent only when all bodies are held and durable.
//!
//! **Execution** is tentative (§5.1). [`Effect::Execute`] comes as soon as a batch is prepared, in order. The driver runs the
//! contracts and answers [`Input::Executed`]. The core then signs a COMMIT for the block (the same bytes as
//! [`ledger::BlockVote`]), asks for the block to be durable with it ([`Pending::block`]), collects the others', and gives
//! [`Effect::Certified`] with the certificate, in order: then receipts may be answered, and the block's writes are final.
//! Until then another view may order something else at the height: an `Execute` for a height that was executed and not
//! certified replaces that block and everything above it. Height equals
//! sequence; a null batch gives an empty block. A body that is in a stored block counts as held and
//! durable, and is served to others from there.
//!
//! **Catch-up.** When others are ahead and the missing votes no longer come, [`Effect::FetchBlocks`] names a
//! peer and a range. The driver fetches certified blocks, proves each by [`Verifier::certified`] (and its
//! roots by executing it), stores it with its certificate, and gives [`Input::BlocksInstalled`]. A block that
//! was executed here and not certified, and is another, gives way with everything above it; a certified one must be the same (different:
//! stop and report). Execution and installation belong to one executor, in the order of arrival.
//!
//! **Time.** [`Moment`] carries both clocks. Fresh proposals are within `clock_tolerance_us` of a
//! backup's wall clock at receipt and later than their predecessor's time; re-proposed batches keep their
//! time. A block's time is its batch's, or its predecessor's plus 1 µs where that is later (always so for
//! null batches), so block times are strictly increasing in every history.
//!
//! **Epochs.** A `Replica` lives in one epoch. When a block that changes the replica set is executed, the driver
//! gives [`Input::EpochEnds`] with the epoch's last height: nothing is proposed or voted for past it. Once that
//! block is certified, [`Effect::EpochEnded`] says so, and the driver builds the next epoch's `Replica` on it, with the
//! log as it is: a core drops a log of an earlier epoch by itself.
//!
//! **A lost log.** After a start nothing new is signed until all but f of the others have said what they remember
//! ([`message::Recalled`]). A vote among it that the log does not hold gives [`HaltReason::LostVotes`]: the log was
//! lost or is an old copy, and this replica must never vote again under its key.
//!
//! **Bounds.** The pool, the slots (at most twice the window), votes (one per replica and slot), view
//! changes (one per replica) are bounded by [`Limits`]. Everything a faulty replica can make the core
//! keep is counted per replica.

pub mod batch;
pub mod configuration;
pub mod durable;
pub mod effect;
pub mod input;
pub mod message;
pub mod number;
pub mod statement;
pub mod verify;

mod checkpoint;
mod commit;
mod epoch;
mod evidence;
mod execute;
mod floor;
mod lookup;
mod mutants;
mod new_view;
mod pre_prepare;
mod prepare;
mod propose;
mod quorum;
mod recall;
mod replica;
mod request;
mod restore;
mod retransmit;
mod slot;
mod spread;
mod state_transfer;
mod timer;
mod view_change;
mod vote;

pub use batch::Batch;
pub use configuration::{Base, Configuration, Limits, RestoreError};
pub use durable::{Durable, LogRecord, Outgoing, Pending};
pub use effect::{Effect, HaltReason, Order, Refusal, Suspicion, Waiter};
pub use input::{ExecutedBlock, Input, InstalledBlock, Request};
pub use ledger::Equivocation;
pub use message::{Message, SignedMessage};
#[cfg(feature = "mutants")]
pub use mutants::Mutant;
pub use number::{Moment, Sequence, View};
pub use replica::{Replica, Summary};
pub use restore::{StoredBlock, StoredChain};
pub use verify::{
    CertifiedHash, Claim, Ed25519, SignatureScheme, Signer, VerificationError, Verified, Verifier,
};
