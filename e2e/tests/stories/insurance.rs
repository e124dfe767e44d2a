//! Claims.

use std::collections::BTreeMap;

use contracts::Event;
use contracts::settlement::event::Event as Settlement;
use e2e::chain::Decided;
use e2e::story::story;

use crate::decided;

/// A23, A67, A68, A69, A71. Fault: a claim is lost when its record waits for the patient's enrolment.
#[test]
fn every_claim_is_adjudicated_when_its_record_is_registered_and_a_patient_pays_the_own_share() {
    let (mut claims, mut paid) = (BTreeMap::new(), 0);
    for Decided { event, .. } in decided() {
        match event {
            Event::Settlement(Settlement::ClaimAdjudicated {
                claim,
                charged,
                benefit,
                share,
                ..
            }) => {
                assert_eq!(charged, benefit + share);
                assert!(
                    claims.insert(claim, share).is_none(),
                    "a claim was adjudicated twice"
                );
            }
            Event::Settlement(Settlement::ClaimPended { claim, .. }) => {
                panic!("{claim:?} is pended")
            }
            Event::Settlement(Settlement::SharePaid { claim, share, .. }) => {
                assert_eq!(claims[&claim], share);
                paid += 1;
            }
            _ => {}
        }
    }
    assert_eq!(claims.len() as u64, story().figure("adjudicated"));
    assert_eq!(paid, 1);
}
