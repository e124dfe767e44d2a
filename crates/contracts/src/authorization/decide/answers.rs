//! The hospital answers first, then the patient.

use super::{end_unpaid, ensure_open, known_item};
use crate::authorization::command::RefusalReason;
use crate::authorization::event::{Event, Refuser};
use crate::authorization::rejection::Rejection;
use crate::authorization::state::{Item, Standing};
use crate::identifier::ItemId;
use crate::records::command::DelegationScope;
use crate::records::interface::{ensure_guardian, has_named, standing_record};
use crate::rejection::ensure;
use crate::{Context, State};

pub(super) fn approve_as_hospital(
    state: &State,
    context: &Context,
    id: ItemId,
    ciphertext_bytes: u64,
    version: u32,
) -> Result<(), crate::Rejection> {
    let item = for_hospital(state, context, &id)?;
    ensure(
        item.standing == Standing::AwaitingHospital,
        Rejection::NotAwaitingHospital,
    )?;
    ensure(ciphertext_bytes > 0, Rejection::CiphertextEmpty)?;
    let record = standing_record(state, &item.record)?;
    ensure(record.version == version, Rejection::StaleVersion)?;
    Ok(())
}

pub(super) fn refuse_as_hospital(
    state: &State,
    context: &Context,
    id: ItemId,
    reason: RefusalReason,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    let item = for_hospital(state, context, &id)?;
    ensure(
        item.standing == Standing::AwaitingHospital,
        Rejection::NotAwaitingHospital,
    )?;
    Ok(end_unpaid(
        state,
        id,
        &item,
        Event::ItemRefused {
            item: id,
            refuser: Refuser::Hospital,
            reason,
        },
    ))
}

pub(super) fn approve_as_patient(
    state: &State,
    context: &Context,
    id: ItemId,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    let (item, by) = for_patient(state, context, &id)?;
    ensure(
        matches!(item.standing, Standing::AwaitingPatient { .. }),
        Rejection::NotAwaitingPatient,
    )?;
    standing_record(state, &item.record)?;
    let approved = Event::PatientApproved { item: id };
    Ok(by.into_iter().chain([approved.into()]).collect())
}

/// The patient may also change their mind between approval and release.
pub(super) fn refuse_as_patient(
    state: &State,
    context: &Context,
    id: ItemId,
    reason: RefusalReason,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    let (item, by) = for_patient(state, context, &id)?;
    let answered_by_hospital = matches!(
        item.standing,
        Standing::AwaitingPatient { .. } | Standing::AwaitingRelease { .. }
    );
    ensure(answered_by_hospital, Rejection::NotAwaitingPatient)?;
    let refused = Event::ItemRefused {
        item: id,
        refuser: Refuser::Patient,
        reason,
    };
    let ended = end_unpaid(state, id, &item, refused);
    Ok(by.into_iter().chain(ended).collect())
}

/// An open item of the submitting hospital.
pub(super) fn for_hospital(
    state: &State,
    context: &Context,
    id: &ItemId,
) -> Result<Item, Rejection> {
    let item = known_item(state, id)?;
    ensure(
        item.hospital == context.submitter,
        Rejection::NotTheHospital,
    )?;
    ensure_open(context, &item)?;
    Ok(item)
}

/// An open item of the submitting patient, or of one whose guardian submits: then with the event that says so.
fn for_patient(
    state: &State,
    context: &Context,
    id: &ItemId,
) -> Result<(Item, Option<crate::Event>), crate::Rejection> {
    let item = known_item(state, id)?;
    let (patient, guardian) = (item.patient, context.submitter);
    let by = if patient == guardian {
        None
    } else {
        ensure(
            has_named(state, &patient, &guardian),
            Rejection::NotThePatient,
        )?;
        ensure_guardian(state, context, &patient, DelegationScope::decides)?;
        let decided = Event::DecidedByGuardian {
            item: *id,
            patient,
            guardian,
        };
        Some(decided.into())
    };
    ensure_open(context, &item)?;
    Ok((item, by))
}
