//! A ledger id under which a person acts as a patient's guardian, made for that delegation alone: on the ledger it links
//! neither to the guardian's other ids nor to the patient's at other hospitals. For hospitals' records services, with the
//! patient's token.

use std::sync::Arc;

use bus::Call;
use contracts::membership::command::MemberKind;
use interfaces::identity::{GuardianId, MakeGuardianId};
use interfaces::{Base64, Problem};
use keys::seal::SealingPublicKey;
use submission::row::database;

use super::match_patients::{hospital_context, is_active, patient_account};
use crate::attempts;
use crate::patient_id::normalised;
use crate::people::{OwnedLedgerId, Person};
use crate::service::{Identity, now};

pub(crate) async fn make_guardian_id(
    identity: Arc<Identity>,
    call: Call,
    request: MakeGuardianId,
) -> Result<GuardianId, Problem> {
    Identity::require_records_service(&call)?;
    identity
        .require_own_hospital(&call, &request.hospital)
        .await?;
    let caller = identity.caller(&call).await?;
    caller.require_recent_proof(now())?;
    let account = &caller.session().subject;
    identity
        .owner_of(&request.patient)
        .await?
        .filter(|owned| {
            owned.account == *account && owned.context == hospital_context(&request.hospital)
        })
        .ok_or_else(|| Problem::forbidden("this is no ledger id of yours at this hospital"))?;
    // Who somebody is cannot be found out by trying: the tries of each account are counted, as passwords are.
    let attempt = attempts::count(&identity, &format!("guardian/{account}"), None, None).await?;
    let found = account_of(&identity, &request.patient_id).await?;
    let found = match found.filter(|found| found.is_called(&request.name)) {
        Some(found) if identity.may_act(&found.account).await? => Some(found),
        _ => None,
    };
    let Some(found) = found else {
        return Err(Problem::bad_input(
            "/patient_id",
            "nobody is enrolled with this patient ID and this name",
        ));
    };
    if found.account == *account {
        return Err(Problem::bad_input("/patient_id", "this is your own"));
    }
    attempts::forgive(&identity, &attempt).await?;
    let context = format!(
        "{}{}:{}",
        OwnedLedgerId::GUARDIAN,
        request.hospital,
        request.patient
    );
    let owned = identity.guardian_id(&found, &context).await?;
    Ok(GuardianId {
        guardian: owned.ledger_id,
        sealing_key: Base64(owned.sealing_key.0.to_vec()),
        name: found.person.real_name,
    })
}

struct Found {
    account: String,
    custody: SealingPublicKey,
    person: Person,
}

impl Found {
    /// Whether that is the person's name, however its case and spaces are written.
    fn is_called(&self, name: &str) -> bool {
        let plain = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
            words.join(" ")
        };
        plain(name) == plain(&self.person.real_name)
    }
}

async fn account_of(identity: &Identity, patient_id: &str) -> Result<Option<Found>, Problem> {
    let by_id =
        "SELECT account, custody_key FROM accounts WHERE patient_id = $1 AND kind = 'Patient'";
    let found = patient_account(identity, by_id, &normalised(patient_id)).await?;
    let Some((account, custody)) = found else {
        return Ok(None);
    };
    Ok(Some(Found {
        custody,
        person: identity.person(&account).await?,
        account,
    }))
}

impl Identity {
    /// Whether nodes have endorsed the person, and nobody suspended or revoked them since.
    async fn may_act(&self, account: &str) -> Result<bool, Problem> {
        for id in self.ledger_ids_of(account).await? {
            if id.context == "insurance" {
                return is_active(self, &id.ledger_id).await;
            }
        }
        Ok(false)
    }

    /// The guardian's ledger id in a context, made on first asking; it waits for endorsement like any other.
    async fn guardian_id(&self, guardian: &Found, context: &str) -> Result<OwnedLedgerId, Problem> {
        let mut transaction = self.store.begin().await.map_err(database)?;
        // Asked twice at once, it is made once: the account's row is locked meanwhile.
        sqlx::query("UPDATE accounts SET login = login WHERE account = $1")
            .bind(&guardian.account)
            .execute(&mut *transaction)
            .await
            .map_err(database)?;
        let made = sqlx::query("SELECT 1 FROM ledger_ids WHERE account = $1 AND context = $2")
            .bind(&guardian.account)
            .bind(context)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(database)?;
        if made.is_none() {
            let new = self
                .make_ledger_id(
                    &mut transaction,
                    &guardian.account,
                    MemberKind::Patient,
                    &guardian.person,
                    &guardian.custody,
                    context,
                )
                .await?;
            transaction.commit().await.map_err(database)?;
            self.desk.outbox().wake();
            self.desk.wait(new.registration).await?;
        } else {
            drop(transaction);
        }
        let owned = self.ledger_ids_of(&guardian.account).await?;
        let owned = owned.into_iter().find(|id| id.context == context);
        let owned = owned.ok_or_else(|| Problem::failure("a ledger id that was made is gone"))?;
        if self.member_status(&owned.ledger_id).await?.is_none() {
            return Err(Problem::busy(
                "the guardian's registration is still on its way; try again",
            ));
        }
        Ok(owned)
    }
}
