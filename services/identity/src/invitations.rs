//! Invitations: a hospital has seen somebody's identity document, and whoever has the code it hands out chooses login and
//! password. Nobody at the hospital learns either.
//!
//! A code has 120 random bits, counts once and for a week; what is kept is its keyed hash, and the person sealed under that.

use data_encoding::HEXLOWER;
use interfaces::Problem;
use interfaces::staff::InvitedKind;
use keys::AuthorizationCode;
use ledger::{Digest, LedgerId};
use sqlx::Row;
use store::Transaction;
use submission::row::{database, parse};

use crate::people::Person;
use crate::service::{Identity, now};

/// For so long an invitation counts, in microseconds.
pub(crate) const LIFE_US: u64 = 7 * 24 * 3_600_000_000;

/// An invitation that counts.
pub(crate) struct Invited {
    code_hash: String,
    pub(crate) kind: InvitedKind,
    pub(crate) hospital: LedgerId,
    pub(crate) person: Person,
}

/// The hash by which staff of one hospital are told apart: a staff number is no identity document's.
pub(crate) fn staff_hash(identity: &Identity, hospital: &LedgerId, staff_number: &str) -> Digest {
    let issuer = format!("clerk of {hospital}");
    keys::identity_hash::identity_hash(&identity.hash_key, &issuer, staff_number)
}

/// Keeps a new invitation; what was not accepted in its time is forgotten.
pub(crate) async fn keep(
    identity: &Identity,
    code: &AuthorizationCode,
    kind: InvitedKind,
    hospital: &LedgerId,
    person: &Person,
    invited_by: &str,
) -> Result<u64, Problem> {
    let until = now().0 + LIFE_US;
    let code_hash = hash(identity, code);
    let mut transaction = identity.store.begin().await.map_err(database)?;
    sqlx::query("DELETE FROM invitations WHERE until_us < $1 AND account IS NULL")
        .bind(now().0 as i64)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    sqlx::query(
        "INSERT INTO invitations (code_hash, kind, hospital, sealed_person, invited_by, until_us)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&code_hash)
    .bind(kind.name())
    .bind(hospital.to_string())
    .bind(identity.seal_person(&code_hash, person))
    .bind(invited_by)
    .bind(until as i64)
    .execute(&mut *transaction)
    .await
    .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    Ok(until)
}

/// The invitation of a code.
///
/// # Errors
/// 404 when there is none, or it was accepted, or its time is over: all alike.
pub(crate) async fn find(identity: &Identity, code: &str) -> Result<Invited, Problem> {
    let code: AuthorizationCode = code.parse().map_err(|_| unknown())?;
    let code_hash = hash(identity, &code);
    let row = sqlx::query(
        "SELECT kind, hospital, sealed_person FROM invitations
         WHERE code_hash = $1 AND account IS NULL AND until_us >= $2",
    )
    .bind(&code_hash)
    .bind(now().0 as i64)
    .fetch_optional(identity.store.reader())
    .await
    .map_err(database)?
    .ok_or_else(unknown)?;
    let kind: String = row.try_get(0).map_err(database)?;
    let hospital: String = row.try_get(1).map_err(database)?;
    let sealed: Vec<u8> = row.try_get(2).map_err(database)?;
    let kinds = [InvitedKind::Patient, InvitedKind::Clerk];
    let kind = kinds.into_iter().find(|known| known.name() == kind);
    Ok(Invited {
        kind: kind.ok_or_else(|| Problem::failure("an invitation has an unknown kind"))?,
        hospital: parse(&hospital)?,
        person: identity.open_person(&code_hash, &sealed)?,
        code_hash,
    })
}

/// Takes an invitation for an account, in the database transaction that enters it; who accepted stays, the person does not.
///
/// # Errors
/// 404 when somebody else was faster.
pub(crate) async fn take(
    transaction: &mut Transaction,
    invited: &Invited,
    account: &str,
) -> Result<(), Problem> {
    let taken = sqlx::query(
        "UPDATE invitations SET account = $1, sealed_person = $2
         WHERE code_hash = $3 AND account IS NULL AND until_us >= $4",
    )
    .bind(account)
    .bind(Vec::new())
    .bind(&invited.code_hash)
    .bind(now().0 as i64)
    .execute(&mut **transaction)
    .await
    .map_err(database)?;
    match taken.rows_affected() {
        1 => Ok(()),
        _ => Err(unknown()),
    }
}

fn hash(identity: &Identity, code: &AuthorizationCode) -> String {
    let hash = identity
        .hash_key
        .derive_with(code.expose_bytes(), b"medshare/identity/invitation/v1");
    HEXLOWER.encode(hash.expose())
}

fn unknown() -> Problem {
    Problem::not_found("no invitation has this code, or it was accepted, or its time is over")
}
