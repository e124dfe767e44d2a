//! Hospital first, then patient, then release against payment.

use contracts::authorization::command::{ItemOffer, RefusalReason};
use contracts::authorization::{Command, Event, Rejection, grant_of};
use contracts::next_due;
use contracts::settlement::event::{Account, Line, PostingReason};
use contracts::{ApplicationId, ItemId, Purpose, Sealed, governance, records, settlement};
use ledger::{LedgerId, Timestamp};

use crate::records::registered_for;
use crate::scenario::*;

pub const APPLICATION: ApplicationId = ApplicationId([6; 16]);

pub const PRICE: i64 = 2_500;

/// The escrow of item 1.
pub const OTHER_PRICE: i64 = 1_000;

pub fn item(index: u16) -> ItemId {
    ItemId {
        application: APPLICATION,
        index,
    }
}

pub fn funded(scenario: Scenario, member: LedgerId, amount: i64) -> Scenario {
    let lines = vec![
        Line {
            account: Account::External,
            amount: -amount,
        },
        Line {
            account: Account::Member(member),
            amount,
        },
    ];
    let reason = PostingReason::Deposit(contracts::PaymentReference(member.0));
    scenario.given(settlement::Event::Posted { reason, lines })
}

/// Records 1 and 2 of two patients at two hospitals, and an institute with money.
pub fn prepared() -> Scenario {
    let scenario = world()
        .given(registered_for(1, PATIENT, HOSPITAL))
        .given(registered_for(2, OTHER_PATIENT, OTHER_HOSPITAL));
    funded(scenario, INSTITUTE, 10_000)
}

pub fn offer(number: u8, price: i64) -> ItemOffer {
    ItemOffer {
        record: record(number),
        price,
        item_key: [number; 32],
    }
}

pub fn until() -> Timestamp {
    NOW.plus(30 * DAY)
}

pub fn apply_with(purpose: Purpose, items: Vec<ItemOffer>) -> Command {
    Command::ApplyForRecords {
        application: APPLICATION,
        purpose,
        until: until(),
        statement: commitment("why"),
        items,
    }
}

pub fn apply() -> Command {
    apply_with(
        Purpose::Research,
        vec![offer(1, PRICE), offer(2, OTHER_PRICE)],
    )
}

pub fn applied() -> Scenario {
    prepared().when(INSTITUTE, apply()).then_accepted()
}

pub fn approve_as_hospital(index: u16) -> Command {
    let (ciphertext, release) = (CHAIN, commitment("release"));
    Command::ApproveAsHospital {
        item: item(index),
        ciphertext,
        ciphertext_bytes: 900,
        release,
        version: 1,
    }
}

pub fn approve_as_patient(index: u16) -> Command {
    Command::ApproveAsPatient { item: item(index) }
}

pub fn release(index: u16) -> Command {
    Command::ReleaseKey {
        item: item(index),
        sealed_key: sealed(),
    }
}

pub fn withdraw(index: u16) -> Command {
    Command::WithdrawItem { item: item(index) }
}

pub fn refuse_as_hospital(index: u16) -> Command {
    Command::RefuseAsHospital {
        item: item(index),
        reason: RefusalReason::Unfit,
    }
}

pub fn refuse_as_patient(index: u16) -> Command {
    Command::RefuseAsPatient {
        item: item(index),
        reason: RefusalReason::Sensitive,
    }
}

pub fn approved_by_hospital() -> Scenario {
    applied()
        .when(HOSPITAL, approve_as_hospital(0))
        .then_accepted()
}

pub fn approved_by_both() -> Scenario {
    approved_by_hospital()
        .when(PATIENT, approve_as_patient(0))
        .then_accepted()
}

/// Item 0 is released to the institute; item 1 still waits.
pub fn released() -> Scenario {
    approved_by_both()
        .when(HOSPITAL, release(0))
        .then_accepted()
}

pub fn disputed() -> Scenario {
    let dispute = Command::DisputeRelease {
        item: item(0),
        disclosure: sealed(),
    };
    released().when(INSTITUTE, dispute).then_accepted()
}

pub fn moved(reason: PostingReason, from: Account, to: Account, amount: i64) -> settlement::Event {
    settlement::Event::Posted {
        reason,
        lines: vec![
            Line {
                account: from,
                amount: -amount,
            },
            Line {
                account: to,
                amount,
            },
        ],
    }
}

