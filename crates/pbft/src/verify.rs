//! Signing and verification. The core never verifies: it only takes what was verified here.
//!
//! A [`Verifier`] is shared by the driver's verification threads. Everything nested in a message
//! (prepared certificates, checkpoints, view changes in a new view) is verified with it, so a
//! [`Verified`] message needs no further look at signatures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use ledger::{
    Certificate, Digest, Epoch, EpochDescription, KeyPoints, PublicKey, ReplicaId, Signature,
    SignatureBatch, SigningKey,
};

use crate::configuration::{Base, Configuration};
use crate::message::{
    Checkpoint, Message, NewView, PreparedCertificate, Recalled, SignedMessage, ViewChange, Vote,
};
use crate::mutants::mutant;
use crate::number::{Sequence, View};
use crate::quorum::Quorum;
use crate::recall::words_max;
use crate::statement::{Phase, Statement};

/// The key of a replica. Implemented by [`SigningKey`]; the simulator has a cheap stand-in.
pub trait Signer: Send {
    /// The public half.
    fn public_key(&self) -> PublicKey;
    /// Signs deterministically: the same bytes give the same signature.
    fn sign(&self, domain: &str, message: &[u8]) -> Signature;
}

impl Signer for SigningKey {
    fn public_key(&self) -> PublicKey {
        SigningKey::public_key(self)
    }

    fn sign(&self, domain: &str, message: &[u8]) -> Signature {
        SigningKey::sign(self, domain, message)
    }
}

/// A signature that is said to be a key's over some bytes.
pub struct Claim<'a> {
    /// The key.
    pub key: &'a PublicKey,
    /// What the signature is for.
    pub domain: &'static str,
    /// The bytes.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: &'a Signature,
}

/// The rule by which signatures are accepted.
pub trait SignatureScheme: Send + Sync {
    /// Whether `signature` is `key`'s over `message` in `domain`.
    fn accepts(&self, key: &PublicKey, domain: &str, message: &[u8], signature: &Signature)
    -> bool;

    /// The places, ascending, of the claims that are not accepted: the same as one by one. `seed` is fresh randomness for
    /// schemes that check several at once.
    fn refused(&self, claims: &[Claim<'_>], _seed: [u8; 32]) -> Vec<usize> {
        let refused = claims.iter().enumerate().filter(|(_, claim)| {
            !self.accepts(claim.key, claim.domain, &claim.message, claim.signature)
        });
        refused.map(|(place, _)| place).collect()
    }
}

/// The product's scheme: Ed25519 under ZIP 215.
#[derive(Debug, Default)]
pub struct Ed25519 {
    points: Mutex<KeyPoints>,
}

impl SignatureScheme for Ed25519 {
    fn accepts(
        &self,
        key: &PublicKey,
        domain: &str,
        message: &[u8],
        signature: &Signature,
    ) -> bool {
        let mut batch = SignatureBatch::new();
        batch.push(domain, message, key, signature);
        let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        // One signature alone is checked by its own equation, without coefficients.
        batch.verify_with([0; 32], &mut points).is_ok()
    }

    fn refused(&self, claims: &[Claim<'_>], seed: [u8; 32]) -> Vec<usize> {
        let mut batch = SignatureBatch::new();
        for claim in claims {
            batch.push(claim.domain, &claim.message, claim.key, claim.signature);
        }
        let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        batch
            .verify_with(seed, &mut points)
            .err()
            .unwrap_or_default()
    }
}

/// Something whose signatures were checked. Made by [`Verifier`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The value.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// The value, no longer marked.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// A block hash with a verified certificate of a quorum. Made by [`Verifier::certified`] and by the core
/// from verified votes only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedHash {
    sequence: Sequence,
    block: Digest,
    certificate: Certificate,
}

impl CertifiedHash {
    pub(crate) fn from_verified_votes(
        sequence: Sequence,
        block: Digest,
        certificate: Certificate,
    ) -> Self {
        CertifiedHash {
            sequence,
            block,
            certificate,
        }
    }

    /// The height.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// The block's hash.
    pub fn block(&self) -> Digest {
        self.block
    }

