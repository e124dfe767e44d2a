//! Applying for records, and taking an item back.

use std::collections::BTreeSet;

use ledger::{Commitment, Timestamp};

use super::{end_unpaid, ensure_open, known_item};
use crate::authorization::command::{ITEMS_PER_APPLICATION_MAX, ItemOffer};
use crate::authorization::event::Event;
use crate::authorization::rejection::Rejection;
use crate::authorization::state;
use crate::governance::Parameter;
use crate::governance::interface::{duration_us, parameter};
use crate::identifier::{Amount, ApplicationId, ItemId, Purpose};
use crate::membership::MemberKind;
use crate::membership::interface::active_kind;
use crate::records::interface::{ensure_research, standing_record};
use crate::rejection::ensure;
use crate::settlement::interface::hold_escrow;
use crate::{Context, State};

/// What is applied for.
pub(super) struct Wanted {
    pub(super) application: ApplicationId,
    pub(super) purpose: Purpose,
    pub(super) until: Timestamp,
    pub(super) statement: Commitment,
    pub(super) items: Vec<ItemOffer>,
}

pub(super) fn apply_for_records(
    state: &State,
    context: &Context,
    wanted: Wanted,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    check_wanted(state, context, &wanted)?;
    let Wanted {
        application,
        purpose,
        until,
        statement,
        items,
    } = wanted;
    let applicant = context.submitter;
    let deadline = context
        .time
        .plus(duration_us(state, Parameter::ItemDeadlineUs))
        .min(until);
    let mut opened = Vec::with_capacity(items.len());
    let mut prices: Vec<(ItemId, Amount)> = Vec::with_capacity(items.len());
    for (index, offer) in (0u16..).zip(&items) {
        let record = standing_record(state, &offer.record)?;
        if purpose != Purpose::Payment {
            ensure_research(state, &record.patient)?;
        }
        let item = ItemId { application, index };
        prices.push((item, offer.price));
        opened.push(Event::ItemOpened {
            item,
            record: offer.record,
            hospital: record.hospital,
            patient: record.patient,
            applicant,
            price: offer.price,
            item_key: offer.item_key,
            deadline,
        });
    }
    let held = hold_escrow(state, applicant, &prices)?;
    let count = u16::try_from(items.len()).unwrap_or(u16::MAX);
    let made = Event::ApplicationMade {
        application,
        applicant,
        purpose,
        until,
        statement,
        items: count,
    };
    let events = [made.into()]
        .into_iter()
        .chain(held.into_iter().map(crate::Event::from));
    Ok(events
        .chain(opened.into_iter().map(crate::Event::from))
        .collect())
}

fn check_wanted(state: &State, context: &Context, wanted: &Wanted) -> Result<(), Rejection> {
    let kind = active_kind(state, &context.submitter);
    ensure(
        matches!(kind, Some(MemberKind::ThirdParty | MemberKind::Insurer)),
        Rejection::MayNotApply,
    )?;
    ensure(
        state::application(state, &wanted.application).is_none(),
        Rejection::ApplicationExists,
    )?;
    let allowed = match wanted.purpose {
        Purpose::Research | Purpose::PublicHealth | Purpose::Operations => true,
        // An insurer's claims audit; it does not depend on the consent to research.
        Purpose::Payment => kind == Some(MemberKind::Insurer),
        Purpose::Treatment | Purpose::EmergencyTreatment | Purpose::PatientRequest => false,
    };
    ensure(allowed, Rejection::PurposeNotAllowed)?;
    ensure(context.time < wanted.until, Rejection::EndNotAhead)?;
    let distinct: BTreeSet<_> = wanted.items.iter().map(|offer| offer.record).collect();
    let counted = (1..=ITEMS_PER_APPLICATION_MAX).contains(&wanted.items.len());
    ensure(
        counted && distinct.len() == wanted.items.len(),
        Rejection::ItemsNotFit,
    )?;
    let least = parameter(state, Parameter::ItemPriceMin).max(0);
    ensure(
        wanted.items.iter().all(|offer| offer.price >= least),
        Rejection::PriceTooLow,
    )
}

pub(super) fn withdraw_item(
    state: &State,
    context: &Context,
    id: ItemId,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    let item = known_item(state, &id)?;
    ensure(
        item.applicant == context.submitter,
        Rejection::NotTheApplicant,
    )?;
    ensure_open(context, &item)?;
    Ok(end_unpaid(
        state,
        id,
        &item,
        Event::ItemWithdrawn { item: id },
    ))
}
