//! Whom a block concerns: the members that its events name.
//!
//! Worked out once a block, whoever follows. An event of an application's item names the item alone; who takes part in it is
//! remembered from when it was opened. What names nobody that is known concerns everybody: a page asks once too often rather
//! than missing something.

use std::collections::{BTreeSet, HashMap, VecDeque};

use contracts::authorization::event::Event as Authorization;
use contracts::records::event::Event as Records;
use contracts::{Contract, Event, ItemId};
use ledger::{CertifiedBlock, LedgerId};
use serde_json::Value;

/// Items whose members are remembered.
const ITEMS_MAX: usize = 50_000;

/// The contracts that a block touched, and whom that concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Concern {
    touched: Vec<(Contract, Whom)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whom {
    Everybody,
    Members(BTreeSet<LedgerId>),
}

impl Concern {
    /// Whether an event of one of the contracts concerns one of the members.
    pub(crate) fn touches(
        &self,
        contracts: &BTreeSet<Contract>,
        members: &BTreeSet<LedgerId>,
    ) -> bool {
        self.of(contracts).any(|whom| match whom {
            Whom::Everybody => true,
            Whom::Members(named) => !named.is_disjoint(members),
        })
    }

    /// Whether there is an event of one of the contracts.
    pub(crate) fn touches_at_all(&self, contracts: &BTreeSet<Contract>) -> bool {
        self.of(contracts).next().is_some()
    }

    fn of(&self, contracts: &BTreeSet<Contract>) -> impl Iterator<Item = &Whom> {
        let of_these = self
            .touched
            .iter()
            .filter(|(contract, _)| contracts.contains(contract));
        of_these.map(|(_, whom)| whom)
    }
}

/// Works out whom blocks concern.
#[derive(Debug, Default)]
pub(crate) struct Concerns {
    items: HashMap<ItemId, BTreeSet<LedgerId>>,
    oldest: VecDeque<ItemId>,
}

impl Concerns {
    /// Whom a block concerns.
    pub(crate) fn of(&mut self, block: &CertifiedBlock) -> Concern {
        let recorded = block.block.outcomes.iter().flat_map(|leaf| &leaf.events);
        let mut touched = Vec::new();
        for event in recorded {
            let Some(contract) = Contract::from_id(event.contract) else {
                continue;
            };
            let whom = match Event::from_bytes(event.contract, &event.bytes) {
                Ok(event) => self.of_event(&event),
                Err(_) => Whom::Everybody,
            };
            touched.push((contract, whom));
        }
        Concern { touched }
    }

    fn of_event(&mut self, event: &Event) -> Whom {
        let mut named = BTreeSet::new();
        let value = match event {
            Event::Membership(event) => serde_json::to_value(event),
            Event::Records(event) => serde_json::to_value(event),
            Event::Authorization(event) => serde_json::to_value(event),
            Event::Settlement(event) => serde_json::to_value(event),
            Event::Telemetry(event) => serde_json::to_value(event),
            Event::Governance(event) => serde_json::to_value(event),
        };
        match value {
            Ok(value) => collect(&value, &mut named),
            Err(_) => return Whom::Everybody,
        }
        if let Event::Authorization(event) = event {
            match event {
                Authorization::ItemOpened { item, .. } => self.remember(*item, &named),
                Authorization::HospitalApproved { item, .. }
                | Authorization::PatientApproved { item }
                | Authorization::ItemRefused { item, .. }
                | Authorization::ItemWithdrawn { item }
                | Authorization::ItemExpired { item }
                | Authorization::GrantWithdrawn { item, .. } => {
                    return match self.items.get(item) {
                        Some(members) => Whom::Members(members.clone()),
                        None => Whom::Everybody,
                    };
                }
                _ => {}
            }
        }
        // A review names the emergency alone, and whoever it was about waits for it.
        let is_review = matches!(event, Event::Records(Records::EmergencyReviewed { .. }));
        if named.is_empty() || is_review {
            Whom::Everybody
        } else {
            Whom::Members(named)
        }
    }

    fn remember(&mut self, item: ItemId, members: &BTreeSet<LedgerId>) {
        if self.items.len() >= ITEMS_MAX
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.items.remove(&oldest);
        }
        if self.items.insert(item, members.clone()).is_none() {
            self.oldest.push_back(item);
        }
    }
}

/// Every id in a value. Other ids of the same length are among them; they are nobody's.
fn collect(value: &Value, named: &mut BTreeSet<LedgerId>) {
    match value {
        Value::String(text) => named.extend(text.parse::<LedgerId>()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, named)),
        Value::Object(entries) => entries.values().for_each(|value| collect(value, named)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use contracts::authorization::event::Event as Authorization;
    use contracts::telemetry::event::Event as Telemetry;
    use contracts::{ApplicationId, EmergencyId, RecordNumber};
    use ledger::Timestamp;

    use super::*;

    const PATIENT: LedgerId = LedgerId([1; 16]);
    const HOSPITAL: LedgerId = LedgerId([2; 16]);
    const APPLICANT: LedgerId = LedgerId([3; 16]);
    const STRANGER: LedgerId = LedgerId([4; 16]);

    fn concerns(whom: Whom, contract: Contract, member: LedgerId) -> bool {
        let concern = Concern {
            touched: vec![(contract, whom)],
        };
        concern.touches(&BTreeSet::from([contract]), &BTreeSet::from([member]))
    }

    #[test]
    fn an_event_concerns_those_it_names_and_nobody_else() {
        let event = Event::Telemetry(Telemetry::DeviceRegistered {
            device: HOSPITAL,
            patient: PATIENT,
        });
        let whom = Concerns::default().of_event(&event);
        assert!(concerns(whom.clone(), Contract::Telemetry, PATIENT));
        assert!(!concerns(whom.clone(), Contract::Telemetry, STRANGER));
        let other = BTreeSet::from([Contract::Records]);
        let concern = Concern {
            touched: vec![(Contract::Telemetry, whom)],
        };
        assert!(!concern.touches(&other, &BTreeSet::from([PATIENT])));
    }

    #[test]
    fn the_review_of_an_emergency_reaches_the_doctor_who_opened_it() {
        let reviewed = Event::Records(Records::EmergencyReviewed {
            emergency: EmergencyId([5; 16]),
            regulator: HOSPITAL,
            justified: true,
        });
        let whom = Concerns::default().of_event(&reviewed);
        assert!(concerns(whom, Contract::Records, STRANGER));
    }

    #[test]
    fn a_decision_on_an_item_concerns_those_who_take_part_in_it() {
        let item = ItemId {
            application: ApplicationId([9; 16]),
            index: 1,
        };
        let decided = Event::Authorization(Authorization::PatientApproved { item });
        let mut known = Concerns::default();
        // Opened before the portal ran: better once too often.
        assert_eq!(known.of_event(&decided), Whom::Everybody);
        known.of_event(&Event::Authorization(Authorization::ItemOpened {
            item,
            record: RecordNumber([7; 16]),
            hospital: HOSPITAL,
            patient: PATIENT,
            applicant: APPLICANT,
            price: 1,
            item_key: [0; 32],
            deadline: Timestamp(1),
        }));
        let whom = known.of_event(&decided);
        for member in [HOSPITAL, PATIENT, APPLICANT] {
            assert!(concerns(whom.clone(), Contract::Authorization, member));
        }
        assert!(!concerns(whom, Contract::Authorization, STRANGER));
    }
}