    /// The view in which the quorum committed.
    pub fn view(&self) -> View {
        View(self.certificate.view)
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

/// Why a message is refused. It is charged to whoever sent it; nothing else happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerificationError {
    /// Not the canonical encoding of a message.
    #[error("not the canonical encoding of a message")]
    Malformed,
    /// Of another epoch.
    #[error("of epoch {0}, which is not the current one")]
    WrongEpoch(Epoch),
    /// By someone who is not in the epoch.
    #[error("replica {0} is not in the epoch")]
    NotAMember(ReplicaId),
    /// The signature does not verify.
    #[error("the signature of replica {0} does not verify")]
    BadSignature(ReplicaId),
    /// A pre-prepare or new view by a replica that is not the view's primary, or a PREPARE by one that is.
    #[error("replica {0} may not say this in this view")]
    WrongRole(ReplicaId),
    /// A nested proof fails.
    #[error("proof in the message: {0}")]
    BadProof(&'static str),
    /// A list is longer than any honest replica makes it.
    #[error("longer than the limits allow")]
    TooLong,
}

/// Checks messages against the replica set of one epoch.
#[derive(Clone)]
pub struct Verifier {
    chain: Digest,
    epoch: Epoch,
    keys: BTreeMap<ReplicaId, PublicKey>,
    quorum: Quorum,
    base: Base,
    window: u64,
    checkpoint_interval: u64,
    batch_digests_max: usize,
    scheme: Arc<dyn SignatureScheme>,
}

impl Verifier {
    /// A verifier for the epoch of `configuration`.
    pub fn new(configuration: &Configuration, scheme: Arc<dyn SignatureScheme>) -> Verifier {
        let epoch: &EpochDescription = &configuration.epoch;
        Verifier {
            chain: configuration.chain,
            epoch: epoch.epoch,
            keys: epoch
                .replicas
                .iter()
                .map(|member| (member.replica, member.public_key))
                .collect(),
            quorum: Quorum::of(epoch),
            base: configuration.base,
            window: configuration.limits.window,
            checkpoint_interval: configuration.limits.checkpoint_interval,
            batch_digests_max: configuration.limits.batch_digests_max,
            scheme,
        }
    }

    /// The epoch whose replica set this verifier knows.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Decodes and verifies what came from the wire.
    ///
    /// # Errors
    /// [`VerificationError`]; never panics on any input.
    pub fn verify_bytes(&self, bytes: &[u8]) -> Result<Verified<SignedMessage>, VerificationError> {
        let message = SignedMessage::from_bytes(bytes).map_err(|_| VerificationError::Malformed)?;
        self.verify(message)
    }

    /// Verifies a message with everything nested in it.
    ///
    /// # Errors
    /// [`VerificationError`].
    pub fn verify(
        &self,
        signed: SignedMessage,
    ) -> Result<Verified<SignedMessage>, VerificationError> {
        self.check(&signed)?;
        Ok(Verified(signed))
    }

    /// Verifies that a quorum certified `block` at `sequence`.
    ///
    /// # Errors
    /// [`VerificationError`].
    pub fn certified(
        &self,
        sequence: Sequence,
        block: Digest,
        certificate: Certificate,
    ) -> Result<CertifiedHash, VerificationError> {
        self.check_certificate(sequence, block, &certificate)?;
        Ok(CertifiedHash {
            sequence,
            block,
            certificate,
        })
    }

    /// As [`Verifier::certified`] for many blocks, all their votes' signatures together. `seed` is fresh randomness.
    pub fn certified_all(
        &self,
        blocks: Vec<(Sequence, Digest, Certificate)>,
        seed: [u8; 32],
    ) -> Vec<Result<CertifiedHash, VerificationError>> {
        let mut claims = Vec::new();
        // Of each claim: the place of its block, and who signed.
        let mut signers = Vec::new();
        let mut errors: Vec<Option<VerificationError>> = vec![None; blocks.len()];
        for (place, (sequence, block, certificate)) in blocks.iter().enumerate() {
            match self.block_votes(*sequence, *block, certificate) {
                Ok(votes) => {
                    for (replica, claim) in votes {
                        signers.push((place, replica));
                        claims.push(claim);
                    }
                }
                Err(error) => errors[place] = Some(error),
            }
        }
        for refused in self.scheme.refused(&claims, seed) {
            let (place, replica) = signers[refused];
            errors[place].get_or_insert(VerificationError::BadSignature(replica));
        }
        drop(claims);
        blocks
            .into_iter()
            .zip(errors)
            .map(|((sequence, block, certificate), error)| match error {
                Some(error) => Err(error),
                None => Ok(CertifiedHash {
                    sequence,
                    block,
                    certificate,
                }),
            })
            .collect()
    }

    /// Verifies messages, each as [`Verifier::verify`] does, their authors' signatures together: that costs half as much.
    /// `seed` is fresh randomness.
    pub fn verify_all(
        &self,
        messages: Vec<SignedMessage>,
        seed: [u8; 32],
    ) -> Vec<Result<Verified<SignedMessage>, VerificationError>> {
        if messages.len() < 2 {
            return messages
                .into_iter()
                .map(|signed| self.verify(signed))
                .collect();
        }
        let claims: Vec<Result<Claim<'_>, VerificationError>> =
            messages.iter().map(|signed| self.claim(signed)).collect();
        let places: Vec<usize> = (0..claims.len())
            .filter(|place| claims[*place].is_ok())
            .collect();
        let mut errors: Vec<Option<VerificationError>> = claims
            .iter()
            .map(|claim| claim.as_ref().err().copied())
            .collect();
        let claims: Vec<Claim<'_>> = claims.into_iter().flatten().collect();
        for refused in self.scheme.refused(&claims, seed) {
            let place = places[refused];
            errors[place] = Some(VerificationError::BadSignature(messages[place].sender));
        }
        let results = messages.into_iter().zip(errors);
        results
            .map(|(signed, error)| match error {
                Some(error) => Err(error),
                None => self.check_nested(&signed).map(|()| Verified(signed)),
            })
            .collect()
    }

    fn check(&self, signed: &SignedMessage) -> Result<(), VerificationError> {
        let claim = self.claim(signed)?;
        if !self
            .scheme
            .accepts(claim.key, claim.domain, &claim.message, claim.signature)
        {
            return Err(VerificationError::BadSignature(signed.sender));
        }
        self.check_nested(signed)
    }

    /// What the author's signature must stand for, of a message whose epoch, role and lengths are right.
    fn claim<'a>(&'a self, signed: &'a SignedMessage) -> Result<Claim<'a>, VerificationError> {
        if signed.epoch != self.epoch {
            return Err(VerificationError::WrongEpoch(signed.epoch));
        }
        self.check_shape(signed)?;
        let statement = Statement::of(&signed.message);
        self.claim_of(signed.sender, &statement, &signed.signature)
    }

    fn claim_of<'a>(
        &'a self,
        replica: ReplicaId,
        statement: &Statement,
        signature: &'a Signature,
    ) -> Result<Claim<'a>, VerificationError> {
        let key = self
            .keys
            .get(&replica)
            .ok_or(VerificationError::NotAMember(replica))?;
        let (domain, message) = statement.signing_bytes(&self.chain, self.epoch, replica);
        Ok(Claim {
            key,
            domain,
            message,
            signature,
        })
    }

