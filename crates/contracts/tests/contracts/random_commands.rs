//! Random sequences of commands about money and applications, by the right members and by wrong ones, and waiting.

use contracts::authorization::command::{Command as Authorization, ItemOffer, RefusalReason};
use contracts::authorization::grant_of;
use contracts::records::command::{Basis, Command as Records};
use contracts::settlement::command::{
    BenefitCategory, ClaimReference, Command as Settlement, PlanId, ReimbursementRule,
};
use contracts::{ApplicationId, Command, Execution, ItemId, PaymentReference, Purpose, expire};
use ledger::{Digest, LedgerId, Outcome};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::authorization::funded;
use crate::records::{access_to, registered_for};
use crate::scenario::*;

/// What happens next.
#[derive(Clone, Debug)]
pub enum Step {
    /// A member submits a command.
    Submit(LedgerId, Box<Command>),
    /// Time passes, and a block expires up to so many items.
    Wait(u64, usize),
}

/// Records 1 to 3: two of the patient's at two hospitals, one of the other patient's.
pub const RECORDS: [(u8, LedgerId, LedgerId); 3] = [
    (1, PATIENT, HOSPITAL),
    (2, OTHER_PATIENT, HOSPITAL),
    (3, PATIENT, OTHER_HOSPITAL),
];

/// The members who own money.
pub const OWNERS: [LedgerId; 8] = [
    PATIENT,
    OTHER_PATIENT,
    INSTITUTE,
    OTHER_INSTITUTE,
    INSURER,
    OTHER_INSURER,
    HOSPITAL,
    OTHER_HOSPITAL,
];

/// Where every sequence starts: the records, a plan of the insurer's that covers the patient, and money.
pub fn start() -> Scenario {
    let mut scenario = world();
    for (number, patient, hospital) in RECORDS {
        scenario = scenario.given(registered_for(number, patient, hospital));
    }
    let rule = ReimbursementRule {
        category: BenefitCategory::Outpatient,
        proportion_basis_points: 7_000,
        copay: 20,
        benefit_max: 400,
    };
    let publish = Settlement::PublishRules {
        plan: PlanId(1),
        version: 1,
        rules: vec![rule],
    };
    let cover = Settlement::RegisterCoverage {
        insured: PATIENT,
        plan: PlanId(1),
        from_year: 2010,
        until_year: 2019,
    };
    for owner in [INSTITUTE, OTHER_INSTITUTE, INSURER] {
        scenario = funded(scenario, owner, 2_000);
    }
    scenario
        .when(INSURER, publish)
        .then_accepted()
        .when(INSURER, cover)
        .then_accepted()
}

/// Sequences of up to `length` steps.
pub fn sequences(length: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..length)
}

fn step() -> impl Strategy<Value = Step> {
    let submitted = prop_oneof![4 => money(), 14 => authorization(), 3 => claims(), 1 => records()];
    // One in eight is submitted by somebody else than the one who should.
    let submitted = (submitted, 0..8u8, any::<prop::sample::Index>()).prop_map(
        |((submitter, command), wrong, who)| {
            let submitter = if wrong == 0 {
                *who.get(&OWNERS)
            } else {
                submitter
            };
            Step::Submit(submitter, Box::new(command))
        },
    );
    let wait = prop_oneof![9 => 0..DAY, 1 => 0..40 * DAY];
    prop_oneof![12 => submitted, 1 => (wait, 1..4usize).prop_map(|(time, limit)| Step::Wait(time, limit))]
}

fn owner() -> impl Strategy<Value = LedgerId> {
    prop::sample::select(OWNERS.to_vec())
}

/// Mostly small, now and then at the edges.
fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![20 => 0..2_000i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN), 1 => -10..0i64, 1 => any::<i64>()]
}

fn reference() -> impl Strategy<Value = PaymentReference> {
    any::<u8>().prop_map(|number| PaymentReference([number; 16]))
}

fn money() -> impl Strategy<Value = (LedgerId, Command)> {
    let deposit = (reference(), owner(), amount()).prop_map(|(reference, account, amount)| {
        (
            TREASURER,
            Settlement::Deposit {
                reference,
                account,
                amount,
            }
            .into(),
        )
    });
    let withdraw = (reference(), owner(), amount()).prop_map(|(reference, account, amount)| {
        (account, Settlement::Withdraw { reference, amount }.into())
    });
    prop_oneof![3 => deposit, 1 => withdraw]
}

fn claims() -> impl Strategy<Value = (LedgerId, Command)> {
    let claim = || (0..6u8).prop_map(|number| ClaimReference(Digest([number; 32])));
    let category =
        prop_oneof![4 => Just(BenefitCategory::Outpatient), 1 => Just(BenefitCategory::Pharmacy)];
    let submit = (claim(), 0..3u16, category, amount(), 2008..2022u16).prop_map(
        |(claim, plan, category, charged, year)| {
            let (insured, plan) = (PATIENT, PlanId(plan));
            (
                HOSPITAL,
                Settlement::SubmitClaim {
                    claim,
                    insured,
                    plan,
                    category,
                    charged,
                    service_year: year,
                }
                .into(),
            )
        },
    );
    let resolve = (claim(), amount())
        .prop_map(|(claim, benefit)| (INSURER, Settlement::ResolveClaim { claim, benefit }.into()));
    let pay = claim().prop_map(|claim| (PATIENT, Settlement::PayShare { claim }.into()));
    prop_oneof![2 => submit, 1 => resolve, 1 => pay]
}

