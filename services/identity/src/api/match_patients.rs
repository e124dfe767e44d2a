//! Finds the members behind a hospital's patient numbers by a keyed hash of the identity ID. For hospitals' records
//! services, each for its own hospital.

use std::sync::Arc;

use bus::Call;
use contracts::membership::command::MemberKind;
use interfaces::identity::{MatchPatients, MatchedPatients, PatientMatch, PatientToMatch};
use interfaces::{Base64, Problem};
use keys::identity_hash::identity_hash;
use keys::seal::SealingPublicKey;
use ledger::{Digest, LedgerId};
use submission::row::{database, parse};

use crate::service::Identity;

/// The context of a patient's ledger id for one hospital.
pub(crate) fn hospital_context(hospital: &LedgerId) -> String {
    format!("hospital:{hospital}")
}

/// The keyed hash under which a patient number is remembered: the number itself is the hospital's.
pub(crate) fn number_hash(
    identity: &Identity,
    hospital: &LedgerId,
    patient_number: &str,
) -> String {
    identity_hash(&identity.hash_key, &hospital.to_string(), patient_number).to_string()
}

pub(crate) async fn match_patients(
    identity: Arc<Identity>,
    call: Call,
    request: MatchPatients,
) -> Result<MatchedPatients, Problem> {
    Identity::require_records_service(&call)?;
    identity
        .require_own_hospital(&call, &request.hospital)
        .await?;
    let mut matches = Vec::with_capacity(request.patients.len());
    for patient in &request.patients {
        matches.push(match_patient(&identity, &request.hospital, patient).await?);
    }
    Ok(MatchedPatients { matches })
}

async fn match_patient(
    identity: &Identity,
    hospital: &LedgerId,
    patient: &PatientToMatch,
) -> Result<Option<PatientMatch>, Problem> {
    let hash = identity_hash(&identity.hash_key, "", &patient.identity_id).to_string();
    let by_hash =
        "SELECT account, custody_key FROM accounts WHERE identity_hash = $1 AND kind = 'Patient'";
    let Some((account, custody)) = patient_account(identity, by_hash, &hash).await? else {
        return Ok(None);
    };
    let number = number_hash(identity, hospital, &patient.patient_number);
    if was_undone(identity, hospital, &number, &account).await? {
        return Ok(None);
    }
    let owned = identity.ledger_ids_of(&account).await?;
    let insured = owned
        .iter()
        .find(|id| id.context == "insurance")
        .map(|id| id.ledger_id);
    let Some(insured) = insured else {
        return Ok(None);
    };
    if !is_active(identity, &insured).await? {
        return Ok(None);
    }
    let context = hospital_context(hospital);
    let Some(own) = owned.iter().find(|id| id.context == context) else {
        start_match(identity, hospital, &number, &account, &custody, &context).await?;
        return Ok(None);
    };
    remember_match(identity, hospital, &number, &account).await?;
    if !is_active(identity, &own.ledger_id).await? {
        return Ok(None);
    }
    let person = identity
        .person_key
        .derive_with(account.as_bytes(), b"medshare/identity/person/v1");
    Ok(Some(PatientMatch {
        patient: own.ledger_id,
        sealing_key: Base64(own.sealing_key.0.to_vec()),
        insured,
        person: Digest(*person.expose()),
    }))
}

/// A patient's account and the key to which its ledger ids' keys are sealed, by a statement that asks for both.
pub(super) async fn patient_account(
    identity: &Identity,
    statement: &'static str,
    value: &str,
) -> Result<Option<(String, SealingPublicKey)>, Problem> {
    let row: Option<(String, String)> = sqlx::query_as(statement)
        .bind(value)
        .fetch_optional(identity.store.reader())
        .await
        .map_err(database)?;
    let Some((account, custody)) = row else {
        return Ok(None);
    };
    let custody = SealingPublicKey(parse::<Digest>(&custody)?.0);
    Ok(Some((account, custody)))
}

pub(super) async fn is_active(identity: &Identity, member: &LedgerId) -> Result<bool, Problem> {
    Ok(identity
        .member_status(member)
        .await?
        .is_some_and(|(status, _)| status == "active"))
}

async fn was_undone(
    identity: &Identity,
    hospital: &LedgerId,
    number: &str,
    account: &str,
) -> Result<bool, Problem> {
    let undone: Option<(i64,)> =
        sqlx::query_as("SELECT undone FROM matches WHERE hospital = $1 AND patient_number_hash = $2 AND account = $3")
            .bind(hospital.to_string())
            .bind(number)
            .bind(account)
            .fetch_optional(identity.store.reader())
            .await
            .map_err(database)?;
    Ok(undone.is_some_and(|(undone,)| undone != 0))
}

const REMEMBER: &str = "INSERT INTO matches (hospital, patient_number_hash, account, undone) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING";

async fn remember_match(
    identity: &Identity,
    hospital: &LedgerId,
    number: &str,
    account: &str,
) -> Result<(), Problem> {
    let mut transaction = identity.store.begin().await.map_err(database)?;
    sqlx::query(REMEMBER)
        .bind(hospital.to_string())
        .bind(number)
        .bind(account)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)
}

/// The first care of a person at a hospital: a ledger id of its own, which waits for endorsement like any other.
async fn start_match(
    identity: &Identity,
    hospital: &LedgerId,
    number: &str,
    account: &str,
    custody: &SealingPublicKey,
    context: &str,
) -> Result<(), Problem> {
    let person = identity.person(account).await?;
    let mut transaction = identity.store.begin().await.map_err(database)?;
    // Two imports may care for the same person for the first time at once: the account's row is locked until one of
    // them has made the ledger id, and the other finds it.
    sqlx::query("UPDATE accounts SET login = login WHERE account = $1")
        .bind(account)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    let made = sqlx::query("SELECT 1 FROM ledger_ids WHERE account = $1 AND context = $2")
        .bind(account)
        .bind(context)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(database)?;
    if made.is_some() {
        return Ok(());
    }
    identity
        .make_ledger_id(
            &mut transaction,
            account,
            MemberKind::Patient,
            &person,
            custody,
            context,
        )
        .await?;
    sqlx::query(REMEMBER)
        .bind(hospital.to_string())
        .bind(number)
        .bind(account)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    identity.desk.outbox().wake();
    Ok(())
}
