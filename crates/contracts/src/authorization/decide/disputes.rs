//! A buyer who finds a mismatch discloses the item's key to the regulator, who may reverse.

use super::known_item;
use crate::authorization::event::{Event, FinalState};
use crate::authorization::rejection::Rejection;
use crate::authorization::state::{self, Standing};
use crate::identifier::{ItemId, Sealed};
use crate::membership::MemberKind;
use crate::membership::interface::submitter_is;
use crate::records::interface::is_sealed_fit;
use crate::rejection::ensure;
use crate::settlement::interface::reverse_item;
use crate::{Context, State};

/// Until the grant's end date, and once.
pub(super) fn dispute_release(
    state: &State,
    context: &Context,
    id: ItemId,
    disclosure: Sealed,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    let item = known_item(state, &id)?;
    ensure(
        item.applicant == context.submitter,
        Rejection::NotTheApplicant,
    )?;
    match item.standing {
        Standing::Ended(FinalState::Released) => {}
        Standing::Disputed | Standing::DisputeSettled => {
            return Err(Rejection::AlreadyDisputed.into());
        }
        _ => return Err(Rejection::NotReleased.into()),
    }
    let application = state::application(state, &id.application).ok_or(Rejection::UnknownItem)?;
    ensure(context.time < application.until, Rejection::GrantOver)?;
    ensure(is_sealed_fit(&disclosure), Rejection::SealedNotFit)?;
    Ok(vec![
        Event::ReleaseDisputed {
            item: id,
            disclosure,
        }
        .into(),
    ])
}

pub(super) fn settle_dispute(
    state: &State,
    context: &Context,
    id: ItemId,
    reverse: bool,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Regulator),
        Rejection::NotRegulator,
    )?;
    let item = known_item(state, &id)?;
    ensure(item.standing == Standing::Disputed, Rejection::NotDisputed)?;
    let repaid = if reverse {
        reverse_item(state, id, item.patient, item.applicant, item.price)?
    } else {
        None
    };
    let settled = Event::DisputeSettled {
        item: id,
        reversed: reverse,
    };
    Ok(repaid
        .map(crate::Event::from)
        .into_iter()
        .chain([settled.into()])
        .collect())
}
