//! Guardians at this hospital: named by the patient, ended by either, listed by both.

use std::sync::Arc;

use bus::Call;
use contracts::records::command::{Command, DelegationScope};
use interfaces::identity::{GetViewerName, MakeGuardianId, OpenSealed};
use interfaces::records::{Delegation, Delegations, EndDelegation, ListDelegations, NameGuardian};
use interfaces::{Base64, Committed, Problem, time_text};
use keys::{Role, SealingPublicKey};
use ledger::{LedgerId, Timestamp};
use submission::Caller;

use crate::failure::{Failure, forbidden};
use crate::projections::{self, DelegationOnLedger};
use crate::service::Records;
use crate::viewing::sealed_name;

const DAY_US: u64 = 24 * 3_600_000_000;
/// Ten years.
const DAYS_MAX: u32 = 3_660;

/// By the patient.
pub(super) async fn name_guardian(
    records: Arc<Records>,
    call: Call,
    request: NameGuardian,
) -> Result<Committed, Failure> {
    let caller = records.caller(&call)?;
    let patient = records.own_patient_id(&caller).await?;
    if !(1..=DAYS_MAX).contains(&request.days) {
        return Err(Problem::bad_input("days", format!("must be 1 to {DAYS_MAX}")).into());
    }
    let asked = MakeGuardianId {
        hospital: records.hospital,
        patient,
        patient_id: request.patient_id,
        name: request.name,
    };
    let guardian = records.ask_identity(Some(&caller), &asked).await?;
    let own = records
        .ask_identity(Some(&caller), &GetViewerName {})
        .await?;
    let key = |bytes: &Base64| {
        let bytes: [u8; 32] = bytes.0.as_slice().try_into().ok()?;
        Some(SealingPublicKey(bytes))
    };
    let regulator = key(&own.regulator_sealing_key).ok_or(Failure::Unsealable)?;
    let guardian_key = key(&guardian.sealing_key).ok_or(Failure::Unsealable)?;
    let patient_key = records.patient_sealing_key(&patient).await?;
    let command = Command::NameGuardian {
        guardian: guardian.guardian,
        scope: request.scope,
        until: Timestamp(chassis::clock::now()).plus(u64::from(request.days) * DAY_US),
        patient_name: sealed_name(&own.name, &guardian_key, &regulator)?,
        guardian_name: sealed_name(&guardian.name, &patient_key, &regulator)?,
    };
    records.commit(&caller, patient, command).await
}

/// By the patient or the guardian.
pub(super) async fn end_delegation(
    records: Arc<Records>,
    call: Call,
    request: EndDelegation,
) -> Result<Committed, Failure> {
    let caller = records.caller(&call)?;
    caller.require(Role::Patient)?;
    let ids = records.desk.ledger_ids(&caller).await?;
    let submitter = [request.patient, request.guardian]
        .into_iter()
        .find(|id| ids.contains(id))
        .ok_or_else(forbidden)?;
    let command = Command::EndDelegation {
        patient: request.patient,
        guardian: request.guardian,
    };
    records.commit(&caller, submitter, command).await
}

/// By patients: what is theirs.
pub(super) async fn list_delegations(
    records: Arc<Records>,
    call: Call,
    _request: ListDelegations,
) -> Result<Delegations, Failure> {
    let caller = records.caller(&call)?;
    caller.require(Role::Patient)?;
    let now = chassis::clock::now();
    let mut listed = Delegations::default();
    if let Ok(patient) = records.own_patient_id(&caller).await {
        let found = projections::delegations_by(records.reader(), &patient).await?;
        let sealed = found.iter().map(|one| one.guardian_name.clone()).collect();
        let names = records.opened(&caller, patient, sealed).await?;
        let given = found.iter().zip(names);
        listed.given = given.map(|(one, name)| shown(one, name, now)).collect();
    }
    for guardian in records.guardian_ids(&caller).await? {
        for one in projections::delegations_to(records.reader(), &guardian).await? {
            if one.holds(now) {
                let sealed = vec![one.patient_name.clone()];
                let name = records.opened(&caller, guardian, sealed).await?;
                let name = name.into_iter().next().flatten();
                listed.held.push(shown(&one, name, now));
            }
        }
    }
    Ok(listed)
}

fn shown(delegation: &DelegationOnLedger, name: Option<String>, now: u64) -> Delegation {
    let state = if delegation.ended {
        "ended"
    } else if now >= delegation.until.0 {
        "over"
    } else if delegation.active {
        "holds"
    } else {
        "waiting"
    };
    Delegation {
        patient: delegation.patient,
        guardian: delegation.guardian,
        name,
        scope: delegation.scope,
        until: time_text(delegation.until),
        state: state.to_owned(),
    }
}

impl Records {
    /// Whose list is asked for: the caller's own, or that of a patient whose guardian the caller is now, with a scope that
    /// covers reading.
    pub(super) async fn patient_asked_for(
        &self,
        caller: &Caller,
        acting_for: Option<LedgerId>,
    ) -> Result<LedgerId, Failure> {
        let Some(patient) = acting_for else {
            return self.own_patient_id(caller).await;
        };
        self.reading_guardian(caller, &patient).await?;
        Ok(patient)
    }

    /// The caller's ledger id as a guardian who may read the patient's records now.
    pub(super) async fn reading_guardian(
        &self,
        caller: &Caller,
        patient: &LedgerId,
    ) -> Result<LedgerId, Failure> {
        caller.require(Role::Patient)?;
        let now = chassis::clock::now();
        let ids = self.desk.ledger_ids(caller).await?;
        let given = projections::delegations_by(self.reader(), patient).await?;
        given
            .iter()
            .find(|one| {
                ids.contains(&one.guardian) && one.holds(now) && DelegationScope::reads(one.scope)
            })
            .map(|one| one.guardian)
            .ok_or_else(forbidden)
    }

    /// The caller's ledger ids as a guardian of patients of this hospital.
    async fn guardian_ids(&self, caller: &Caller) -> Result<Vec<LedgerId>, Failure> {
        let prefix = format!("guardian:{}:", self.hospital);
        let account = self
            .ask_identity(Some(caller), &interfaces::identity::GetOwnAccount {})
            .await?;
        let ids = account.ledger_ids.into_iter();
        Ok(ids
            .filter(|(context, _)| context.starts_with(&prefix))
            .map(|(_, id)| id)
            .collect())
    }

    /// Names that were sealed to a ledger id of the caller's, in order; none where one does not open.
    pub(super) async fn opened(
        &self,
        caller: &Caller,
        member: LedgerId,
        sealed: Vec<Vec<u8>>,
    ) -> Result<Vec<Option<String>>, Failure> {
        if sealed.is_empty() {
            return Ok(Vec::new());
        }
        let sealed = sealed.into_iter().map(Base64).collect();
        let opened = self
            .ask_identity(Some(caller), &OpenSealed { member, sealed })
            .await?;
        let opened = opened.opened.into_iter();
        Ok(opened
            .map(|name| name.and_then(|name| String::from_utf8(name.0).ok()))
            .collect())
    }
}
