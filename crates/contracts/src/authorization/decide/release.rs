//! Released if and only if paid: one decision hands over the key, pays the patient and makes the grant.

use super::answers::for_hospital;
use super::closing;
use crate::authorization::event::Event;
use crate::authorization::rejection::Rejection;
use crate::authorization::state::{self, GrantStanding, Standing, grant_of};
use crate::identifier::{GrantId, ItemId, Sealed};
use crate::records::interface::{is_sealed_fit, standing_record};
use crate::rejection::ensure;
use crate::settlement::interface::pay_item;
use crate::{Context, State};

pub(super) fn release_key(
    state: &State,
    context: &Context,
    id: ItemId,
    sealed_key: Sealed,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    let item = for_hospital(state, context, &id)?;
    ensure(
        matches!(item.standing, Standing::AwaitingRelease { .. }),
        Rejection::NotAwaitingRelease,
    )?;
    ensure(is_sealed_fit(&sealed_key), Rejection::SealedNotFit)?;
    standing_record(state, &item.record)?;
    let application = state::application(state, &id.application).ok_or(Rejection::UnknownItem)?;
    let released = Event::ItemReleased {
        item: id,
        record: item.record,
        grant: grant_of(&id),
        applicant: item.applicant,
        patient: item.patient,
        price: item.price,
        until: application.until,
        sealed_key,
    };
    let paid = pay_item(id, item.patient, item.price).map(crate::Event::from);
    Ok(paid
        .into_iter()
        .chain([released.into()])
        .chain(closing(state, id))
        .collect())
}

pub(super) fn withdraw_grant(
    state: &State,
    context: &Context,
    id: GrantId,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    let grant = state::grant(state, &id).ok_or(Rejection::UnknownGrant)?;
    ensure(grant.patient == context.submitter, Rejection::NotThePatient)?;
    ensure(
        grant.standing == GrantStanding::Given,
        Rejection::GrantEnded,
    )?;
    ensure(context.time < grant.until, Rejection::GrantOver)?;
    Ok(vec![
        Event::GrantWithdrawn {
            grant: id,
            item: grant.item,
        }
        .into(),
    ])
}
