//! What holds for applications after every sequence of commands.

use std::collections::{BTreeMap, BTreeSet};

use contracts::authorization::event::{Event as Authorization, Refuser};
use contracts::authorization::grant_of;
use contracts::records::command::Basis;
use contracts::records::event::Event as Records;
use contracts::settlement::event::{Account, Event as Settlement, Line, PostingReason};
use contracts::{ApplicationId, Event, GrantId, ItemId};
use ledger::{LedgerId, Timestamp};
use proptest::prelude::*;

use crate::random_commands::{Step, sequences, start, take};
use crate::scenario::REGULATOR;

/// What an observer of the events knows of an item.
#[derive(Clone, Debug)]
struct Seen {
    hospital: LedgerId,
    patient: LedgerId,
    applicant: LedgerId,
    price: i64,
    deadline: Timestamp,
    hospital_approved: bool,
    patient_approved: bool,
    ended: bool,
    paid: bool,
    released: bool,
}

#[derive(Default)]
struct Observer {
    items: BTreeMap<ItemId, Seen>,
    grants: BTreeMap<GrantId, (LedgerId, Timestamp)>,
    closed: BTreeSet<ApplicationId>,
    releases: usize,
}

/// Who submitted (nobody: the block itself), and when.
struct Moment {
    submitter: Option<LedgerId>,
    time: Timestamp,
}

impl Observer {
    fn observe(&mut self, moment: &Moment, events: &[Event]) -> Result<(), TestCaseError> {
        for event in events {
            match event {
                Event::Authorization(event) => self.observe_authorization(moment, event)?,
                Event::Settlement(Settlement::Posted {
                    reason: PostingReason::ItemPaid(item),
                    lines,
                }) => {
                    self.observe_payment(item, lines, events)?;
                }
                Event::Records(Records::AccessLogged {
                    basis: Basis::Grant { grant },
                    viewer,
                    ..
                }) => {
                    let Some((applicant, until)) = self.grants.get(grant) else {
                        return Err(TestCaseError::fail("a view without a grant in force"));
                    };
                    prop_assert!(viewer == applicant && moment.time < *until);
                }
                _ => {}
            }
        }
        self.check_closings()
    }

    /// A payment is the price, from the item's escrow to its patient, in the decision that releases the item.
    fn observe_payment(
        &mut self,
        item: &ItemId,
        lines: &[Line],
        events: &[Event],
    ) -> Result<(), TestCaseError> {
        let released = events
            .iter()
            .any(|event| matches!(event, Event::Authorization(Authorization::ItemReleased { item: other, .. }) if other == item));
        prop_assert!(released, "a payment without a release");
        let seen = self.items.get_mut(item).expect("an item that was opened");
        let expected = [
            Line {
                account: Account::Escrow(*item),
                amount: -seen.price,
            },
            Line {
                account: Account::Member(seen.patient),
                amount: seen.price,
            },
        ];
        prop_assert_eq!(lines, expected);
        prop_assert!(!seen.paid, "paid twice");
        seen.paid = true;
        Ok(())
    }

