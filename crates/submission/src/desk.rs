//! From a command to its receipt.

use std::pin::Pin;
use std::time::Duration;

use bus::{Bus, Target};
use contracts::{Command, Rejection};
use interfaces::identity::{GetMember, GetOwnAccount, SignTransaction};
use interfaces::{Base64, CommandReply, Committed, Problem, SubmitSignature, UnsignedCommand};
use keys::MemberKey;
use ledger::{
    Digest, Height, LedgerId, Outcome, PublicKey, Receipt, Signature, SignedTransaction, Timestamp,
    TransactionBody, canonical,
};
use store::projections::Progress;
use store::{Outbox, OutboxError, Store, Transaction};

use crate::Caller;
use crate::row::database;

/// How long a transaction may be underway, in microseconds: a little less than the ledger allows.
const VALIDITY_US: u64 = 55_000_000;
/// How long a member who holds the own key has for signing, in microseconds.
const OWN_KEY_VALIDITY_US: u64 = 58_000_000;

/// How long a reply waits for the service's own projection.
const PROJECTED_WITHIN: Duration = Duration::from_secs(5);

/// Writes a service's facts in the database transaction that also holds the outbox row; gets the transaction's id.
pub type Facts<'a> = Box<
    dyn for<'t> FnOnce(
            &'t mut Transaction,
            Digest,
        )
            -> Pin<Box<dyn Future<Output = Result<(), sqlx::Error>> + Send + 't>>
        + Send
        + 'a,
>;

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
    progress: Progress,
}

impl Desk {
    /// A desk over a service's bus connection, database, outbox and own projection: what a command did is in the rows
    /// when its reply leaves.
    pub fn new(bus: Bus, store: Store, outbox: Outbox, progress: Progress) -> Desk {
        Desk {
            bus,
            store,
            outbox,
            progress,
        }
    }

    /// The chain's id.
    pub fn chain(&self) -> Digest {
        self.bus.chain()
    }

    /// Members that may not act, as of the blocks that are in the service's rows.
    pub fn stopped(&self) -> &store::StoppedMembers {
        self.progress.stopped()
    }

    /// The outbox, for those who wait for a transaction by its id.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// A body with a fresh nonce; custodial signing fills in the public key.
    pub fn body(
        &self,
        submitter: LedgerId,
        public_key: PublicKey,
        command: &Command,
    ) -> TransactionBody {
        TransactionBody {
            chain: self.bus.chain(),
            submitter,
            public_key,
            nonce: u64::from_be_bytes(keys::secret::random()),
            valid_until: Timestamp(chassis::clock::now() + VALIDITY_US),
            contract: command.contract().id(),
            command: command.to_bytes(),
        }
    }

    /// All ledger ids of the caller, ascending: for persons as identity has them now, since a patient's id for a new
    /// hospital may be younger than the token.
    pub async fn ledger_ids(&self, caller: &Caller) -> Result<Vec<LedgerId>, Problem> {
        if !caller.has_custodial_keys() {
            return Ok(caller.ledger_ids());
        }
        let account = self
            .bus
            .request(
                &Target::service("identity"),
                Some(caller.token()),
                &GetOwnAccount {},
            )
            .await?;
        let mut ids: Vec<LedgerId> = account.ledger_ids.into_values().collect();
        ids.sort();
        Ok(ids)
    }

