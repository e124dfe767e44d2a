//! What the authorization contract keeps, under which keys, and how its events change it.

use ledger::{LedgerId, Timestamp, tagged};
use serde::{Deserialize, Serialize};

use super::event::{Event, FinalState, Refuser};
use crate::identifier::{Amount, ApplicationId, GrantId, ItemId, Purpose, RecordNumber};
use crate::key::{id_at, key};
use crate::{Contract, State, View};

const APPLICATION: u8 = 1;
const ITEM: u8 = 2;
const GRANT: u8 = 3;
const DUE: u8 = 4;

const GRANT_TAG: &str = "medshare/grant/v1";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Application {
    pub(crate) purpose: Purpose,
    /// End of its grants, exclusive.
    pub(crate) until: Timestamp,
    /// Items that have not ended.
    pub(crate) open: u16,
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// The hospital decides first.
    AwaitingHospital,
    /// Then the patient, about this version of the record.
    AwaitingPatient { version: u32 },
    /// Both approved; the hospital releases the key.
    AwaitingRelease { version: u32 },
    /// It ended; if as Released, it may still be disputed once.
    Ended(FinalState),
    /// The applicant disputes the release.
    Disputed,
    /// The regulator decided the dispute.
    DisputeSettled,
}

impl Standing {
    /// Whether its escrow is still held.
    pub(crate) fn is_open(self) -> bool {
        matches!(
            self,
            Standing::AwaitingHospital
                | Standing::AwaitingPatient { .. }
                | Standing::AwaitingRelease { .. }
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) record: RecordNumber,
    pub(crate) hospital: LedgerId,
    pub(crate) patient: LedgerId,
    pub(crate) applicant: LedgerId,
    pub(crate) price: Amount,
    /// Exclusive.
    pub(crate) deadline: Timestamp,
    pub(crate) standing: Standing,
}

/// Whether a grant still holds, its end date aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum GrantStanding {
    Given,
    Withdrawn,
    Reversed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) item: ItemId,
    pub(crate) record: RecordNumber,
    pub(crate) version: u32,
    pub(crate) applicant: LedgerId,
    pub(crate) patient: LedgerId,
    pub(crate) purpose: Purpose,
    /// Exclusive.
    pub(crate) until: Timestamp,
    pub(crate) standing: GrantStanding,
}

/// The id of the grant that comes of an item: the first 16 bytes of a tagged digest of the item.
pub fn grant_of(item: &ItemId) -> GrantId {
    GrantId(id_at(
        &tagged(GRANT_TAG, &[&item.application.0, &item.index.to_be_bytes()]).0,
        0,
    ))
}

pub(crate) fn application(state: &State, id: &ApplicationId) -> Option<Application> {
    state.read(&application_key(id))
}

pub(crate) fn item(state: &State, id: &ItemId) -> Option<Item> {
    state.read(&item_key(id))
}

pub(crate) fn grant(state: &State, id: &GrantId) -> Option<Grant> {
    state.read(&grant_key(id))
}

/// Up to `limit` open items whose deadline is at or before `time`, earliest first.
pub(crate) fn due_items(state: &State, time: Timestamp, limit: usize) -> Vec<ItemId> {
    // Mostly nothing is due: one key tells.
    if next_deadline(state).is_none_or(|deadline| time < deadline) {
        return Vec::new();
    }
    let entries = state.scan(&due_prefix(), limit);
    entries
        .iter()
        .map(|(key, _)| read_due_key(key))
        .take_while(|(due, _)| *due <= time)
        .map(|(_, item)| item)
        .collect()
}

/// The earliest deadline of an open item.
pub(crate) fn next_deadline(state: &State) -> Option<Timestamp> {
    state
        .scan(&due_prefix(), 1)
        .first()
        .map(|(key, _)| read_due_key(key).0)
}

fn application_key(id: &ApplicationId) -> Vec<u8> {
    key(Contract::Authorization, APPLICATION, &[&id.0])
}

fn item_key(id: &ItemId) -> Vec<u8> {
    key(
        Contract::Authorization,
        ITEM,
        &[&id.application.0, &id.index.to_be_bytes()],
    )
}

fn grant_key(id: &GrantId) -> Vec<u8> {
    key(Contract::Authorization, GRANT, &[&id.0])
}

fn due_prefix() -> Vec<u8> {
    key(Contract::Authorization, DUE, &[])
}

fn due_key(deadline: Timestamp, id: &ItemId) -> Vec<u8> {
    key(
        Contract::Authorization,
        DUE,
        &[
            &deadline.0.to_be_bytes(),
            &id.application.0,
            &id.index.to_be_bytes(),
        ],
    )
}

