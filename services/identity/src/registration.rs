//! Entering accounts, making ledger ids for persons and putting their registration into the outbox.

use contracts::membership::command::{
    Command, MemberKind, POSSESSION_DOMAIN, RegisterMember, possession_message,
};
use interfaces::Problem;
use keys::MemberKey;
use keys::seal::SealingPublicKey;
use ledger::{Commitment, Digest, DigestAlgorithm, LedgerId, SignedTransaction, canonical};
use store::Transaction;
use submission::row::database;

use crate::custody::{self, CustodyKey};
use crate::patient_id;
use crate::people::Person;
use crate::service::{Identity, now};

/// Characters of a name, a number or a login.
const TEXT_CHARACTERS_MAX: usize = 200;

/// An account that is about to be entered.
pub(crate) struct NewAccount<'a> {
    /// As the table has it.
    pub(crate) kind: &'static str,
    pub(crate) login: &'a str,
    pub(crate) person: &'a Person,
    /// Equal for equal persons; of two accounts with the same one the second is refused.
    pub(crate) identity_hash: Digest,
    pub(crate) patient_id: Option<&'a str>,
    /// The hospital that a clerk acts for.
    pub(crate) hospital: Option<LedgerId>,
}

/// An account's own key, wrapped by its password.
pub(crate) struct Wrapped {
    pub(crate) account: String,
    pub(crate) custody_key: SealingPublicKey,
    envelope: String,
}

/// Refuses (400) a text that is empty or too long.
pub(crate) fn check_text(field: &str, text: &str) -> Result<(), Problem> {
    match text.trim().chars().count() {
        1..=TEXT_CHARACTERS_MAX => Ok(()),
        _ => Err(Problem::bad_input(
            field,
            format!("must have 1 to {TEXT_CHARACTERS_MAX} characters"),
        )),
    }
}

/// A ledger id that was made, with the transaction that registers it.
pub(crate) struct NewLedgerId {
    pub(crate) context: String,
    pub(crate) ledger_id: LedgerId,
    pub(crate) registration: Digest,
}

impl Identity {
    /// A fresh account's key under its password. It takes a processor a while.
    pub(crate) async fn wrap_new_account(&self, password: &str) -> Result<Wrapped, Problem> {
        let account = uuid::Uuid::new_v4().simple().to_string();
        let custody = CustodyKey::random();
        let custody_key = custody.public_key();
        let (password, wrapped_for) = (password.to_owned(), account.clone());
        let envelope = self
            .derive(move || custody.wrap(&wrapped_for, &password))
            .await?
            .map_err(|error| Problem::bad_input("/password", error.to_string()))?;
        Ok(Wrapped {
            account,
            custody_key,
            envelope: serde_json::to_string(&envelope).expect("an envelope is plain JSON"),
        })
    }

    /// Enters an account.
    ///
    /// # Errors
    /// 409 when the login is taken or the person has an account.
    pub(crate) async fn insert_account(
        &self,
        transaction: &mut Transaction,
        wrapped: &Wrapped,
        new: &NewAccount<'_>,
    ) -> Result<(), Problem> {
        let inserted = sqlx::query(
            "INSERT INTO accounts (account, kind, login, identity_hash, patient_id, sealed_person, custody_key, password_envelope, created_us, hospital)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
        )
        .bind(&wrapped.account)
        .bind(new.kind)
        .bind(new.login)
        .bind(new.identity_hash.to_string())
        .bind(new.patient_id.map(patient_id::normalised))
        .bind(self.seal_person(&wrapped.account, new.person))
        .bind(Digest(wrapped.custody_key.0).to_string())
        .bind(&wrapped.envelope)
        .bind(now().0 as i64)
        .bind(new.hospital.map(|hospital| hospital.to_string()))
        .execute(&mut **transaction)
        .await
        .map_err(database)?;
        match inserted.rows_affected() {
            0 => Err(Problem::conflict(
                "this login is taken, or this identity ID is registered already",
            )),
            _ => Ok(()),
        }
    }

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