    /// Has a body signed by the caller's custodial key at identity, which refuses when the submitter is not the caller's.
    pub async fn sign_with_custody(
        &self,
        caller: &Caller,
        mut body: TransactionBody,
    ) -> Result<SignedTransaction, Problem> {
        let request = SignTransaction {
            unsigned: Base64(canonical::encode(&body)),
        };
        let reply = self
            .bus
            .request(&Target::service("identity"), Some(caller.token()), &request)
            .await?;
        body.public_key = reply.public_key;
        let signature = signature(&reply.signature)?;
        let signed = SignedTransaction { body, signature };
        signed
            .verify()
            .map_err(|_| Problem::failure("identity gave a signature that does not verify"))?;
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
    pub async fn commit_with_key(
        &self,
        key: &MemberKey,
        command: impl Into<Command>,
        facts: Facts<'_>,
    ) -> Result<Committed, Problem> {
        let signed = key.sign(self.body(key.ledger_id(), key.public_key(), &command.into()));
        self.commit_signed(signed, facts).await
    }

    /// Puts facts and a signed transaction into the outbox in one database transaction, and waits for the receipt.
    pub async fn commit_signed(
        &self,
        signed: SignedTransaction,
        facts: Facts<'_>,
    ) -> Result<Committed, Problem> {
        let id = self.enqueue(&signed, facts).await?;
        self.wait(id).await
    }

    /// As [`Desk::commit_signed`] without waiting: the outbox sends it until receipt or expiry.
    pub async fn enqueue(
        &self,
        signed: &SignedTransaction,
        facts: Facts<'_>,
    ) -> Result<Digest, Problem> {
        let id = signed.body.id();
        let mut transaction = self.store.begin().await.map_err(database)?;
        facts(&mut transaction, id).await.map_err(database)?;
        store::outbox::put(&mut transaction, signed)
            .await
            .map_err(database)?;
        transaction.commit().await.map_err(database)?;
        self.outbox.send(signed);
        Ok(id)
    }

    /// Waits for a transaction of the outbox; a rejection becomes a problem.
    pub async fn wait(&self, transaction: Digest) -> Result<Committed, Problem> {
        let receipt = self
            .outbox
            .wait(&transaction)
            .await
            .map_err(|error| outbox(transaction, &error))?;
        bus::seen::note(receipt.header.height);
        let committed = committed(&receipt)?;
        if !self
            .progress
            .wait_for(Height(committed.height), PROJECTED_WITHIN)
            .await
        {
            tracing::warn!(%transaction, height = committed.height, "the projection is behind");
        }
        Ok(committed)
    }

    /// Prepares a command for a member who holds the own key.
    pub async fn prepare(
        &self,
        submitter: LedgerId,
        command: impl Into<Command>,
        facts: Facts<'_>,
    ) -> Result<UnsignedCommand, Problem> {
        let member = self
            .bus
            .request(
                &Target::service("identity"),
                None,
                &GetMember { member: submitter },
            )
            .await?;
        let mut body = self.body(submitter, member.public_key, &command.into());
        body.valid_until = Timestamp(chassis::clock::now() + OWN_KEY_VALIDITY_US);
        self.prepare_body(body, facts).await
    }

    /// As [`Desk::prepare`], for a body whose nonce the caller has already used.
    pub async fn prepare_body(
        &self,
        body: TransactionBody,
        facts: Facts<'_>,
    ) -> Result<UnsignedCommand, Problem> {
        let id = body.id();
        let mut transaction = self.store.begin().await.map_err(database)?;
        facts(&mut transaction, id).await.map_err(database)?;
        store::outbox::put_unsigned(&mut transaction, &body)
            .await
            .map_err(database)?;
        transaction.commit().await.map_err(database)?;
        Ok(UnsignedCommand {
            transaction: id,
            unsigned: Base64(canonical::encode(&body)),
            service: self.bus.user().to_owned(),
        })
    }

    /// A command of the caller that has no facts: committed with the custodial key, or prepared where the caller holds
    /// the own key.
    pub async fn command(
        &self,
        caller: &Caller,
        submitter: LedgerId,
        command: impl Into<Command>,
    ) -> Result<CommandReply, Problem> {
        if caller.has_custodial_keys() {
            return self
                .commit_with_custody(caller, submitter, command, no_facts())
                .await
                .map(CommandReply::Committed);
        }
        caller.require_owner(&submitter)?;
        self.prepare(submitter, command, no_facts())
            .await
            .map(CommandReply::SignatureNeeded)
    }

    /// Attaches the signature of a member who holds the own key, submits, and waits.
    ///
    /// # Errors
    /// 404 when nothing of the caller's waits under that id; 400 when the signature does not verify.
    pub async fn submit_signature(
        &self,
        caller: &Caller,
        request: SubmitSignature,
    ) -> Result<Committed, Problem> {
        let id = request.transaction;
        let body = match store::outbox::body(&self.store, &id).await {
            Ok(body) if caller.session().owns(&body.submitter) => body,
            Ok(_) | Err(OutboxError::Unknown) => {
                return Err(Problem::not_found(
                    "no transaction of yours waits for a signature under this id",
                ));
            }
            Err(error) => return Err(outbox(id, &error)),
        };
        let signature = signature(&request.signature)?;
        let signed = SignedTransaction { body, signature };
        signed.verify().map_err(|_| {
            Problem::bad_input(
                "/signature",
                "the signature does not verify over this transaction",
            )
        })?;
        let mut transaction = self.store.begin().await.map_err(database)?;
        store::outbox::attach_signature(&mut transaction, &id, signature)
            .await
            .map_err(|error| outbox(id, &error))?;
        transaction.commit().await.map_err(database)?;
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
        outcome @ Outcome::Rejected { contract, code } => {
            let rejection = Rejection::from_outcome(outcome);
            let name = rejection.map_or_else(|| code.to_string(), |known| known.name().to_owned());
            let text = rejection.map_or_else(
                || "a rejection this version does not know".to_owned(),
                |known| known.to_string(),
            );
            Err(Problem::rejected(
                receipt.leaf.transaction.to_string(),
                format!("{}:{code}:{name}", contract.0),
                text,
            ))
        }
    }
}

fn signature(bytes: &Base64) -> Result<Signature, Problem> {
    <[u8; 64]>::try_from(bytes.0.as_slice())
        .map(Signature)
        .map_err(|_| Problem::bad_input("/signature", "a signature has 64 bytes"))
}

fn outbox(transaction: Digest, error: &OutboxError) -> Problem {
    tracing::warn!(%transaction, %error, "no receipt");
    match error {
        OutboxError::Expired | OutboxError::Stopping => Problem::busy(
            "the transaction expired before it was committed; nothing happened, try again",
        ),
        other => Problem::failure(other.to_string()),
    }
}