    fn observe_authorization(
        &mut self,
        moment: &Moment,
        event: &Authorization,
    ) -> Result<(), TestCaseError> {
        match event {
            Authorization::ItemOpened {
                item,
                hospital,
                patient,
                applicant,
                price,
                deadline,
                ..
            } => {
                let seen = Seen {
                    hospital: *hospital,
                    patient: *patient,
                    applicant: *applicant,
                    price: *price,
                    deadline: *deadline,
                    hospital_approved: false,
                    patient_approved: false,
                    ended: false,
                    paid: false,
                    released: false,
                };
                prop_assert!(self.items.insert(*item, seen).is_none());
            }
            Authorization::HospitalApproved { item, .. } => {
                let seen = self.open(moment, item, |seen| seen.hospital)?;
                prop_assert!(!seen.hospital_approved && !seen.patient_approved);
                seen.hospital_approved = true;
            }
            Authorization::PatientApproved { item } => {
                let seen = self.open(moment, item, |seen| seen.patient)?;
                prop_assert!(
                    seen.hospital_approved,
                    "the patient was asked before the hospital"
                );
                seen.patient_approved = true;
            }
            Authorization::ItemReleased {
                item, grant, until, ..
            } => self.observe_release(moment, item, *grant, *until)?,
            Authorization::ItemRefused { item, refuser, .. } => {
                let by = *refuser;
                let who = |seen: &Seen| {
                    if by == Refuser::Hospital {
                        seen.hospital
                    } else {
                        seen.patient
                    }
                };
                self.open(moment, item, who)?.ended = true;
            }
            Authorization::ItemWithdrawn { item } => {
                self.open(moment, item, |seen| seen.applicant)?.ended = true
            }
            Authorization::ItemExpired { item } => {
                let seen = self.items.get_mut(item).expect("an item that was opened");
                prop_assert!(
                    !seen.ended && moment.submitter.is_none() && seen.deadline <= moment.time
                );
                seen.ended = true;
            }
            Authorization::GrantWithdrawn { grant, item } => {
                prop_assert_eq!(moment.submitter, Some(self.items[item].patient));
                prop_assert!(self.grants.remove(grant).is_some());
            }
            Authorization::DisputeSettled { item, reversed } => {
                prop_assert_eq!(moment.submitter, Some(REGULATOR));
                if *reversed {
                    self.grants.remove(&grant_of(item));
                }
            }
            Authorization::ApplicationClosed { application } => {
                prop_assert!(self.closed.insert(*application), "closed twice")
            }
            Authorization::DecidedByGuardian { .. } => {
                return Err(TestCaseError::fail("nobody has named a guardian"));
            }
            Authorization::ApplicationMade { .. } | Authorization::ReleaseDisputed { .. } => {}
        }
        Ok(())
    }

    fn observe_release(
        &mut self,
        moment: &Moment,
        item: &ItemId,
        grant: GrantId,
        until: Timestamp,
    ) -> Result<(), TestCaseError> {
        let seen = self.open(moment, item, |seen| seen.hospital)?;
        prop_assert!(
            seen.hospital_approved && seen.patient_approved,
            "released without both approvals"
        );
        // The payment comes before the release in the same decision; nothing is posted where nothing is paid.
        prop_assert!(seen.paid || seen.price == 0, "released without payment");
        seen.ended = true;
        seen.released = true;
        let applicant = seen.applicant;
        prop_assert!(self.grants.insert(grant, (applicant, until)).is_none());
        self.releases += 1;
        Ok(())
    }

    /// An item that has not ended, acted on in time by the one whose turn it is.
    fn open(
        &mut self,
        moment: &Moment,
        item: &ItemId,
        who: impl Fn(&Seen) -> LedgerId,
    ) -> Result<&mut Seen, TestCaseError> {
        let seen = self.items.get_mut(item).expect("an item that was opened");
        prop_assert!(!seen.ended, "an ended item changed");
        prop_assert!(
            moment.time < seen.deadline,
            "an item changed after its deadline"
        );
        prop_assert_eq!(moment.submitter, Some(who(seen)));
        Ok(seen)
    }

    /// An application is closed exactly when its last item has ended; what is paid is released.
    fn check_closings(&self) -> Result<(), TestCaseError> {
        let mut open = BTreeSet::new();
        for (item, seen) in &self.items {
            prop_assert!(!seen.paid || seen.released);
            if !seen.ended {
                open.insert(item.application);
            }
        }
        for item in self.items.keys() {
            prop_assert_eq!(
                self.closed.contains(&item.application),
                !open.contains(&item.application)
            );
        }
        Ok(())
    }
}

/// Runs a sequence past the observer; how many items were released.
fn check(steps: &[Step]) -> Result<usize, TestCaseError> {
    let mut scenario = start();
    let mut observer = Observer::default();
    for step in steps {
        let (after, execution) = take(scenario, step);
        scenario = after;
        let submitter = match step {
            Step::Submit(submitter, _) => Some(*submitter),
            Step::Wait(..) => None,
        };
        observer.observe(
            &Moment {
                submitter,
                time: scenario.time,
            },
            &execution.events,
        )?;
    }
    Ok(observer.releases)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_releases_without_both_approvals_and_payment_or_pays_without_release(steps in sequences(250)) {
        check(&steps)?;
    }
}

#[test]
fn the_random_sequences_do_reach_releases() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let strategy = sequences(250);
    let releases: usize = (0..100)
        .map(|_| check(&strategy.new_tree(&mut runner).unwrap().current()).unwrap())
        .sum();
    assert!(
        releases >= 20,
        "only {releases} releases in a hundred sequences: the property would hold of nothing"
    );
}
