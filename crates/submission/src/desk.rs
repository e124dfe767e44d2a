//! From a command to its receipt.

use std::pin::Pin;

use bus::{Bus, Target};
use contracts::Command;
use interfaces::identity::{GetMember, SignTransaction};
use interfaces::{Base64, CommandReply, Committed, Problem, SubmitSignature, UnsignedCommand};
use keys::MemberKey;
use ledger::{Digest, LedgerId, Outcome, PublicKey, Receipt, Signature, SignedTransaction, Timestamp, TransactionBody, canonical};
use store::{Outbox, OutboxError, Store, Transaction};

use crate::Caller;

/// How long a transaction may be underway, in microseconds: a little less than the ledger allows.
const VALIDITY_US: u64 = 55_000_000;
/// How long a member who holds the own key has for signing, in microseconds.
const OWN_KEY_VALIDITY_US: u64 = 58_000_000;

/// Writes a service's facts in the database transaction that also holds the outbox row; gets the transaction's id.
pub type Facts<'a> =
    Box<dyn for<'t> FnOnce(&'t mut Transaction, Digest) -> Pin<Box<dyn Future<Output = Result<(), sqlx::Error>> + Send + 't>> + Send + 'a>;

/// For commands without facts.
pub fn no_facts() -> Facts<'static> {
    Box::new(|_, _| Box::pin(async { Ok(()) }))
}

/// Where commands are signed, put into the outbox, and waited for.
#[derive(Clone)]
pub struct Desk {
    bus: Bus,
    store: Store,
    outbox: Outbox,
    chain: Digest,
}

impl Desk {
    /// A desk over a service's bus connection, database and outbox.
    pub fn new(bus: Bus, store: Store, outbox: Outbox, chain: Digest) -> Desk {
        Desk { bus, store, outbox, chain }
    }

    /// The chain's id.
    pub fn chain(&self) -> Digest {
        self.chain
    }

    /// The outbox, for those who wait for a transaction by its id.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// A body with a fresh nonce; custodial signing fills in the public key.
    pub fn body(&self, submitter: LedgerId, public_key: PublicKey, command: &Command) -> TransactionBody {
        TransactionBody {
            chain: self.chain,
            submitter,
            public_key,
            nonce: u64::from_be_bytes(keys::random()),
            valid_until: Timestamp(chassis::clock::now() + VALIDITY_US),
            contract: command.contract().id(),
            command: command.to_bytes(),
        }
    }

    /// Has a body signed by the caller's custodial key at identity.
    pub async fn sign_with_custody(&self, caller: &Caller, mut body: TransactionBody) -> Result<SignedTransaction, Problem> {
        caller.require_owner(&body.submitter)?;
        let request = SignTransaction { unsigned: Base64(canonical::encode(&body)) };
        let reply = self.bus.request(&Target::service("identity"), Some(caller.token()), &request).await?;
        body.public_key = reply.public_key;
        let signature = signature(&reply.signature)?;
        let signed = SignedTransaction { body, signature };
        signed.verify().map_err(|_| Problem::failure("identity gave a signature that does not verify"))?;
        Ok(signed)
    }

    /// Commits a command of a natural person, signed by their custodial key.
    pub async fn commit_with_custody(
        &self,
        caller: &Caller,
        submitter: LedgerId,
        command: impl Into<Command>,
        facts: Facts<'_>,
    ) -> Result<Committed, Problem> {
        let body = self.body(submitter, PublicKey([0; 32]), &command.into());
        let signed = self.sign_with_custody(caller, body).await?;
        self.commit_signed(signed, facts).await
    }

    /// Commits a command signed by a key that this process holds.
    pub async fn commit_with_key(&self, key: &MemberKey, command: impl Into<Command>, facts: Facts<'_>) -> Result<Committed, Problem> {
        let signed = key.sign(self.body(key.ledger_id(), key.public_key(), &command.into()));
        self.commit_signed(signed, facts).await
    }

    /// Puts facts and a signed transaction into the outbox in one database transaction, and waits for the receipt.
    pub async fn commit_signed(&self, signed: SignedTransaction, facts: Facts<'_>) -> Result<Committed, Problem> {
        let id = self.enqueue(&signed, facts).await?;
        self.wait(id).await
    }

    /// As [`Desk::commit_signed`] without waiting: the outbox sends it until receipt or expiry.
    pub async fn enqueue(&self, signed: &SignedTransaction, facts: Facts<'_>) -> Result<Digest, Problem> {
        let id = signed.body.id();
        let mut transaction = self.store.begin().await.map_err(database)?;
        facts(&mut transaction, id).await.map_err(database)?;
        store::outbox::put(&mut transaction, signed).await.map_err(database)?;
        transaction.commit().await.map_err(database)?;
        self.outbox.wake();
        Ok(id)
    }

