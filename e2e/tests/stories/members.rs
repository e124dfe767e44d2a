//! Who takes part.

use std::collections::{BTreeMap, BTreeSet};

use contracts::Event;
use contracts::membership::command::MemberKind;
use contracts::membership::event::Event as Membership;
use e2e::chain::Decided;
use e2e::story::{PATIENTS, story};

use crate::decided;

/// A10, A11, A15, A24, A25, A27, A28, A87. Fault: sign-in does not ask whether the member is active.
#[test]
fn members_register_and_act_only_after_node_operators_have_endorsed_them() {
    let story = story();
    story.tells("without endorsement its sign-in is refused with 403");
    let mut kinds = BTreeMap::new();
    let (mut endorsements, mut active) = (BTreeMap::<_, u32>::new(), BTreeSet::new());
    let mut operators = BTreeSet::new();
    for Decided { event, .. } in decided() {
        match event {
            Event::Membership(Membership::FounderNamed {
                member,
                operator: true,
                ..
            }) => {
                operators.insert(member);
            }
            Event::Membership(Membership::MemberRegistered { member, kind, .. }) => {
                kinds.insert(member, kind);
            }
            Event::Membership(Membership::MemberEndorsed {
                member, operator, ..
            }) => {
                assert!(
                    operators.contains(&operator),
                    "{operator} endorsed and is no node operator"
                );
                *endorsements.entry(member).or_default() += 1;
            }
            Event::Membership(Membership::MemberActivated { member }) => {
                let needed = match kinds[&member] {
                    MemberKind::Patient | MemberKind::Doctor | MemberKind::Device => 1,
                    _ => 3,
                };
                assert!(
                    endorsements[&member] >= needed,
                    "{member} is active without a quorum"
                );
                active.insert(member);
            }
            _ => {}
        }
    }
    let of = |kind| {
        kinds
            .iter()
            .filter(|(member, found)| **found == kind && active.contains(*member))
            .count()
    };
    // Insurance and devices, and one for each hospital that treated them.
    assert!(
        of(MemberKind::Patient) >= 3 * PATIENTS,
        "{} ids of patients",
        of(MemberKind::Patient)
    );
    let organisations = (
        of(MemberKind::ThirdParty),
        of(MemberKind::Insurer),
        of(MemberKind::Hospital),
    );
    assert_eq!(
        (
            of(MemberKind::Doctor),
            of(MemberKind::Device),
            organisations
        ),
        (3, 1, (1, 1, 1))
    );
    let never = kinds
        .keys()
        .filter(|member| !active.contains(*member))
        .count();
    assert_eq!(never, 1, "the stranger alone stays pending");
}

/// A30. Fault: the gateway learns of hospitals at its start only.
#[test]
fn a_third_hospital_joins_and_takes_part_without_any_restart() {
    let story = story();
    story.tells("Riverside Hospital registered");
    story.tells("opened a record of hillcrest by the patient's code");
    story.tells("no process was started anew");
}