pub fn returned(index: u16, amount: i64) -> settlement::Event {
    let reason = PostingReason::EscrowReturned(item(index));
    moved(
        reason,
        Account::Escrow(item(index)),
        Account::Member(INSTITUTE),
        amount,
    )
}

#[test]
fn an_application_opens_an_item_per_record_and_holds_each_price_in_escrow() {
    let deadline = NOW.plus(14 * DAY);
    let held = |index, price| {
        moved(
            PostingReason::EscrowHeld(item(index)),
            Account::Member(INSTITUTE),
            Account::Escrow(item(index)),
            price,
        )
    };
    let opened = |index: u16, patient, hospital, price| Event::ItemOpened {
        item: item(index),
        record: record(index as u8 + 1),
        hospital,
        patient,
        applicant: INSTITUTE,
        price,
        item_key: [index as u8 + 1; 32],
        deadline,
    };
    prepared().when(INSTITUTE, apply()).then_events(events![
        Event::ApplicationMade {
            application: APPLICATION,
            applicant: INSTITUTE,
            purpose: Purpose::Research,
            until: until(),
            statement: commitment("why"),
            items: 2,
        },
        held(0, PRICE),
        held(1, OTHER_PRICE),
        opened(0, PATIENT, HOSPITAL, PRICE),
        opened(1, OTHER_PATIENT, OTHER_HOSPITAL, OTHER_PRICE),
    ]);
}

#[test]
fn only_third_parties_and_insurers_apply() {
    for submitter in [PATIENT, DOCTOR, HOSPITAL, REGULATOR] {
        prepared()
            .when(submitter, apply())
            .then_rejected(Rejection::MayNotApply);
    }
    funded(prepared(), INSURER, 10_000)
        .when(INSURER, apply())
        .then_accepted();
}

#[test]
fn an_application_id_is_used_once() {
    applied()
        .when(INSTITUTE, apply())
        .then_rejected(Rejection::ApplicationExists);
}

#[test]
fn an_application_is_for_1_to_64_distinct_records() {
    let twice = apply_with(Purpose::Research, vec![offer(1, PRICE), offer(1, PRICE)]);
    prepared()
        .when(INSTITUTE, twice)
        .then_rejected(Rejection::ItemsNotFit);
    prepared()
        .when(INSTITUTE, apply_with(Purpose::Research, vec![]))
        .then_rejected(Rejection::ItemsNotFit);
    let mut scenario = prepared();
    for number in 101..=165 {
        scenario = scenario.given(registered_for(number, PATIENT, HOSPITAL));
    }
    let many = |count: u8| {
        apply_with(
            Purpose::Research,
            (101..101 + count).map(|number| offer(number, 1)).collect(),
        )
    };
    let scenario = scenario
        .when(INSTITUTE, many(65))
        .then_rejected(Rejection::ItemsNotFit);
    scenario.when(INSTITUTE, many(64)).then_accepted();
}

#[test]
fn one_applies_for_purposes_that_an_application_is_for() {
    for purpose in [
        Purpose::Treatment,
        Purpose::EmergencyTreatment,
        Purpose::PatientRequest,
        Purpose::Payment,
    ] {
        let command = apply_with(purpose, vec![offer(1, PRICE)]);
        prepared()
            .when(INSTITUTE, command)
            .then_rejected(Rejection::PurposeNotAllowed);
    }
    for purpose in [Purpose::PublicHealth, Purpose::Operations] {
        prepared()
            .when(INSTITUTE, apply_with(purpose, vec![offer(1, PRICE)]))
            .then_accepted();
    }
}

#[test]
fn the_grants_end_is_ahead() {
    let command = |until| Command::ApplyForRecords {
        application: APPLICATION,
        purpose: Purpose::Research,
        until,
        statement: commitment("why"),
        items: vec![offer(1, PRICE)],
    };
    prepared()
        .when(INSTITUTE, command(NOW))
        .then_rejected(Rejection::EndNotAhead);
    let scenario = prepared()
        .when(INSTITUTE, command(NOW.plus(DAY)))
        .then_accepted();
    // An item never outlives the grant it asks for.
    assert_eq!(next_due(&scenario.state), Some(NOW.plus(DAY)));
}