    /// Waits for a transaction of the outbox; a rejection becomes a problem.
    pub async fn wait(&self, transaction: Digest) -> Result<Committed, Problem> {
        let receipt = self.outbox.wait(transaction).await.map_err(|error| outbox(transaction, &error))?;
        committed(&receipt)
    }

    /// Prepares a command for a member who holds the own key.
    pub async fn prepare(&self, submitter: LedgerId, command: impl Into<Command>, facts: Facts<'_>) -> Result<UnsignedCommand, Problem> {
        let member = self.bus.request(&Target::service("identity"), None, &GetMember { member: submitter }).await?;
        let mut body = self.body(submitter, member.public_key, &command.into());
        body.valid_until = Timestamp(chassis::clock::now() + OWN_KEY_VALIDITY_US);
        self.prepare_body(body, facts).await
    }

    /// As [`Desk::prepare`], for a body whose nonce the caller has already used.
    pub async fn prepare_body(&self, body: TransactionBody, facts: Facts<'_>) -> Result<UnsignedCommand, Problem> {
        let id = body.id();
        let mut transaction = self.store.begin().await.map_err(database)?;
        facts(&mut transaction, id).await.map_err(database)?;
        store::outbox::put_unsigned(&mut transaction, &body).await.map_err(database)?;
        transaction.commit().await.map_err(database)?;
        Ok(UnsignedCommand { transaction: id, unsigned: Base64(canonical::encode(&body)), service: self.bus.name().to_owned() })
    }

    /// A command of the caller: committed with the custodial key, or prepared where the caller holds the own key.
    pub async fn command(
        &self,
        caller: &Caller,
        submitter: LedgerId,
        command: impl Into<Command>,
        facts: Facts<'_>,
    ) -> Result<CommandReply, Problem> {
        caller.require_owner(&submitter)?;
        if caller.has_custodial_keys() {
            return self.commit_with_custody(caller, submitter, command, facts).await.map(CommandReply::Committed);
        }
        self.prepare(submitter, command, facts).await.map(CommandReply::SignatureNeeded)
    }

    /// Attaches the signature of a member who holds the own key, submits, and waits.
    ///
    /// # Errors
    /// 404 when nothing of the caller's waits under that id; 400 when the signature does not verify.
    pub async fn submit_signature(&self, caller: &Caller, request: SubmitSignature) -> Result<Committed, Problem> {
        let id = request.transaction;
        let body = store::outbox::unsigned(&self.store, id).await.map_err(database)?;
        let body = body
            .filter(|body| caller.session().owns(&body.submitter))
            .ok_or_else(|| Problem::not_found("no transaction of yours waits for a signature under this id"))?;
        let signed = SignedTransaction { body, signature: signature(&request.signature)? };
        signed.verify().map_err(|_| Problem::bad_input("/signature", "the signature does not verify over this transaction"))?;
        let mut transaction = self.store.begin().await.map_err(database)?;
        store::outbox::attach_signature(&mut transaction, id, &signed.signature).await.map_err(database)?;
        transaction.commit().await.map_err(database)?;
        self.outbox.wake();
        self.wait(id).await
    }
}

/// What a receipt says to the one who asked: committed, or the contract's rejection.
pub fn committed(receipt: &Receipt) -> Result<Committed, Problem> {
    match receipt.leaf.outcome {
        Outcome::Accepted => Ok(Committed {
            transaction: receipt.leaf.transaction,
            height: receipt.header.height.0,
            receipt: Base64(canonical::encode(receipt)),
        }),
        Outcome::Rejected { contract, code } => Err(Problem::rejected(
            receipt.leaf.transaction.to_string(),
            format!("{}:{code}", contract.0),
            contracts::rejection_text(contract, code),
        )),
    }
}

fn signature(bytes: &Base64) -> Result<Signature, Problem> {
    <[u8; 64]>::try_from(bytes.0.as_slice()).map(Signature).map_err(|_| Problem::bad_input("/signature", "a signature has 64 bytes"))
}

fn outbox(transaction: Digest, error: &OutboxError) -> Problem {
    tracing::warn!(%transaction, %error, "no receipt");
    match error {
        OutboxError::Expired => Problem::busy("the transaction expired before it was committed; nothing happened, try again"),
        other => Problem::failure(other.to_string()),
    }
}

fn database(error: sqlx::Error) -> Problem {
    tracing::error!(%error, "database");
    Problem::failure("the service's database did not do its work")
}
