//! Making ledger ids for persons and putting their registration into the outbox.

use contracts::membership::command::{
    Command, MemberKind, POSSESSION_DOMAIN, RegisterMember, possession_message,
};
use interfaces::Problem;
use keys::MemberKey;
use keys::seal::SealingPublicKey;
use ledger::{Commitment, Digest, DigestAlgorithm, LedgerId, SignedTransaction, canonical};
use store::Transaction;
use submission::row::database;

use crate::custody;
use crate::people::Person;
use crate::service::{Identity, now};

/// A ledger id that was made, with the transaction that registers it.
pub(crate) struct NewLedgerId {
    pub(crate) context: String,
    pub(crate) ledger_id: LedgerId,
    pub(crate) registration: Digest,
}

impl Identity {
    /// Makes a ledger id for an account in a context: the seed sealed to the custody key, the registration in the
    /// outbox, both in the given database transaction.
    pub(crate) async fn make_ledger_id(
        &self,
        transaction: &mut Transaction,
        account: &str,
        kind: MemberKind,
        person: &Person,
        custody: &SealingPublicKey,
        context: &str,
    ) -> Result<NewLedgerId, Problem> {
        let key = MemberKey::random();
        let salt = self
            .attestation_key
            .derive_with(&key.ledger_id().0, b"medshare/identity/attestation/v1");
        let attested = [person.real_name.as_bytes(), person.identity_id.as_bytes()];
        let attestation = Commitment::new(DigestAlgorithm::Sha256, salt.expose(), &attested);
        let command = RegisterMember {
            member: key.ledger_id(),
            kind,
            public_key: key.public_key(),
            sealing_key: key.sealing_public_key().0,
            possession: key.sign_message(
                POSSESSION_DOMAIN,
                &possession_message(&self.desk.chain(), &key.ledger_id(), &key.public_key()),
            ),
            attestation,
            name: None,
            allowed: Vec::new(),
        };
        let sealed_seed = custody::seal_seed(custody, account, &key)
            .map_err(|error| Problem::failure(error.to_string()))?;
        sqlx::query(
            "INSERT INTO ledger_ids (ledger_id, account, context, public_key, sealing_key, sealed_seed, registration, submitted_us)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(key.ledger_id().to_string())
        .bind(account)
        .bind(context)
        .bind(key.public_key().to_string())
        .bind(Digest(key.sealing_public_key().0).to_string())
        .bind(sealed_seed)
        .bind(canonical::encode(&command))
        .bind(now().0 as i64)
        .execute(&mut **transaction)
        .await
        .map_err(database)?;
        let signed = self.registration(command);
        store::outbox::put(transaction, &signed)
            .await
            .map_err(database)?;
        Ok(NewLedgerId {
            context: context.to_owned(),
            ledger_id: key.ledger_id(),
            registration: signed.id(),
        })
    }

    /// A registration, signed by this service's member key.
    pub(crate) fn registration(&self, command: RegisterMember) -> SignedTransaction {
        let command = contracts::Command::from(Command::RegisterMember(command));
        self.member.sign(self.desk.body(
            self.member.ledger_id(),
            self.member.public_key(),
            &command,
        ))
    }
}
