//! The rows of accounts and their ledger ids.

use keys::seal::SealingPublicKey;
use ledger::{LedgerId, PublicKey};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::service::Identity;
use interfaces::Problem;
use submission::row::{database, parse};

/// What is kept, encrypted, of a person's identity document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Person {
    pub(crate) real_name: String,
    pub(crate) identity_id: String,
}

/// One ledger id of an account.
pub(crate) struct OwnedLedgerId {
    pub(crate) ledger_id: LedgerId,
    pub(crate) account: String,
    pub(crate) context: String,
    pub(crate) sealed_seed: Vec<u8>,
    pub(crate) sealing_key: SealingPublicKey,
}

impl OwnedLedgerId {
    /// What the context of a guardian's ledger id begins with: the hospital and the patient's ledger id there follow.
    pub(crate) const GUARDIAN: &str = "guardian:";

    /// Whether it was made to act for a patient.
    pub(crate) fn is_guardians(&self) -> bool {
        self.context.starts_with(OwnedLedgerId::GUARDIAN)
    }
}

const OWNED: &str = "SELECT ledger_id, account, context, sealed_seed, sealing_key FROM ledger_ids";

impl Identity {
    /// All ledger ids of an account.
    pub(crate) async fn ledger_ids_of(&self, account: &str) -> Result<Vec<OwnedLedgerId>, Problem> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{OWNED} WHERE account = $1 ORDER BY context"
        )))
        .bind(account)
        .fetch_all(self.store.reader())
        .await
        .map_err(database)?;
        rows.iter().map(owned).collect()
    }

    /// The account behind a ledger id.
    pub(crate) async fn owner_of(
        &self,
        ledger_id: &LedgerId,
    ) -> Result<Option<OwnedLedgerId>, Problem> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{OWNED} WHERE ledger_id = $1")))
            .bind(ledger_id.to_string())
            .fetch_optional(self.store.reader())
            .await
            .map_err(database)?;
        row.as_ref().map(owned).transpose()
    }

    /// Encrypts a person for their account row.
    pub(crate) fn seal_person(&self, account: &str, person: &Person) -> Vec<u8> {
        let plain = serde_json::to_vec(person).expect("a person is plain JSON");
        self.names.seal(account.as_bytes(), &plain)
    }

    /// The person behind an account.
    pub(crate) async fn person(&self, account: &str) -> Result<Person, Problem> {
        let row = sqlx::query("SELECT sealed_person FROM accounts WHERE account = $1")
            .bind(account)
            .fetch_one(self.store.reader())
            .await
            .map_err(database)?;
        let sealed: Vec<u8> = row.try_get(0).map_err(database)?;
        self.open_person(account, &sealed)
    }

    /// Opens what [`Identity::seal_person`] sealed.
    pub(crate) fn open_person(&self, account: &str, sealed: &[u8]) -> Result<Person, Problem> {
        let plain = self
            .names
            .open(account.as_bytes(), sealed)
            .map_err(|_| Problem::failure("an account row does not open"))?;
        serde_json::from_slice(&plain).map_err(|_| Problem::failure("an account row is malformed"))
    }

    /// A member as the ledger knows it: status and current key.
    pub(crate) async fn member_status(
        &self,
        member: &LedgerId,
    ) -> Result<Option<(String, PublicKey)>, Problem> {
        let row = sqlx::query("SELECT status, public_key FROM members WHERE member = $1")
            .bind(member.to_string())
            .fetch_optional(self.store.reader())
            .await
            .map_err(database)?;
        let Some(row) = row else { return Ok(None) };
        let key: String = row.try_get(1).map_err(database)?;
        Ok(Some((row.try_get(0).map_err(database)?, parse(&key)?)))
    }
}

fn owned(row: &AnyRow) -> Result<OwnedLedgerId, Problem> {
    let text = |place: usize| row.try_get::<String, _>(place).map_err(database);
    Ok(OwnedLedgerId {
        ledger_id: parse(&text(0)?)?,
        account: text(1)?,
        context: text(2)?,
        sealed_seed: row.try_get(3).map_err(database)?,
        sealing_key: SealingPublicKey(parse::<ledger::Digest>(&text(4)?)?.0),
    })
}
