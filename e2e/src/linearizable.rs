//! Judges a history of [`crate::load`]: one account, on which every operation takes effect at one moment between its
//! start and its answer.
//!
//! Every receipt names its place in the one order of the ledger (height, place in the block), so nothing has to be
//! searched for: the order is given, and it is checked that
//!
//! 1. every receipt's place holds its transaction with that outcome, and no transaction stands twice;
//! 2. a transaction whose client was told that nothing came of it is on no place;
//! 3. nothing is on the account that no client of the history asked for;
//! 4. the outcomes are those of the account's own rules in that order: a withdrawal above the balance and a reference
//!    that was used are rejected, everything else is accepted;
//! 5. the order agrees with real time: what was answered before something else began stands before it;
//! 6. a reading shows the balance after some block that is not older than anything answered, or read, before it began, and
//!    that is older than everything that began after its answer.
//!
//! A service whose rows stay behind for five seconds answers from the rows it has: a reading that took so long may be old.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use contracts::settlement::command::Command;
use contracts::{Command as AnyCommand, PaymentReference};
use ledger::{CertifiedBlock, Digest, LedgerId, Outcome};

use crate::load::{History, Reading};

/// What a reading waits for at most before it may be old; a little less than the service's limit.
const MAY_BE_OLD_AFTER: Duration = Duration::from_millis(4_900);

/// A place in the order: height, place in the block.
type Place = (u64, u32);

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The account's balance at the end.
    pub balance: i64,
    /// Operations with a receipt.
    pub committed: usize,
    /// Of them, those that the contract rejected.
    pub rejected: usize,
    /// Readings.
    pub readings: usize,
}

/// One transaction on the account, as the chain has it.
struct OnChain {
    id: Digest,
    place: Place,
    command: Command,
    accepted: bool,
}

/// Checks a history against the chain that came of it.
///
/// # Errors
/// What does not hold.
pub fn judge(chain: &[CertifiedBlock], history: &History) -> Result<Judged, String> {
    let told: Vec<Told> = history
        .operations
        .iter()
        .map(|operation| Told {
            id: operation.id,
            began: operation.began,
            ended: operation.ended,
            receipt: operation.receipt.as_ref().map(|commit| {
                let accepted = commit.receipt.leaf.outcome == Outcome::Accepted;
                ((commit.height.0, commit.receipt.index), accepted)
            }),
        })
        .collect();
    judge_ordered(
        &on_account(chain, history.account),
        &told,
        &history.readings,
    )
}

/// What a client was told of an operation.
struct Told {
    id: Digest,
    began: Instant,
    ended: Instant,
    /// Where it stands and whether it was accepted; none when nothing came of it.
    receipt: Option<(Place, bool)>,
}

impl Told {
    fn place(&self) -> Option<Place> {
        self.receipt.map(|(place, _)| place)
    }
}

fn judge_ordered(
    ordered: &[OnChain],
    told: &[Told],
    readings: &[Reading],
) -> Result<Judged, String> {
    receipts_match(ordered, told)?;
    let balances = replay(ordered)?;
    in_real_time(told)?;
    readings_fit(&balances, told, readings)?;
    Ok(Judged {
        balance: balances.last_key_value().map_or(0, |(_, balance)| *balance),
        committed: told.iter().filter(|it| it.receipt.is_some()).count(),
        rejected: ordered.iter().filter(|it| !it.accepted).count(),
        readings: readings.len(),
    })
}

/// Everything about an account, in order.
fn on_account(chain: &[CertifiedBlock], account: LedgerId) -> Vec<OnChain> {
    let mut found = Vec::new();
    for block in chain.iter().map(|certified| &certified.block) {
        for (transaction, index) in block.transactions.iter().zip(0_u32..) {
            let body = &transaction.body;
            let Ok(AnyCommand::Settlement(command)) =
                AnyCommand::from_bytes(body.contract, &body.command)
            else {
                continue;
            };
            let concerns = match &command {
                Command::Deposit {
                    account: theirs, ..
                } => *theirs == account,
                Command::Withdraw { .. } => body.submitter == account,
                _ => false,
            };
            if concerns {
                let leaf = &block.outcomes[index as usize + 1];
                found.push(OnChain {
                    id: transaction.id(),
                    place: (block.header.height.0, index),
                    command,
                    accepted: leaf.outcome == Outcome::Accepted,
                });
            }
        }
    }
    found
}

