//! From one epoch to the next, while the process runs: part of the core's thread.

use std::time::Instant;

use bus::ordering_wire::{Submission, Submitted};
use ledger::{Digest, Equivocation, ReplicaId};
use pbft::{Base, Input, Sequence, StoredChain};

use crate::accusations;
use crate::core::{Core, moment};
use crate::run_blocks::Task;
use crate::seat::Seat;

impl Core {
    /// The first thing that happens: what the restored replica has to say, and whether its epoch is to end.
    pub(crate) fn begin(&mut self) {
        if let Some(last) = self.epochs.last_height(self.epoch.epoch) {
            self.step(Input::EpochEnds(Sequence::from(last)));
        }
        self.step(Input::Wakeup);
    }

    /// Asks for the next blocks, as an observer.
    pub(crate) fn observe(&mut self) {
        let replicas: Vec<ReplicaId> = self
            .epoch
            .replicas
            .iter()
            .map(|described| described.replica)
            .filter(|replica| *replica != self.identity.me)
            .collect();
        let (epoch, last) = (self.epoch.epoch, self.epochs.last_height(self.epoch.epoch));
        let Seat::Observes(observer, _) = &mut self.seat else {
            return;
        };
        if let Some(order) = observer.order(Instant::now(), epoch, last, &replicas) {
            self.order_blocks(order);
        }
    }

    /// What becomes of an input while this process does not vote.
    pub(crate) fn step_observing(&mut self, input: Input) {
        let Seat::Observes(observer, _) = &mut self.seat else {
            return;
        };
        let now = Instant::now();
        match input {
            Input::BlocksInstalled(blocks) => {
                let last = blocks.last().map(|block| block.get().clone());
                if let Some(last) = last {
                    observer.installed(last.proof.sequence().height(), now);
                    self.check_end_of_observed(Base {
                        sequence: last.proof.sequence(),
                        block: last.proof.block(),
                        time: last.time,
                    });
                }
            }
            Input::FetchFailed { peer } => observer.failed(peer, now),
            // An observer keeps nothing for anybody: what clients want ordered is with those who vote.
            Input::Submitted(requests)
            | Input::Addressed(requests)
            | Input::Relayed(requests)
            | Input::BodiesHeld(requests) => {
                let digests: Vec<Digest> = requests.iter().map(|request| request.digest).collect();
                self.bodies.forget(&digests);
            }
            _ => {}
        }
        self.observe();
    }

    /// While the epoch in force is to end and nothing is certified, all of its replicas are asked how far they are: one may
    /// have what the others lack, and say nothing by itself because it was taken out. (An observer fetches of each in turn
    /// as it is.)
    ///
    /// One other correct replica that voted for the last block suffices. It knows the end: at most `UNAPPLIED_MAX` blocks are
    /// executed past the newest certified one, fewer than lie between the change and the end.
    pub(crate) fn look_at_end(&mut self, certified: Sequence, now: Instant) {
        let is_to_end = self.epochs.last_height(self.epoch.epoch).is_some();
        if !is_to_end || matches!(self.seat, Seat::Observes(..)) {
            return;
        }
        let me = self.identity.me;
        let replicas = self
            .epoch
            .replicas
            .iter()
            .map(|described| described.replica);
        let others = replicas.filter(|replica| *replica != me);
        self.inbound.how_far().look_at_end(others, certified, now);
    }

    /// An observer has everything up to this block; it may be the last of its epoch.
    pub(crate) fn check_end_of_observed(&mut self, base: Base) {
        if self.epochs.last_height(self.epoch.epoch) == Some(base.sequence.height()) {
            self.enter_epoch(base);
        }
    }

    /// The epoch in force is over, and `base` was its last block: the next begins. The vote log of the old one is
    /// dropped by the new core's first effects; what waits to be ordered waits on.
    pub(crate) fn enter_epoch(&mut self, base: Base) {
        let next = self.epochs.at(base.sequence.next().height());
        if next.epoch <= self.epoch.epoch {
            return;
        }
        let chain = StoredChain {
            certified: base.sequence,
            held: self.bodies.wires(),
            ..StoredChain::default()
        };
        let now = moment(self.started);
        let seat = match self
            .identity
            .take_seat(&self.epochs, base, Vec::new(), chain, now)
        {
            Ok(seat) => seat,
            Err(error) => return self.fail(format!("the next epoch cannot begin: {error}")),
        };
        // What was said belongs to the epoch that is over.
        self.speak();
        let was_primary = self
            .seat
            .summary()
            .is_some_and(|summary| summary.primary == self.identity.me);
        self.seat = seat;
        self.epoch = next;
        self.accusations.begin_epoch();
        let members = self
            .epoch
            .replicas
            .iter()
            .map(|described| described.replica);
        self.peers.set(members.clone());
        let me = self.identity.me;
        let others = members.filter(|replica| *replica != me);
        let watch = self.inbound.watch();
        watch.begin(others, base.sequence, Instant::now());
        self.inbound.begin_epoch(self.epochs.verifier(base));
        tracing::info!(
            epoch = self.epoch.epoch.0,
            first_height = self.epoch.first_height.0,
            standing = ?self.seat.standing(),
            "an epoch begins"
        );
        self.begin();
        self.submit_again(was_primary);
    }

    /// What waited in the old epoch waits in the new one. What its primary had, others may not have.
    fn submit_again(&mut self, was_primary: bool) {
        if let Seat::Observes(..) = self.seat {
            return;
        }
        let ordered = self.recent.wires();
        let mut waiting = self.bodies.all();
        waiting.retain(|body| !ordered.contains(&body.wire()));
        waiting.sort_by_key(|body| body.received);
        let requests = waiting.iter().map(|body| body.request()).collect();
        self.step(if was_primary {
            Input::Addressed(requests)
        } else {
            Input::Submitted(requests)
        });
    }

    /// This replica's place among those that may report the accused one.
    pub(crate) fn turn_after(&self, accused: ReplicaId) -> u32 {
        let others = self
            .epoch
            .replicas
            .iter()
            .map(|described| described.replica);
        let mut others = others.filter(|replica| *replica != accused);
        others
            .position(|replica| replica == self.identity.me)
            .and_then(|place| u32::try_from(place).ok())
            .unwrap_or_default()
    }

    /// Publishes evidence that is due.
    pub(crate) fn report_equivocations(&mut self) {
        let store = &self.store;
        let is_proven =
            |evidence: &Equivocation| execution::is_equivocation_proven(store, &evidence.slot);
        for evidence in self.accusations.due(Instant::now(), is_proven) {
            let Some((operator, key)) = self.identity.speaker(&self.epoch) else {
                continue;
            };
            let now = ledger::Timestamp(chassis::clock::now());
            let chain = self.epochs.chain();
            let transaction = accusations::transaction(chain, operator, key, evidence, now);
            let user = bus::subjects::replica_name(self.identity.me);
            let subject = bus::subjects::transactions(&user);
            let submission = Submission {
                addressed: None,
                transactions: vec![Submitted {
                    bytes: transaction.to_bytes(),
                    traceparent: None,
                }],
            };
            let message = ledger::canonical::encode(&submission);
            self.performers.outbound.publish(subject, message.into());
        }
    }

    /// Tells execution, once what is to be said has been.
    pub(crate) fn tell_execution(&mut self, task: Task) {
        self.tasks.push_back(task);
    }
}
