//! Search, application, release, codes.

use std::collections::{BTreeMap, BTreeSet};

use contracts::Event;
use contracts::authorization::event::Event as Authorization;
use contracts::records::event::Event as Records;
use contracts::settlement::event::{Account, Event as Settlement, PostingReason};
use e2e::chain::Decided;
use e2e::story::story;

use crate::decided;

/// A53, A82. Fault: a count below the threshold is shown.
#[test]
fn a_disease_that_enough_patients_have_is_found_and_a_rarer_one_is_suppressed() {
    let story = story();
    story.tells("chronic sinusitis: ");
    story.tells("records to apply for");
    story.tells("is suppressed: too few");
}

/// A18, A51, A52, A54, A55, A56, A57, A59, A65, A66, A70. Fault: the key is released in another transaction than the payment.
#[test]
fn a_record_is_released_if_and_only_if_both_approved_and_it_is_paid_in_the_same_transaction() {
    let (mut hospital, mut patient) = (BTreeSet::new(), BTreeSet::new());
    let (mut released, mut paid) = (BTreeMap::new(), BTreeMap::new());
    for Decided { transaction, event } in decided() {
        match event {
            Event::Authorization(Authorization::HospitalApproved { item, .. }) => {
                assert!(!patient.contains(&item));
                hospital.insert(item);
            }
            Event::Authorization(Authorization::PatientApproved { item }) => {
                assert!(
                    hospital.contains(&item),
                    "the patient approved before the hospital"
                );
                patient.insert(item);
            }
            Event::Authorization(Authorization::ItemReleased {
                item,
                patient: owner,
                price,
                ..
            }) => {
                assert!(
                    patient.contains(&item),
                    "released without the patient's approval"
                );
                released.insert(item, (transaction, owner, price));
            }
            Event::Settlement(Settlement::Posted {
                reason: PostingReason::ItemPaid(item),
                lines,
            }) => {
                let line = lines.iter().find_map(|line| match line.account {
                    Account::Member(member) => Some((member, line.amount)),
                    _ => None,
                });
                let (member, amount) = line.expect("a payment reaches a member");
                paid.insert(item, (transaction, member, amount));
            }
            _ => {}
        }
    }
    assert_eq!(released.len(), 4);
    assert_eq!(released, paid, "released and paid differ");
    story().tells("as committed: transaction");
    story().tells("cents reached the patients' accounts for 4 released items");
}

/// A58. Fault: a refusal leaves the escrow where it is.
#[test]
fn a_refusal_by_hospital_or_patient_ends_the_item_and_returns_its_escrow_in_the_same_transaction() {
    let (mut refused, mut returned) = (BTreeMap::new(), BTreeMap::new());
    for Decided { transaction, event } in decided() {
        match event {
            Event::Authorization(Authorization::ItemRefused { item, .. }) => {
                refused.insert(item, transaction);
            }
            Event::Settlement(Settlement::Posted {
                reason: PostingReason::EscrowReturned(item),
                ..
            }) => {
                returned.insert(item, transaction);
            }
            _ => {}
        }
    }
    assert_eq!(refused.len(), 2);
    assert_eq!(refused, returned);
    let applications = &story().report["applications"];
    assert_eq!(
        (
            &applications["refused_by_hospital"],
            &applications["refused_by_patient"]
        ),
        (&1.into(), &1.into())
    );
}

/// A64. Fault: a withdrawn grant still lets its holder read.
#[test]
fn after_a_grant_is_withdrawn_the_next_read_is_refused() {
    story().tells("the institution's next read is re");
    let withdrawn = decided().into_iter().filter(|decided| {
        matches!(
            decided.event,
            Event::Authorization(Authorization::GrantWithdrawn { .. })
        )
    });
    assert_eq!(withdrawn.count(), 1);
}

/// A33, A34, A35, A61, A62. Fault: a changed code's predecessor still opens the record.
#[test]
fn an_authorization_code_opens_one_record_elsewhere_and_stops_working_when_it_is_changed() {
    let story = story();
    story.tells("the patient's code opened one record of lakeside to a doctor of hillcrest");
    story.tells("with another patient ID it is refused with 403");
    story.tells("the old code is re");
    story.tells("the new code opened it");
    let redeemed = decided()
        .into_iter()
        .filter(|decided| matches!(decided.event, Event::Records(Records::CodeRedeemed { .. })));
    assert_eq!(redeemed.count(), 3);
}