    /// The proofs that a message carries.
    fn check_nested(&self, signed: &SignedMessage) -> Result<(), VerificationError> {
        match &signed.message {
            Message::ViewChange(change) => self.check_view_change(change),
            Message::NewView(opening) => self.check_new_view(signed.sender, opening),
            Message::Recalled(recalled) => self.check_recalled(recalled),
            _ => Ok(()),
        }
    }

    /// Roles and lengths: cheap checks before any signature.
    fn check_shape(&self, signed: &SignedMessage) -> Result<(), VerificationError> {
        let sender = signed.sender;
        let role = |right: bool| {
            if right {
                Ok(())
            } else {
                Err(VerificationError::WrongRole(sender))
            }
        };
        let length = |length: usize, limit: usize| {
            if length <= limit {
                Ok(())
            } else {
                Err(VerificationError::TooLong)
            }
        };
        let slots = 2 * self.window as usize;
        match &signed.message {
            Message::PrePrepare(proposal) => {
                role(self.quorum.primary(proposal.view) == sender)?;
                length(proposal.batch.digests.len(), self.batch_digests_max)
            }
            Message::Prepare(vote) => role(mutant!(
                PrimaryPrepareCounted,
                true,
                self.quorum.primary(vote.view) != sender
            )),
            Message::NewView(opening) => {
                role(self.quorum.primary(opening.view) == sender)?;
                length(opening.proposals.len(), slots)
            }
            Message::ViewChange(change) => length(change.prepared.len(), slots),
            Message::BatchQuery(wanted) => length(wanted.len(), slots),
            Message::BatchAnswer(batches) => {
                length(batches.len(), slots)?;
                length(
                    batches.iter().map(|(_, batch)| batch.digests.len()).sum(),
                    4 * self.batch_digests_max,
                )
            }
            Message::Recalled(recalled) => {
                length(recalled.words.len(), words_max(self.window as usize))
            }
            Message::Commit(_) | Message::Status(_) => Ok(()),
        }
    }

