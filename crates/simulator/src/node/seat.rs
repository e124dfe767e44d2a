//! What a process does in the epoch in force: it votes, or it observes.

use ledger::{Epoch, EpochDescription, ReplicaId};
use pbft::{
    Base, Configuration, LogRecord, Replica, RestoreError, Sequence, StoredChain, Verifier,
};

use super::{Node, StartError};
use crate::membership::{Announced, epoch_at, key_numbers, last_height};
use crate::observer::Observer;
use crate::signing::{scheme, signer};

impl Node {
    /// The epochs that certified blocks have announced: one in a block that may give way is none yet.
    fn epochs(&self) -> &[Announced] {
        let all = self.machine.epochs();
        let is_certified =
            |announced: &Announced| announced.at.0 == 0 || self.is_certified(announced.at);
        let certified = all.iter().take_while(|it| is_certified(it)).count();
        &all[..certified]
    }

    /// The last height of the epoch in force, once a certified block has announced the next.
    pub fn last_height(&self) -> Option<Sequence> {
        last_height(self.epochs(), self.epoch())
    }

    /// The epoch in force here.
    pub fn epoch(&self) -> Epoch {
        self.configuration.epoch.epoch
    }

    /// Who orders and certifies in the epoch in force here.
    pub fn members(&self) -> Vec<ReplicaId> {
        let replicas = self.configuration.epoch.replicas.iter();
        replicas.map(|described| described.replica).collect()
    }

    /// Whether it had a vote in an earlier epoch, and has none in the one in force here.
    pub fn is_retired(&self) -> bool {
        let earlier = self.epochs().iter().map(|it| &it.description);
        let mut earlier = earlier.filter(|it| it.epoch < self.epoch());
        self.observer.is_some() && earlier.any(|it| it.replica(self.replica_id).is_some())
    }

    /// Whether the process runs.
    pub fn is_up(&self) -> bool {
        self.replica.is_some() || self.observer.is_some()
    }

    /// The height up to which all blocks are certified, in memory.
    pub fn certified(&self) -> Sequence {
        let uncertified = self
            .chain
            .iter()
            .rev()
            .take_while(|(stored, _)| stored.certificate.is_none());
        let above = uncertified.count();
        match &self.replica {
            Some(replica) => replica.summary().certified,
            None => Sequence((self.chain.len() - above) as u64),
        }
    }

    /// The block before an epoch's first.
    fn base_of(&self, epoch: &EpochDescription) -> Base {
        let before = Sequence(epoch.first_height.0 - 1);
        self.block(before).map_or(self.genesis, |stored| Base {
            sequence: before,
            block: stored.hash,
            time: stored.block.time,
        })
    }

    /// Takes the seat in the epoch in force after a start.
    pub(super) fn take_first_seat(
        &mut self,
        now: u64,
        log: Vec<LogRecord>,
    ) -> Result<(), StartError> {
        let next = Sequence(self.disk.certified() + 1);
        let epoch = std::rc::Rc::clone(epoch_at(self.epochs(), next));
        let base = self.base_of(&epoch);
        self.begin_epoch(&epoch, base);
        let chain = self.stored_chain();
        self.take_seat(log, chain, now).map_err(StartError::Refused)
    }

    /// The epoch in force is over, and `base` was its last block: the next begins, with an empty log, in the same process.
    /// Says whether there is a next.
    ///
    /// # Errors
    /// The core refuses what it is given.
    pub fn enter_epoch(&mut self, base: Base, now: u64) -> Result<bool, RestoreError> {
        let next = std::rc::Rc::clone(epoch_at(self.epochs(), base.sequence.next()));
        if next.epoch <= self.epoch() {
            return Ok(false);
        }
        self.begin_epoch(&next, base);
        let chain = StoredChain {
            certified: base.sequence,
            held: self.bodies.iter().copied().collect(),
            ..StoredChain::default()
        };
        self.take_seat(Vec::new(), chain, now)?;
        Ok(true)
    }

    fn begin_epoch(&mut self, epoch: &EpochDescription, base: Base) {
        self.configuration = Configuration {
            epoch: epoch.clone(),
            base,
            ..self.configuration.clone()
        };
        self.verifier = Verifier::new(&self.configuration, scheme(self.real_signatures));
    }

    /// Votes with the key that the epoch names, or observes.
    fn take_seat(
        &mut self,
        log: Vec<LogRecord>,
        chain: StoredChain,
        now: u64,
    ) -> Result<(), RestoreError> {
        (self.replica, self.observer) = (None, None);
        let described = self.configuration.epoch.replica(self.replica_id);
        let named = described.map(|described| described.public_key);
        let keys = key_numbers(self.replica_id).map(|number| signer(self.real_signatures, number));
        let key = keys.into_iter().find(|key| Some(key.public_key()) == named);
        match key {
            None => self.observer = Some(Observer::new(now)),
            Some(key) => {
                let configuration = self.configuration.clone();
                let moment = self.moment(now);
                let replica = Replica::restore(configuration, key, log, chain, moment)?;
                self.replica = Some(replica);
            }
        }
        Ok(())
    }
}
