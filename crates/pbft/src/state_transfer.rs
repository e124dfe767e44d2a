//! State transfer (§4.6, TOCS'02 §5.3): a replica that was away fetches certified blocks.
//!
//! Blocks prove themselves: the driver checks certificate, links and roots, and executes them. Whoever
//! serves nothing usable is asked less and less often.

use ledger::{ReplicaId, Timestamp};

use crate::durable::Durable;
use crate::effect::{Effect, HaltReason};
use crate::input::InstalledBlock;
use crate::number::Sequence;
use crate::replica::{ChainBlock, Replica};
use crate::retransmit::Peer;
use crate::statement::Phase;

/// How many replicas outside the epoch are fetched from at most.
const OUTSIDERS_MAX: usize = 64;

/// A fetch that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fetch {
    pub(crate) peer: ReplicaId,
    pub(crate) last: Sequence,
    pub(crate) deadline: Timestamp,
}

impl Replica {
    /// The highest certified height that some peer claims (a claim: a liar's costs a failed fetch).
    pub(crate) fn certified_elsewhere(&self) -> Sequence {
        let claims = self.peers.values().map(Peer::certified);
        let proven = self
            .chain
            .certificates
            .last_key_value()
            .map(|(sequence, _)| *sequence);
        claims
            .chain(proven)
            .fold(self.chain.certified, Sequence::max)
    }

    /// A replica is said to have certificates up to this height. It may be one that a later epoch let in: where all others that
    /// went on lie or say nothing, nobody else has the blocks that end this one.
    pub(crate) fn on_claimed(&mut self, peer: ReplicaId, certified: Sequence) {
        let members = self.quorum.members();
        let is_new = !self.peers.contains_key(&peer);
        let is_one_too_many = self.peers.len() >= members.len() + OUTSIDERS_MAX;
        if peer == self.me || is_new && is_one_too_many && !members.contains(&peer) {
            return;
        }
        let known = self.peers.entry(peer).or_default();
        known.claimed = known.claimed.max(certified);
        self.consider_fetch();
    }

    /// Whether a correct replica certified what was not executed here: a proof, or f + 1 claims.
    pub(crate) fn is_behind(&self) -> bool {
        // Of f + 1 replicas of this epoch one is correct; of others nothing is known.
        let members = self.quorum.members().iter();
        let peers = members.filter_map(|member| self.peers.get(member));
        let mut claims: Vec<Sequence> = peers.map(Peer::certified).collect();
        claims.sort_unstable();
        let claimed = claims
            .iter()
            .rev()
            .nth(self.quorum.one_correct() - 1)
            .copied()
            .unwrap_or_default();
        let proven = self
            .chain
            .certificates
            .last_key_value()
            .map(|(sequence, _)| *sequence)
            .unwrap_or_default();
        claimed.max(proven).max(self.chain.stable.sequence) > self.chain.executed
    }

    /// Starts a fetch when others hold certificates that we lack and votes do not bring them: nothing was
    /// certified here for a while, or the gap is large.
    pub(crate) fn consider_fetch(&mut self) {
        let target = self.certified_elsewhere();
        if target <= self.chain.certified {
            self.clocks.behind_since = None;
            return;
        }
        let noticed = *self.clocks.behind_since.get_or_insert(self.now.monotonic);
        if self.fetch.is_some() {
            return;
        }
        let patience = 2 * self.limits.retransmit_after_us;
        let is_stuck =
            noticed.max(self.clocks.last_certified_at).plus(patience) <= self.now.monotonic;
        let is_far = target.since(self.chain.handed) > self.limits.window / 2;
        if is_stuck || is_far || self.chain.stable.sequence > self.chain.handed {
            self.start_fetch(target);
        }
    }