    fn check_signature(
        &self,
        replica: ReplicaId,
        statement: &Statement,
        signature: &Signature,
    ) -> Result<(), VerificationError> {
        self.check_claim(replica, &self.claim_of(replica, statement, signature)?)
    }

    fn check_claim(&self, replica: ReplicaId, claim: &Claim<'_>) -> Result<(), VerificationError> {
        let accepted =
            self.scheme
                .accepts(claim.key, claim.domain, &claim.message, claim.signature);
        accepted
            .then_some(())
            .ok_or(VerificationError::BadSignature(replica))
    }

    /// Every word that is said to be remembered bears the signature of the one who is said to have spoken it.
    fn check_recalled(&self, recalled: &Recalled) -> Result<(), VerificationError> {
        recalled.words.iter().try_for_each(|word| {
            if !word.phase.binds() {
                return Err(VerificationError::BadProof("a word that binds nobody"));
            }
            self.check_signature(recalled.of, &word.statement(), &word.signature)
        })
    }

    fn check_certificate(
        &self,
        sequence: Sequence,
        block: Digest,
        certificate: &Certificate,
    ) -> Result<(), VerificationError> {
        self.block_votes(sequence, block, certificate)?
            .iter()
            .try_for_each(|(replica, claim)| self.check_claim(*replica, claim))
    }

    /// The votes of a certificate that is whole but for its signatures, and what each signature claims.
    fn block_votes<'a>(
        &'a self,
        sequence: Sequence,
        block: Digest,
        certificate: &'a Certificate,
    ) -> Result<Vec<(ReplicaId, Claim<'a>)>, VerificationError> {
        if certificate.epoch != self.epoch {
            return Err(VerificationError::WrongEpoch(certificate.epoch));
        }
        self.check_signers(&certificate.votes, self.quorum.votes())?;
        let statement = Statement::commit(View(certificate.view), sequence, block);
        certificate
            .votes
            .iter()
            .map(|(replica, signature)| {
                Ok((*replica, self.claim_of(*replica, &statement, signature)?))
            })
            .collect()
    }

    /// Distinct members, ascending, and at least `least` of them.
    fn check_signers(
        &self,
        signers: &[(ReplicaId, Signature)],
        least: usize,
    ) -> Result<(), VerificationError> {
        if signers.len() < least || signers.len() > self.keys.len() {
            return Err(VerificationError::BadProof("not a quorum of signers"));
        }
        let distinct = signers.is_sorted_by(|left, right| left.0 < right.0);
        if !mutant!(DuplicateSignerCounted, true, distinct) {
            return Err(VerificationError::BadProof(
                "signers are not ascending and distinct",
            ));
        }
        Ok(())
    }

