//! What can happen, and the queue in which it waits for its time.

use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::rc::Rc;

use ledger::{Digest, ReplicaId};
use pbft::Sequence;

use crate::cluster::Packet;
use crate::fault::Fault;
use crate::machine::StoredBlock;

/// Why a request comes to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A client sent it to everybody.
    Submitted,
    /// A client takes this process for the primary.
    Addressed,
    /// Another replica relays it.
    Relayed,
}

/// What can happen.
#[derive(Debug)]
pub(crate) enum Event {
    Packet {
        to: usize,
        message: Packet,
        /// Bodies that travel with a proposal.
        bodies: Rc<[Digest]>,
    },
    Wakeup {
        node: usize,
        incarnation: u64,
    },
    Synced {
        node: usize,
        incarnation: u64,
    },
    TaskDone {
        node: usize,
        incarnation: u64,
    },
    ClientActs {
        client: usize,
        attempt: u64,
    },
    Submission {
        node: usize,
        digest: Digest,
        client: usize,
        reason: Reason,
    },
    Answer {
        client: usize,
        digest: Digest,
        sequence: Sequence,
    },
    /// Somebody wants a change of the replica set.
    ChangeActs {
        number: usize,
        attempt: u64,
    },
    /// A replica that was taken out is to be stopped for good.
    Stop {
        node: usize,
    },
    /// One that is late asks one that is ahead how far that one is.
    HeightRequest {
        to: usize,
        from: usize,
    },
    Claimed {
        to: usize,
        peer: ReplicaId,
        certified: Sequence,
    },
    BodyRequest {
        to: usize,
        from: usize,
        digests: Vec<Digest>,
    },
    Bodies {
        to: usize,
        digests: Vec<Digest>,
    },
    BlockRequest {
        to: usize,
        from: usize,
        first: Sequence,
        last: Sequence,
    },
    Blocks {
        to: usize,
        from: ReplicaId,
        blocks: Vec<StoredBlock>,
    },
    Restart {
        node: usize,
    },
    Fault(Fault),
    Heal,
    CheckConverged,
}

impl Event {
    /// Appends one line that says when and what.
    pub(crate) fn write_line(&self, at: u64, log: &mut String) {
        let written = match self {
            Event::Packet { to, message, .. } => {
                let signed = message.get();
                let statement = pbft::statement::Statement::of(&signed.message);
                writeln!(
                    log,
                    "{at} to {to}: epoch {}, {} of {} in view {} at {}: {}",
                    signed.epoch,
                    signed.message.kind(),
                    signed.sender,
                    statement.view,
                    statement.sequence,
                    statement.digest,
                )
            }
            Event::Blocks { to, from, blocks } => {
                writeln!(log, "{at} to {to}: {} blocks of {from}", blocks.len())
            }
            other => writeln!(log, "{at} {other:?}"),
        };
        written.expect("writing to a string does not fail");
    }
}

/// An event with its time and its place among those of the same time.
pub(crate) struct Scheduled {
    pub(crate) at: u64,
    ordinal: u64,
    pub(crate) event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.ordinal) == (other.at, other.ordinal)
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.ordinal).cmp(&(self.at, self.ordinal))
    }
}

/// Events in the order of their time; of the same time, in the order in which they were put in.
#[derive(Default)]
pub(crate) struct Queue {
    events: BinaryHeap<Scheduled>,
    ordinal: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: u64, event: Event) {
        self.ordinal += 1;
        self.events.push(Scheduled {
            at,
            ordinal: self.ordinal,
            event,
        });
    }

    pub(crate) fn pop(&mut self) -> Option<Scheduled> {
        self.events.pop()
    }

    pub(crate) fn next_at(&self) -> Option<u64> {
        self.events.peek().map(|next| next.at)
    }
}