    fn start_fetch(&mut self, target: Sequence) {
        let now = self.now.monotonic;
        let certified = self.chain.certified;
        let able: Vec<(ReplicaId, Sequence)> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.fetch_after <= now)
            .map(|(replica, peer)| (*replica, peer.certified()))
            .filter(|(_, claimed)| *claimed > certified)
            .collect();
        // In turn, beginning after the one that was asked last.
        let next = able
            .iter()
            .find(|(replica, _)| self.last_fetch_peer.is_none_or(|last| *replica > last));
        let Some((peer, claimed)) = next.or(able.first()).copied() else {
            return;
        };
        let end = self.last.unwrap_or(target);
        let last = target
            .min(claimed)
            .min(end)
            .min(certified.plus(self.limits.fetch_blocks_max));
        let deadline = now.plus(self.limits.fetch_timeout_us);
        self.last_fetch_peer = Some(peer);
        self.fetch = Some(Fetch {
            peer,
            last,
            deadline,
        });
        self.effects.push(Effect::FetchBlocks {
            first: certified.next(),
            last,
            peer,
        });
    }

    pub(crate) fn give_up_fetch(&mut self) {
        if let Some(fetch) = self
            .fetch
            .filter(|fetch| fetch.deadline <= self.now.monotonic)
        {
            self.on_fetch_failed(fetch.peer);
        }
    }

    /// A peer served nothing usable: the next one is asked.
    pub(crate) fn on_fetch_failed(&mut self, peer: ReplicaId) {
        if self.fetch.is_none_or(|fetch| fetch.peer != peer) {
            return;
        }
        self.fetch = None;
        let now = self.now.monotonic;
        let known = self.peers.entry(peer).or_default();
        known.fetch_failures = known.fetch_failures.saturating_add(1);
        let factor = 1u64 << known.fetch_failures.min(6);
        known.fetch_after = now.plus(self.limits.retransmit_after_us.saturating_mul(factor));
        self.consider_fetch();
    }

    /// Blocks were fetched, proven, executed and stored.
    pub(crate) fn on_blocks_installed(&mut self, blocks: Vec<Durable<InstalledBlock>>) {
        let before = self.chain.certified;
        for block in blocks {
            if !self.install(block.into_inner()) {
                break;
            }
        }
        if let Some(fetch) = self.fetch {
            if let Some(peer) = self.peers.get_mut(&fetch.peer) {
                peer.fetch_failures = 0;
            }
            if self.chain.certified >= fetch.last {
                self.fetch = None;
            }
        }
        if self.halted {
            return;
        }
        if self.chain.certified > before {
            // What waited here may be in those blocks, or may just have missed its chance.
            self.clocks.requests_from = self.now.monotonic;
        }
        self.collect_garbage();
        self.hand_over();
        self.accept_waiting();
        self.commit_in_order();
        self.advance_certified();
        if self.fetch.is_none()
            && self.certified_elsewhere().since(self.chain.certified) > self.limits.window / 2
        {
            self.consider_fetch();
        }
    }

    fn install(&mut self, installed: InstalledBlock) -> bool {
        let InstalledBlock {
            proof,
            time,
            digests,
        } = installed;
        let (sequence, block) = (proof.sequence(), proof.block());
        if sequence <= self.chain.certified {
            return true;
        }
        if sequence != self.chain.certified.next() {
            return false;
        }
        let executed = self.chain.blocks.get(&sequence);
        if executed.and_then(|known| known.block) != Some(block) {
            // A COMMIT is said for a stored block: one of ours for a block that we lack was lost with it.
            let votes = &proof.certificate().votes;
            let own = self.own_votes.get(&(sequence, proof.view(), Phase::Commit));
            if own != Some(&block) && votes.iter().any(|(replica, _)| *replica == self.me) {
                self.halt(HaltReason::LostVotes {
                    view: proof.view(),
                    sequence,
                });
                return false;
            }
            // The driver found the block as certified. What was handed over here is of another view, or did not get its turn.
            self.take_back(sequence);
            self.chain
                .recent
                .extend(digests.iter().map(|digest| (*digest, sequence)));
            let entry = ChainBlock {
                time,
                digests,
                batch: None,
                run: None,
                block: Some(block),
                ends: None,
                commit: None,
                executed_at: self.now.monotonic,
            };
            self.chain.blocks.insert(sequence, entry);
            self.chain.executed = sequence;
            self.chain.handed = sequence;
            self.chain.handed_time = time;
        }
        self.set_certified(sequence);
        self.note_checkpoint(&proof);
        !self.halted
    }
}