fn read_due_key(key: &[u8]) -> (Timestamp, ItemId) {
    let start = due_prefix().len();
    let time: [u8; 8] = key[start..start + 8].try_into().expect("eight bytes");
    let index: [u8; 2] = key[start + 24..].try_into().expect("two bytes");
    let item = ItemId {
        application: ApplicationId(id_at(key, start + 8)),
        index: u16::from_be_bytes(index),
    };
    (Timestamp(u64::from_be_bytes(time)), item)
}

/// Brings the state up to date with what was decided.
pub fn fold(state: &mut State, event: &Event) {
    match event {
        Event::ApplicationMade {
            application,
            purpose,
            until,
            items,
            ..
        } => {
            state.write(
                application_key(application),
                &Application {
                    purpose: *purpose,
                    until: *until,
                    open: *items,
                },
            );
        }
        Event::ItemOpened {
            item,
            record,
            hospital,
            patient,
            applicant,
            price,
            deadline,
            ..
        } => {
            let (record, hospital, patient, applicant) = (*record, *hospital, *patient, *applicant);
            let (price, deadline, standing) = (*price, *deadline, Standing::AwaitingHospital);
            state.write(
                item_key(item),
                &Item {
                    record,
                    hospital,
                    patient,
                    applicant,
                    price,
                    deadline,
                    standing,
                },
            );
            state.write(due_key(deadline, item), &());
        }
        Event::HospitalApproved { item, version, .. } => {
            set_standing(state, item, Standing::AwaitingPatient { version: *version });
        }
        Event::PatientApproved { item: id } => {
            if let Some(Item {
                standing: Standing::AwaitingPatient { version },
                ..
            }) = item(state, id)
            {
                set_standing(state, id, Standing::AwaitingRelease { version });
            }
        }
        Event::ItemRefused {
            item,
            refuser: Refuser::Hospital,
            ..
        } => end_item(state, item, FinalState::RefusedByHospital),
        Event::ItemRefused {
            item,
            refuser: Refuser::Patient,
            ..
        } => end_item(state, item, FinalState::RefusedByPatient),
        Event::ItemReleased {
            item, grant, until, ..
        } => {
            give_grant(state, item, grant, *until);
            end_item(state, item, FinalState::Released);
        }
        Event::ItemWithdrawn { item } => end_item(state, item, FinalState::Withdrawn),
        Event::ItemExpired { item } => end_item(state, item, FinalState::Expired),
        // Its items count it down; nothing is left to change.
        Event::ApplicationClosed { .. } => {}
        Event::GrantWithdrawn { grant, .. } => end_grant(state, grant, GrantStanding::Withdrawn),
        Event::ReleaseDisputed { item, .. } => set_standing(state, item, Standing::Disputed),
        Event::DisputeSettled { item, reversed } => {
            set_standing(state, item, Standing::DisputeSettled);
            if *reversed {
                end_grant(state, &grant_of(item), GrantStanding::Reversed);
            }
        }
        // A trace: the decision is the event after it.
        Event::DecidedByGuardian { .. } => {}
    }
}

fn set_standing(state: &mut State, id: &ItemId, standing: Standing) {
    if let Some(entry) = item(state, id) {
        state.write(item_key(id), &Item { standing, ..entry });
    }
}

fn end_item(state: &mut State, id: &ItemId, how: FinalState) {
    let Some(entry) = item(state, id) else { return };
    state.write(
        item_key(id),
        &Item {
            standing: Standing::Ended(how),
            ..entry
        },
    );
    state.delete(due_key(entry.deadline, id));
    if let Some(parent) = application(state, &id.application) {
        let open = parent.open.saturating_sub(1);
        state.write(
            application_key(&id.application),
            &Application { open, ..parent },
        );
    }
}

fn give_grant(state: &mut State, id: &ItemId, grant: &GrantId, until: Timestamp) {
    let (Some(entry), Some(parent)) = (item(state, id), application(state, &id.application)) else {
        return;
    };
    let Standing::AwaitingRelease { version } = entry.standing else {
        return;
    };
    let Item {
        record,
        applicant,
        patient,
        ..
    } = entry;
    let (purpose, standing) = (parent.purpose, GrantStanding::Given);
    state.write(
        grant_key(grant),
        &Grant {
            item: *id,
            record,
            version,
            applicant,
            patient,
            purpose,
            until,
            standing,
        },
    );
}

fn end_grant(state: &mut State, id: &GrantId, standing: GrantStanding) {
    if let Some(entry) = grant(state, id) {
        state.write(grant_key(id), &Grant { standing, ..entry });
    }
}
