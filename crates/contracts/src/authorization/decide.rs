//! The rules of authorization, one file per step: apply, the hospital's and the patient's answers, release, dispute.

mod answers;
mod application;
mod disputes;
mod release;

use super::command::Command;
use super::event::Event;
use super::rejection::Rejection;
use super::state::{self, Item};
use crate::identifier::ItemId;
use crate::rejection::ensure;
use crate::{Context, State, settlement};

/// Decides a command of the authorization contract.
///
/// # Errors
/// [`crate::Rejection`].
pub fn decide(
    state: &State,
    context: &Context,
    command: Command,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    match command {
        Command::ApplyForRecords {
            application,
            purpose,
            until,
            statement,
            items,
        } => {
            let wanted = application::Wanted {
                application,
                purpose,
                until,
                statement,
                items,
            };
            application::apply_for_records(state, context, wanted)
        }
        Command::ApproveAsHospital {
            item,
            ciphertext,
            ciphertext_bytes,
            release,
            version,
        } => {
            let approved = Event::HospitalApproved {
                item,
                ciphertext,
                ciphertext_bytes,
                release,
                version,
            };
            answers::approve_as_hospital(state, context, item, ciphertext_bytes, version)?;
            Ok(vec![approved.into()])
        }
        Command::RefuseAsHospital { item, reason } => {
            answers::refuse_as_hospital(state, context, item, reason)
        }
        Command::ApproveAsPatient { item } => answers::approve_as_patient(state, context, item),
        Command::RefuseAsPatient { item, reason } => {
            answers::refuse_as_patient(state, context, item, reason)
        }
        Command::ReleaseKey { item, sealed_key } => {
            release::release_key(state, context, item, sealed_key)
        }
        Command::WithdrawItem { item } => application::withdraw_item(state, context, item),
        Command::WithdrawGrant { grant } => release::withdraw_grant(state, context, grant),
        Command::DisputeRelease { item, disclosure } => {
            disputes::dispute_release(state, context, item, disclosure)
        }
        Command::SettleDispute { item, reverse } => {
            disputes::settle_dispute(state, context, item, reverse)
        }
    }
}

/// What happens when an item's deadline has come: the escrow returns.
pub(crate) fn expire_item(state: &State, id: ItemId) -> Vec<crate::Event> {
    match state::item(state, &id) {
        Some(item) if item.standing.is_open() => {
            end_unpaid(state, id, &item, Event::ItemExpired { item: id })
        }
        _ => Vec::new(),
    }
}

/// An item ends without release: its escrow returns in the same decision, and the last item closes the application.
fn end_unpaid(state: &State, id: ItemId, item: &Item, ending: Event) -> Vec<crate::Event> {
    let returned = settlement::interface::return_escrow(id, item.applicant, item.price);
    let events = returned
        .map(crate::Event::from)
        .into_iter()
        .chain([ending.into()]);
    events.chain(closing(state, id)).collect()
}

/// The closing of the application, if this is its last open item.
fn closing(state: &State, id: ItemId) -> Option<crate::Event> {
    let last =
        state::application(state, &id.application).is_some_and(|application| application.open <= 1);
    last.then(|| {
        Event::ApplicationClosed {
            application: id.application,
        }
        .into()
    })
}

fn known_item(state: &State, id: &ItemId) -> Result<Item, Rejection> {
    state::item(state, id).ok_or(Rejection::UnknownItem)
}

/// The item has not ended and is in time, even if the block could not expire all that was due.
fn ensure_open(context: &Context, item: &Item) -> Result<(), Rejection> {
    ensure(item.standing.is_open(), Rejection::ItemEnded)?;
    ensure(context.time < item.deadline, Rejection::DeadlinePassed)
}