#[test]
fn a_price_is_at_least_the_parameter_and_never_negative() {
    let negative = apply_with(Purpose::Research, vec![offer(1, -1)]);
    prepared()
        .when(INSTITUTE, negative)
        .then_rejected(Rejection::PriceTooLow);
    let parameter = governance::Parameter::ItemPriceMin;
    let scenario = prepared().given(governance::Event::ParameterFounded {
        parameter,
        value: 1_001,
    });
    scenario
        .when(INSTITUTE, apply())
        .then_rejected(Rejection::PriceTooLow);
}

#[test]
fn nobody_applies_for_unknown_or_erased_records() {
    let unknown = apply_with(Purpose::Research, vec![offer(9, PRICE)]);
    prepared()
        .when(INSTITUTE, unknown)
        .then_rejected(records::Rejection::UnknownRecord);
    let erased = prepared()
        .when(PATIENT, records::Command::EraseRecord { record: record(1) })
        .then_accepted();
    erased
        .when(INSTITUTE, apply())
        .then_rejected(records::Rejection::RecordErased);
}

#[test]
fn nobody_applies_for_research_on_the_records_of_a_patient_who_opted_out() {
    let opt_out = records::Command::SetConsent {
        share_for_treatment: true,
        research: false,
    };
    let scenario = prepared().when(OTHER_PATIENT, opt_out).then_accepted();
    scenario
        .when(INSTITUTE, apply())
        .then_rejected(records::Rejection::ResearchOff);
}

#[test]
fn an_insurers_claims_audit_does_not_depend_on_the_consent_to_research() {
    let opt_out = records::Command::SetConsent {
        share_for_treatment: true,
        research: false,
    };
    let scenario = prepared().when(PATIENT, opt_out).then_accepted();
    let scenario = funded(scenario, INSURER, PRICE);
    scenario
        .when(INSURER, apply_with(Purpose::Payment, vec![offer(1, PRICE)]))
        .then_accepted();
}

#[test]
fn the_applicant_has_the_sum_of_all_prices() {
    let dear = apply_with(Purpose::Research, vec![offer(1, 9_000), offer(2, 1_001)]);
    prepared()
        .when(INSTITUTE, dear)
        .then_rejected(settlement::Rejection::InsufficientFunds);
    let endless = apply_with(
        Purpose::Research,
        vec![offer(1, i64::MAX), offer(2, i64::MAX)],
    );
    prepared()
        .when(INSTITUTE, endless)
        .then_rejected(settlement::Rejection::AmountOverflow);
}

#[test]
fn the_hospital_approves_first_then_the_patient_then_the_key_is_released_and_paid() {
    let scenario = applied()
        .when(HOSPITAL, approve_as_hospital(0))
        .then_events(events![Event::HospitalApproved {
            item: item(0),
            ciphertext: CHAIN,
            ciphertext_bytes: 900,
            release: commitment("release"),
            version: 1,
        }]);
    let scenario = scenario
        .when(PATIENT, approve_as_patient(0))
        .then_events(events![Event::PatientApproved { item: item(0) }]);
    scenario.when(HOSPITAL, release(0)).then_events(events![
        moved(
            PostingReason::ItemPaid(item(0)),
            Account::Escrow(item(0)),
            Account::Member(PATIENT),
            PRICE
        ),
        Event::ItemReleased {
            item: item(0),
            record: record(1),
            grant: grant_of(&item(0)),
            applicant: INSTITUTE,
            patient: PATIENT,
            price: PRICE,
            until: until(),
            sealed_key: sealed(),
        },
    ]);
}

#[test]
fn the_patient_does_not_approve_before_the_hospital() {
    applied()
        .when(PATIENT, approve_as_patient(0))
        .then_rejected(Rejection::NotAwaitingPatient);
    applied()
        .when(PATIENT, refuse_as_patient(0))
        .then_rejected(Rejection::NotAwaitingPatient);
}

#[test]
fn nothing_is_released_before_both_approved() {
    applied()
        .when(HOSPITAL, release(0))
        .then_rejected(Rejection::NotAwaitingRelease);
    approved_by_hospital()
        .when(HOSPITAL, release(0))
        .then_rejected(Rejection::NotAwaitingRelease);
}

