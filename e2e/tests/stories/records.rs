//! Records come in, are read, and are watched.

use std::collections::{BTreeMap, BTreeSet};

use contracts::Event;
use contracts::records::event::Event as Records;
use e2e::chain::Decided;
use e2e::story::story;

use crate::decided;

/// A26, A30, A31, A32, A36, A38, A40, A42, A76, A77, A78, A84. Fault: an import registers a record twice, or at one hospital only.
#[test]
fn two_hospitals_with_different_tables_register_every_record_once() {
    let story = story();
    story.tells("none doubled");
    let mut by_hospital: BTreeMap<_, u64> = BTreeMap::new();
    let mut records = BTreeSet::new();
    for Decided { event, .. } in decided() {
        if let Event::Records(Records::RecordRegistered {
            record, hospital, ..
        }) = event
        {
            assert!(records.insert(record), "{record} was registered twice");
            *by_hospital.entry(hospital).or_default() += 1;
        }
    }
    assert_eq!(by_hospital.len(), 2);
    assert_eq!(by_hospital.values().sum::<u64>(), story.figure("records"));
    let database =
        |name: &str| std::fs::read(story.process(name).join("data/hospital.db")).unwrap();
    let holds = |bytes: &[u8], text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds(
        &database("records-lakeside"),
        "resource (encounter_id"
    ));
    assert!(holds(&database("records-hillcrest"), "document (visit_no"));
}

/// A43, A44, A45, A46, A47, A49, A63, A64, A97. Fault: content is shown before its AccessLogged is committed, or to a doctor of another hospital.
#[test]
fn patients_read_everything_doctors_only_their_own_hospitals_and_every_view_is_on_the_ledger() {
    let story = story();
    story.tells("records from lakeside: transaction");
    story.tells("records from hillcrest: transaction");
    story.tells("a doctor of lakeside read a record without applying");
    story.tells("of hillcrest the same doctor's view is refused with 403");
    story.tells("the patient sees who viewed: Dr. Canary 0, own_hospital");
    let viewed = decided().into_iter().filter(|decided| {
        matches!(
            decided.event,
            Event::Records(Records::AccessLogged { .. } | Records::CodeRedeemed { .. })
        )
    });
    assert_eq!(viewed.count() as u64, story.figure("views"));
}

/// A37, A48, A99. Fault: a read trusts the hospital's row without re-hashing it.
#[test]
fn an_edited_row_of_a_hospital_is_found_at_the_next_read_withheld_and_reported() {
    let story = story();
    story.tells("the next read finds it Edited and shows nothing");
    assert_eq!(story.figure("tampering_detected"), 1);
}

/// A38, A83. Fault: a record's content, or something that grows with it, goes into the transaction.
#[test]
fn what_is_on_the_chain_does_not_grow_with_the_record() {
    const BYTES_MAX: usize = 1024;
    let (mut registrations, mut largest) = (0, 0);
    for block in e2e::chain::blocks(&story().blocks(0)) {
        let leaves = &block.block.outcomes[1..];
        for (transaction, leaf) in block.block.transactions.iter().zip(leaves) {
            let registers = leaf.events.iter().any(|recorded| {
                matches!(
                    Event::from_bytes(recorded.contract, &recorded.bytes),
                    Ok(Event::Records(Records::RecordRegistered { .. }))
                )
            });
            if registers {
                let events: usize = leaf.events.iter().map(|event| event.bytes.len()).sum();
                registrations += 1;
                largest = largest.max(transaction.to_bytes().len() + events);
            }
        }
    }
    assert_eq!(registrations, story().figure("records"));
    assert!(
        largest <= BYTES_MAX,
        "a registration takes {largest} bytes of the chain"
    );
}