fn records() -> impl Strategy<Value = (LedgerId, Command)> {
    let record_of = || prop::sample::select(RECORDS.to_vec());
    let erase = record_of().prop_map(|(number, patient, _)| {
        (
            patient,
            Records::EraseRecord {
                record: record(number),
            }
            .into(),
        )
    });
    let consent = (
        prop::bool::weighted(0.9),
        prop::sample::select(vec![PATIENT, OTHER_PATIENT]),
    )
        .prop_map(|(research, patient)| {
            (
                patient,
                Records::SetConsent {
                    share_for_treatment: true,
                    research,
                }
                .into(),
            )
        });
    prop_oneof![1 => erase, 9 => consent]
}

fn application(number: u8) -> ApplicationId {
    ApplicationId([number; 16])
}

/// Who applies under which application id.
fn applicant(application: u8) -> LedgerId {
    if application.is_multiple_of(2) {
        INSTITUTE
    } else {
        OTHER_INSTITUTE
    }
}

fn apply() -> impl Strategy<Value = (LedgerId, Command)> {
    let price = prop_oneof![12 => 0..300i64, 1 => amount()];
    (0..3u8, vec(price, 1..4), 10..60u64).prop_map(|(number, prices, days)| {
        // Item i is for the i-th record, so that the right members answer more often than not.
        let offer = |(index, price): (usize, &i64)| ItemOffer {
            record: record(RECORDS[index].0),
            price: *price,
            item_key: [1; 32],
        };
        let command = Authorization::ApplyForRecords {
            application: application(number),
            purpose: Purpose::Research,
            until: NOW.plus(days * DAY),
            statement: commitment("why"),
            items: prices.iter().enumerate().map(offer).collect(),
        };
        (applicant(number), command.into())
    })
}

fn authorization() -> impl Strategy<Value = (LedgerId, Command)> {
    let kind = prop::sample::select(vec![
        0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 3, 4, 5, 6, 7, 8,
    ]);
    let answers = (0..3u8, 0..3u16, kind, any::<bool>());
    let answer = answers.prop_map(|(number, index, kind, reverse)| {
        let (record_number, patient, hospital) = RECORDS[usize::from(index)];
        let item = ItemId {
            application: application(number),
            index,
        };
        let reason = RefusalReason::Unstated;
        let (submitter, command) = match kind {
            0 => {
                let (ciphertext, release) = (CHAIN, commitment("release"));
                (
                    hospital,
                    Authorization::ApproveAsHospital {
                        item,
                        ciphertext,
                        ciphertext_bytes: 9,
                        release,
                        version: 1,
                    },
                )
            }
            1 => (patient, Authorization::ApproveAsPatient { item }),
            2 => (
                hospital,
                Authorization::ReleaseKey {
                    item,
                    sealed_key: sealed(),
                },
            ),
            3 if reverse => (hospital, Authorization::RefuseAsHospital { item, reason }),
            3 => (patient, Authorization::RefuseAsPatient { item, reason }),
            4 => (applicant(number), Authorization::WithdrawItem { item }),
            5 => (
                patient,
                Authorization::WithdrawGrant {
                    grant: grant_of(&item),
                },
            ),
            6 => (
                applicant(number),
                Authorization::DisputeRelease {
                    item,
                    disclosure: sealed(),
                },
            ),
            7 => (REGULATOR, Authorization::SettleDispute { item, reverse }),
            8 => {
                let basis = Basis::Grant {
                    grant: grant_of(&item),
                };
                return (
                    applicant(number),
                    access_to(&[record(record_number)], basis, Purpose::Research).into(),
                );
            }
            _ => unreachable!("there are nine kinds of answers"),
        };
        (submitter, command.into())
    });
    prop_oneof![1 => apply(), 6 => answer]
}

/// Takes one step; what a block expires counts as accepted.
pub fn take(scenario: Scenario, step: &Step) -> (Scenario, Execution) {
    match step {
        Step::Submit(submitter, command) => {
            let execution = scenario
                .clone()
                .when(*submitter, *command.clone())
                .execution;
            let mut after = scenario;
            after.apply(&execution.writes);
            (after, execution)
        }
        Step::Wait(microseconds, limit) => {
            let mut after = scenario.later(*microseconds);
            let (events, writes) = expire(&after.state, after.height, after.time, *limit);
            after.apply(&writes);
            (
                after,
                Execution {
                    outcome: Outcome::Accepted,
                    events,
                    writes,
                },
            )
        }
    }
}
