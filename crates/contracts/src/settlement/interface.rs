//! What other contracts ask the settlement contract: escrow of items, held, paid, returned, reversed.
//!
//! Every posting of the system is made here: two lines that cancel out. Nothing moved is nothing posted.

use ledger::LedgerId;

use super::event::{Account, Event, Line, PostingReason};
use super::rejection::Rejection;
use super::state;
use crate::State;
use crate::identifier::{Amount, ItemId};
use crate::rejection::ensure;

/// Moves `amount` (not negative) from one account to another; `None` if it is zero.
///
/// # Errors
/// `InsufficientFunds` if an account other than External would fall below zero; `AmountOverflow` past the books' bounds.
pub(crate) fn transfer(
    state: &State,
    reason: PostingReason,
    from: Account,
    to: Account,
    amount: Amount,
) -> Result<Option<Event>, Rejection> {
    let left = state::balance(state, &from)
        .checked_sub(amount)
        .ok_or(Rejection::AmountOverflow)?;
    ensure(
        left >= 0 || from == Account::External,
        Rejection::InsufficientFunds,
    )?;
    state::balance(state, &to)
        .checked_add(amount)
        .ok_or(Rejection::AmountOverflow)?;
    Ok(posting(reason, from, to, amount))
}

/// Holds each item's price in its escrow.
///
/// # Errors
/// `InsufficientFunds` if the applicant's account does not hold the sum; `AmountOverflow`.
pub(crate) fn hold_escrow(
    state: &State,
    applicant: LedgerId,
    items: &[(ItemId, Amount)],
) -> Result<Vec<Event>, Rejection> {
    let total = items
        .iter()
        .try_fold(0, |sum: Amount, (_, price)| sum.checked_add(*price))
        .ok_or(Rejection::AmountOverflow)?;
    let account = Account::Member(applicant);
    ensure(
        state::balance(state, &account) >= total,
        Rejection::InsufficientFunds,
    )?;
    let held = |(item, price): &(ItemId, Amount)| {
        posting(
            PostingReason::EscrowHeld(*item),
            account,
            Account::Escrow(*item),
            *price,
        )
    };
    Ok(items.iter().filter_map(held).collect())
}

/// Pays an item's escrow to the patient.
pub(crate) fn pay_item(item: ItemId, patient: LedgerId, price: Amount) -> Option<Event> {
    posting(
        PostingReason::ItemPaid(item),
        Account::Escrow(item),
        Account::Member(patient),
        price,
    )
}

/// Returns an item's escrow to the applicant.
pub(crate) fn return_escrow(item: ItemId, applicant: LedgerId, price: Amount) -> Option<Event> {
    posting(
        PostingReason::EscrowReturned(item),
        Account::Escrow(item),
        Account::Member(applicant),
        price,
    )
}

/// Pays a released item's price back from the patient to the applicant.
///
/// # Errors
/// `InsufficientFunds` if the patient's account no longer holds it.
pub(crate) fn reverse_item(
    state: &State,
    item: ItemId,
    patient: LedgerId,
    applicant: LedgerId,
    price: Amount,
) -> Result<Option<Event>, Rejection> {
    transfer(
        state,
        PostingReason::ItemReversed(item),
        Account::Member(patient),
        Account::Member(applicant),
        price,
    )
}

fn posting(reason: PostingReason, from: Account, to: Account, amount: Amount) -> Option<Event> {
    let lines = vec![
        Line {
            account: from,
            amount: -amount,
        },
        Line {
            account: to,
            amount,
        },
    ];
    (amount != 0).then_some(Event::Posted { reason, lines })
}
