//! What this process does in the epoch in force: it votes, or it observes.

use std::time::Instant;

use bus::ordering_wire::Standing;
use ledger::{Epoch, EpochDescription, Height, LedgerId, ReplicaId, SigningKey};
use pbft::{Base, LogRecord, Moment, Replica, RestoreError, Sequence, StoredChain, Summary};

use crate::epochs::Epochs;
use crate::observer::Observer;

/// The seat.
pub enum Seat {
    /// A replica of the epoch.
    Votes(Box<Replica>),
    /// None of its replicas, or one that must not vote.
    Observes(Observer, Standing),
}

/// Where this process stands, for those who ask.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The epoch in force.
    pub epoch: Epoch,
    /// Whether it votes.
    pub standing: Standing,
    /// Where its replica stands, if it votes.
    pub summary: Option<Summary>,
}

/// What decides about the seat.
pub struct Identity {
    /// The replica's number.
    pub me: ReplicaId,
    /// Its voting keys: the present one, and one that an epoch to come may name.
    pub keys: Vec<SigningKey>,
    /// It must never vote again with these keys.
    pub quarantined: bool,
}

impl Identity {
    /// The key with which this process votes in an epoch.
    fn key_in(&self, description: &EpochDescription) -> Option<&SigningKey> {
        let described = description.replica(self.me)?;
        let key = self
            .keys
            .iter()
            .find(|key| key.public_key() == described.public_key);
        if key.is_none() {
            tracing::warn!(
                epoch = description.epoch.0,
                "the epoch names another voting key for this replica than those configured: it does not vote"
            );
        }
        key
    }

    /// Who speaks on the ledger for this replica, and with which key: its operator, for evidence alone.
    pub fn speaker(&self, description: &EpochDescription) -> Option<(LedgerId, &SigningKey)> {
        let key = self.key_in(description)?;
        Some((description.replica(self.me)?.operator, key))
    }

    /// Takes the seat in the epoch that stands on `base`: with this vote log, on this chain.
    ///
    /// # Errors
    /// The log contradicts itself or the chain.
    pub fn take_seat(
        &self,
        epochs: &Epochs,
        base: Base,
        log: Vec<LogRecord>,
        chain: StoredChain,
        now: Moment,
    ) -> Result<Seat, RestoreError> {
        let description = epochs.at(base.sequence.next().height());
        let certified = chain.certified.max(base.sequence).height();
        if self.quarantined {
            return Ok(observes(certified, Standing::Quarantined));
        }
        match self.key_in(&description) {
            None if epochs.named_before(description.epoch, self.me) => {
                Ok(observes(certified, Standing::Retired))
            }
            None => Ok(observes(certified, Standing::Observes)),
            Some(key) => {
                let configuration = epochs.configuration(self.me, base);
                let key = Box::new(key.clone());
                let replica = Replica::restore(configuration, key, log, chain, now)?;
                Ok(Seat::Votes(Box::new(replica)))
            }
        }
    }
}

fn observes(certified: Height, standing: Standing) -> Seat {
    Seat::Observes(Observer::after(certified, Instant::now()), standing)
}

impl Seat {
    /// Whether it votes, in a word.
    pub fn standing(&self) -> Standing {
        match self {
            Seat::Votes(replica) if replica.summary().recalling => Standing::Recalls,
            Seat::Votes(_) => Standing::Votes,
            Seat::Observes(_, standing) => *standing,
        }
    }

    /// The newest certified height here.
    pub fn certified(&self) -> Sequence {
        match self {
            Seat::Votes(replica) => replica.summary().certified,
            Seat::Observes(observer, _) => Sequence::from(observer.certified()),
        }
    }

    /// Where the replica stands, if it votes.
    pub fn summary(&self) -> Option<Summary> {
        match self {
            Seat::Votes(replica) => Some(replica.summary()),
            Seat::Observes(..) => None,
        }
    }
}