#[test]
fn each_answers_once() {
    approved_by_hospital()
        .when(HOSPITAL, approve_as_hospital(0))
        .then_rejected(Rejection::NotAwaitingHospital);
    approved_by_hospital()
        .when(HOSPITAL, refuse_as_hospital(0))
        .then_rejected(Rejection::NotAwaitingHospital);
    approved_by_both()
        .when(PATIENT, approve_as_patient(0))
        .then_rejected(Rejection::NotAwaitingPatient);
    released()
        .when(HOSPITAL, release(0))
        .then_rejected(Rejection::ItemEnded);
}

#[test]
fn no_other_hospital_answers_or_releases() {
    for command in [approve_as_hospital(0), refuse_as_hospital(0)] {
        applied()
            .when(OTHER_HOSPITAL, command)
            .then_rejected(Rejection::NotTheHospital);
    }
    approved_by_both()
        .when(OTHER_HOSPITAL, release(0))
        .then_rejected(Rejection::NotTheHospital);
    approved_by_both()
        .when(PATIENT, release(0))
        .then_rejected(Rejection::NotTheHospital);
}

#[test]
fn no_other_patient_answers() {
    for submitter in [OTHER_PATIENT, HOSPITAL, INSTITUTE, REGULATOR] {
        for command in [approve_as_patient(0), refuse_as_patient(0)] {
            approved_by_hospital()
                .when(submitter, command)
                .then_rejected(Rejection::NotThePatient);
        }
    }
}

#[test]
fn an_unknown_item_is_nobodys() {
    for (submitter, command) in [
        (HOSPITAL, approve_as_hospital(5)),
        (PATIENT, approve_as_patient(5)),
        (INSTITUTE, withdraw(5)),
    ] {
        applied()
            .when(submitter, command)
            .then_rejected(Rejection::UnknownItem);
    }
}

#[test]
fn the_hospital_approves_the_current_version_with_a_ciphertext() {
    let approval = |ciphertext_bytes, version| {
        let release = commitment("release");
        Command::ApproveAsHospital {
            item: item(0),
            ciphertext: CHAIN,
            ciphertext_bytes,
            release,
            version,
        }
    };
    applied()
        .when(HOSPITAL, approval(0, 1))
        .then_rejected(Rejection::CiphertextEmpty);
    applied()
        .when(HOSPITAL, approval(900, 2))
        .then_rejected(Rejection::StaleVersion);
}

#[test]
fn an_erased_record_is_neither_approved_nor_released() {
    let erase = |scenario: Scenario| {
        scenario
            .when(PATIENT, records::Command::EraseRecord { record: record(1) })
            .then_accepted()
    };
    let erased = records::Rejection::RecordErased;
    erase(applied())
        .when(HOSPITAL, approve_as_hospital(0))
        .then_rejected(erased);
    erase(approved_by_hospital())
        .when(PATIENT, approve_as_patient(0))
        .then_rejected(erased);
    erase(approved_by_both())
        .when(HOSPITAL, release(0))
        .then_rejected(erased);
}

#[test]
fn the_released_key_is_sealed() {
    for bytes in [0, 513] {
        let command = Command::ReleaseKey {
            item: item(0),
            sealed_key: Sealed(vec![1; bytes]),
        };
        approved_by_both()
            .when(HOSPITAL, command)
            .then_rejected(Rejection::SealedNotFit);
    }
}

#[test]
fn an_item_without_a_price_is_released_without_a_posting() {
    let free = apply_with(Purpose::Research, vec![offer(1, 0)]);
    let scenario = prepared().when(OTHER_INSTITUTE, free).then_accepted();
    let scenario = scenario
        .when(HOSPITAL, approve_as_hospital(0))
        .then_accepted();
    let scenario = scenario
        .when(PATIENT, approve_as_patient(0))
        .then_accepted();
    let events = scenario.when(HOSPITAL, release(0)).execution.events;
    assert!(matches!(
        events[..],
        [
            contracts::Event::Authorization(Event::ItemReleased { price: 0, .. }),
            contracts::Event::Authorization(Event::ApplicationClosed { .. })
        ]
    ));
}