/// Rules 1 to 3.
fn receipts_match(ordered: &[OnChain], told: &[Told]) -> Result<(), String> {
    let mut on_chain: BTreeMap<Digest, &OnChain> = BTreeMap::new();
    for one in ordered {
        if let Some(first) = on_chain.insert(one.id, one) {
            return Err(format!(
                "{} stands at {:?} and again at {:?}",
                one.id, first.place, one.place
            ));
        }
    }
    for operation in told {
        let id = operation.id;
        match (operation.receipt, on_chain.remove(&id)) {
            (None, None) => {}
            (None, Some(found)) => {
                return Err(format!(
                    "nothing came of {id}, its client was told, and it stands at {:?}",
                    found.place
                ));
            }
            (Some(_), None) => return Err(format!("{id} has a receipt and is not on the chain")),
            (Some(receipt), Some(found)) => {
                if receipt != (found.place, found.accepted) {
                    return Err(format!(
                        "the receipt of {id} says {receipt:?}; the chain {:?}, {}",
                        found.place, found.accepted
                    ));
                }
            }
        }
    }
    match on_chain.into_values().next() {
        Some(foreign) => Err(format!(
            "nobody asked for {} at {:?}",
            foreign.id, foreign.place
        )),
        None => Ok(()),
    }
}

/// Rule 4; gives the balance after each block that has something about the account, and 0 before all.
fn replay(ordered: &[OnChain]) -> Result<BTreeMap<u64, i64>, String> {
    let mut used: BTreeSet<PaymentReference> = BTreeSet::new();
    let mut balances = BTreeMap::from([(0, 0)]);
    let mut balance = 0_i64;
    for one in ordered {
        let (reference, change) = match &one.command {
            Command::Deposit {
                reference, amount, ..
            } => (*reference, *amount),
            Command::Withdraw { reference, amount } => (*reference, -*amount),
            _ => continue,
        };
        let should = !used.contains(&reference) && balance + change >= 0;
        if should != one.accepted {
            return Err(format!(
                "{} at {:?} was {}; the balance was {balance}, the change is {change}, the reference was {}used",
                one.id,
                one.place,
                if one.accepted { "accepted" } else { "rejected" },
                if used.contains(&reference) {
                    ""
                } else {
                    "not "
                },
            ));
        }
        if should {
            used.insert(reference);
            balance += change;
        }
        balances.insert(one.place.0, balance);
    }
    Ok(balances)
}

/// Rule 5.
fn in_real_time(told: &[Told]) -> Result<(), String> {
    let mut begun: Vec<&Told> = told.iter().collect();
    begun.sort_by_key(|operation| operation.began);
    let mut ended: Vec<(Instant, Place)> = ends(told).collect();
    ended.sort();
    let (mut ended, mut highest) = (ended.into_iter().peekable(), None);
    for operation in begun {
        while let Some((_, place)) = ended.next_if(|(end, _)| *end < operation.began) {
            highest = highest.max(Some(place));
        }
        let place = operation.place();
        if place.is_some() && place <= highest {
            return Err(format!(
                "{} stands at {place:?}, and one at {highest:?} was answered before it began",
                operation.id
            ));
        }
    }
    Ok(())
}

/// When each receipt came, and its place.
fn ends(told: &[Told]) -> impl Iterator<Item = (Instant, Place)> {
    told.iter().filter_map(|it| Some((it.ended, it.place()?)))
}

/// Rule 6.
fn readings_fit(
    balances: &BTreeMap<u64, i64>,
    told: &[Told],
    readings: &[Reading],
) -> Result<(), String> {
    let mut read: Vec<(Instant, u64)> = Vec::new();
    let mut readings: Vec<&Reading> = readings.iter().collect();
    readings.sort_by_key(|reading| reading.ended);
    for reading in readings {
        let may_be_old = reading.ended - reading.began >= MAY_BE_OLD_AFTER;
        let answered = ends(told)
            .filter(|(end, _)| *end < reading.began)
            .map(|(_, place)| place.0);
        let seen = read
            .iter()
            .filter(|(end, _)| *end < reading.began)
            .map(|(_, height)| *height);
        let from = if may_be_old {
            0
        } else {
            answered.chain(seen).max().unwrap_or(0)
        };
        // What began later stands in a later block than what was read, or in the same one behind it: rows are of whole
        // blocks.
        let until = told
            .iter()
            .filter(|operation| operation.began > reading.ended)
            .filter_map(Told::place)
            .map(|place| place.0)
            .min()
            .unwrap_or(u64::MAX);
        let heights = balance_heights(balances, from, until);
        let Some(height) = heights
            .into_iter()
            .find(|(_, balance)| *balance == reading.balance)
        else {
            return Err(format!(
                "a balance of {} was read, which no block from {from} to before {until} left behind",
                reading.balance
            ));
        };
        if !may_be_old {
            read.push((reading.ended, height.0));
        }
    }
    Ok(())
}

/// The balances that were in force at heights from `from` to before `until`, each with the least such height.
fn balance_heights(balances: &BTreeMap<u64, i64>, from: u64, until: u64) -> Vec<(u64, i64)> {
    let at_start = balances.range(..=from).next_back();
    let first = at_start.map(|(_, balance)| (from, *balance));
    let later = balances.range(from.saturating_add(1)..until.max(from.saturating_add(1)));
    first
        .into_iter()
        .chain(later.map(|(height, balance)| (*height, *balance)))
        .collect()
}

#[cfg(test)]
mod tests;