    /// §4.3: a stable checkpoint is a quorum of equal votes at a checkpoint height, or the base.
    fn check_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), VerificationError> {
        match &checkpoint.certificate {
            None if checkpoint.sequence == self.base.sequence
                && checkpoint.block == self.base.block =>
            {
                Ok(())
            }
            None => Err(VerificationError::BadProof(
                "a checkpoint without certificate that is not the base",
            )),
            Some(_) if checkpoint.sequence <= self.base.sequence => {
                Err(VerificationError::BadProof("a checkpoint of another epoch"))
            }
            Some(_)
                if !checkpoint
                    .sequence
                    .0
                    .is_multiple_of(self.checkpoint_interval) =>
            {
                Err(VerificationError::BadProof("not a checkpoint height"))
            }
            Some(certificate) => {
                self.check_certificate(checkpoint.sequence, checkpoint.block, certificate)
            }
        }
    }

    /// §4.2 prepared(m, v, n): the primary's pre-prepare and quorum - 1 PREPAREs of distinct backups.
    fn check_prepared(&self, prepared: &PreparedCertificate) -> Result<(), VerificationError> {
        let primary = self.quorum.primary(prepared.view);
        let statement = |phase| Statement {
            view: prepared.view,
            sequence: prepared.sequence,
            phase,
            digest: prepared.digest,
        };
        self.check_signers(&prepared.prepares, self.quorum.votes() - 1)?;
        let prepares = &prepared.prepares;
        let by_primary = prepares.iter().any(|(replica, _)| *replica == primary);
        if mutant!(PrimaryPrepareCounted, false, by_primary) {
            return Err(VerificationError::BadProof("a PREPARE of the primary"));
        }
        self.check_signature(
            primary,
            &statement(Phase::PrePrepare),
            &prepared.pre_prepare,
        )?;
        prepared
            .prepares
            .iter()
            .try_for_each(|(replica, signature)| {
                self.check_signature(*replica, &statement(Phase::Prepare), signature)
            })
    }

    /// §4.4: a valid VIEW-CHANGE proves its checkpoint and everything it says was prepared above it.
    fn check_view_change(&self, change: &ViewChange) -> Result<(), VerificationError> {
        self.check_checkpoint(&change.stable)?;
        if !change
            .prepared
            .is_sorted_by(|left, right| left.sequence < right.sequence)
        {
            return Err(VerificationError::BadProof(
                "prepared places are not ascending and distinct",
            ));
        }
        let low = change.stable.sequence;
        for prepared in &change.prepared {
            if prepared.sequence <= low || prepared.sequence > low.plus(self.window) {
                return Err(VerificationError::BadProof(
                    "a prepared place outside the watermarks",
                ));
            }
            if prepared.view >= change.view {
                return Err(VerificationError::BadProof(
                    "prepared in a view that is not older",
                ));
            }
            self.check_prepared(prepared)?;
        }
        Ok(())
    }

    /// §4.4: a valid NEW-VIEW holds a quorum of valid VIEW-CHANGEs for its view and exactly the
    /// proposals that they imply, each signed.
    fn check_new_view(
        &self,
        primary: ReplicaId,
        opening: &NewView,
    ) -> Result<(), VerificationError> {
        let mut senders = BTreeSet::new();
        for signed in &opening.view_changes {
            if signed.change.view != opening.view {
                return Err(VerificationError::BadProof(
                    "a view change for another view",
                ));
            }
            if senders.last().is_some_and(|last| *last >= signed.sender) {
                return Err(VerificationError::BadProof(
                    "view changes are not ascending and distinct",
                ));
            }
            senders.insert(signed.sender);
            self.check_signature(
                signed.sender,
                &Statement::of_view_change(&signed.change),
                &signed.signature,
            )?;
            self.check_view_change(&signed.change)?;
        }
        if senders.len() < self.quorum.votes() {
            return Err(VerificationError::BadProof("not a quorum of view changes"));
        }
        let computed =
            crate::new_view::proposals(opening.view_changes.iter().map(|signed| &signed.change));
        let stated = opening.proposals.iter();
        let stated = stated.map(|proposal| (proposal.sequence, proposal.digest));
        if mutant!(NewViewNotRecomputed, false, !stated.eq(computed.proposals)) {
            return Err(VerificationError::BadProof(
                "not the proposals that the view changes imply",
            ));
        }
        for proposal in &opening.proposals {
            let vote = Vote {
                view: opening.view,
                sequence: proposal.sequence,
                digest: proposal.digest,
            };
            self.check_signature(primary, &pre_prepare_statement(vote), &proposal.signature)?;
        }
        Ok(())
    }
}

/// The statement of a pre-prepare of which only the digest is known.
pub(crate) fn pre_prepare_statement(vote: Vote) -> Statement {
    Statement {
        view: vote.view,
        sequence: vote.sequence,
        phase: Phase::PrePrepare,
        digest: vote.digest,
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Verifier")
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}
