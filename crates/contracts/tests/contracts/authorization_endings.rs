//! How items, applications and grants end: refused, taken back, expired, withdrawn, disputed.

use contracts::authorization::command::RefusalReason;
use contracts::authorization::event::Refuser;
use contracts::authorization::{Command, Event, Rejection, grant_of};
use contracts::settlement::event::{Account, PostingReason};
use contracts::{GrantId, Purpose, Sealed, expire, next_due, records, settlement};
use ledger::Timestamp;

use crate::authorization::*;
use crate::scenario::*;

#[test]
fn a_refusal_by_the_hospital_ends_the_item_and_returns_its_escrow() {
    let refused = Event::ItemRefused {
        item: item(0),
        refuser: Refuser::Hospital,
        reason: RefusalReason::Unfit,
    };
    let scenario = applied()
        .when(HOSPITAL, refuse_as_hospital(0))
        .then_events(events![returned(0, PRICE), refused]);
    scenario
        .when(HOSPITAL, approve_as_hospital(0))
        .then_rejected(Rejection::ItemEnded);
}

#[test]
fn a_refusal_by_the_patient_ends_the_item_and_returns_its_escrow() {
    let refused = || Event::ItemRefused {
        item: item(0),
        refuser: Refuser::Patient,
        reason: RefusalReason::Sensitive,
    };
    let scenario = approved_by_hospital()
        .when(PATIENT, refuse_as_patient(0))
        .then_events(events![returned(0, PRICE), refused()]);
    scenario
        .when(PATIENT, approve_as_patient(0))
        .then_rejected(Rejection::ItemEnded);
    // Even after the approval, as long as nothing was released.
    let scenario = approved_by_both()
        .when(PATIENT, refuse_as_patient(0))
        .then_events(events![returned(0, PRICE), refused()]);
    scenario
        .when(HOSPITAL, release(0))
        .then_rejected(Rejection::ItemEnded);
    released()
        .when(PATIENT, refuse_as_patient(0))
        .then_rejected(Rejection::ItemEnded);
}

#[test]
fn the_applicant_takes_an_open_item_back_in_any_state() {
    for scenario in [applied(), approved_by_hospital(), approved_by_both()] {
        let withdrawn = Event::ItemWithdrawn { item: item(0) };
        let scenario = scenario
            .when(INSTITUTE, withdraw(0))
            .then_events(events![returned(0, PRICE), withdrawn]);
        scenario
            .when(INSTITUTE, withdraw(0))
            .then_rejected(Rejection::ItemEnded);
    }
    released()
        .when(INSTITUTE, withdraw(0))
        .then_rejected(Rejection::ItemEnded);
    applied()
        .when(OTHER_INSTITUTE, withdraw(0))
        .then_rejected(Rejection::NotTheApplicant);
}

#[test]
fn an_application_closes_with_its_last_item() {
    let closed = Event::ApplicationClosed {
        application: APPLICATION,
    };
    let withdrawn = Event::ItemWithdrawn { item: item(1) };
    released().when(INSTITUTE, withdraw(1)).then_events(events![
        returned(1, OTHER_PRICE),
        withdrawn,
        closed.clone()
    ]);
    let other_ended = approved_by_both()
        .when(INSTITUTE, withdraw(1))
        .then_accepted();
    let verdict = other_ended.when(HOSPITAL, release(0));
    assert_eq!(verdict.execution.events.last(), Some(&closed.into()));
}

#[test]
fn an_unanswered_item_expires_at_its_deadline_and_its_escrow_returns() {
    let scenario = approved_by_hospital();
    let deadline = NOW.plus(14 * DAY);
    assert_eq!(next_due(&scenario.state), Some(deadline));
    let (early, _) = expire(
        &scenario.state,
        scenario.height,
        Timestamp(deadline.0 - 1),
        100,
    );
    assert!(early.is_empty());
    let (events, writes) = expire(&scenario.state, scenario.height, deadline, 100);
    assert_eq!(
        events,
        events![
            returned(0, PRICE),
            Event::ItemExpired { item: item(0) },
            returned(1, OTHER_PRICE),
            Event::ItemExpired { item: item(1) },
            Event::ApplicationClosed {
                application: APPLICATION
            },
        ]
    );
    let mut after = scenario;
    after.apply(&writes);
    assert_eq!(next_due(&after.state), None);
    after
        .when(PATIENT, approve_as_patient(0))
        .then_rejected(Rejection::ItemEnded);
}

#[test]
fn a_block_expires_no_more_than_its_limit_and_the_rest_stays_due() {
    let scenario = applied();
    let deadline = NOW.plus(14 * DAY);
    let (events, writes) = expire(&scenario.state, scenario.height, deadline, 1);
    assert_eq!(
        events,
        events![returned(0, PRICE), Event::ItemExpired { item: item(0) }]
    );
    let mut after = scenario.later(14 * DAY);
    after.apply(&writes);
    assert_eq!(next_due(&after.state), Some(deadline));
    // Nobody acts on what is due, even if the block did not get round to it.
    let after = after
        .when(OTHER_HOSPITAL, approve_as_hospital(1))
        .then_rejected(Rejection::DeadlinePassed);
    after
        .when(INSTITUTE, withdraw(1))
        .then_rejected(Rejection::DeadlinePassed);
}

#[test]
fn an_ended_item_does_not_expire() {
    let scenario = released().when(INSTITUTE, withdraw(1)).then_accepted();
    assert_eq!(next_due(&scenario.state), None);
    assert_eq!(
        expire(&scenario.state, scenario.height, NOW.plus(99 * DAY), 100).0,
        vec![]
    );
}

#[test]
fn the_patient_withdraws_a_grant_once_and_before_its_end() {
    let grant = grant_of(&item(0));
    let command = || Command::WithdrawGrant { grant };
    let gone = Event::GrantWithdrawn {
        grant,
        item: item(0),
    };
    let scenario = released()
        .when(PATIENT, command())
        .then_events(events![gone]);
    scenario
        .when(PATIENT, command())
        .then_rejected(Rejection::GrantEnded);
    for submitter in [OTHER_PATIENT, INSTITUTE, HOSPITAL] {
        released()
            .when(submitter, command())
            .then_rejected(Rejection::NotThePatient);
    }
    released()
        .later(30 * DAY)
        .when(PATIENT, command())
        .then_rejected(Rejection::GrantOver);
    let unknown = Command::WithdrawGrant {
        grant: GrantId([0; 16]),
    };
    released()
        .when(PATIENT, unknown)
        .then_rejected(Rejection::UnknownGrant);
}

#[test]
fn the_applicant_disputes_a_release_once_while_the_grant_lasts() {
    let dispute = || Command::DisputeRelease {
        item: item(0),
        disclosure: sealed(),
    };
    let expected = Event::ReleaseDisputed {
        item: item(0),
        disclosure: sealed(),
    };
    let scenario = released()
        .when(INSTITUTE, dispute())
        .then_events(events![expected]);
    scenario
        .when(INSTITUTE, dispute())
        .then_rejected(Rejection::AlreadyDisputed);
    released()
        .when(OTHER_INSTITUTE, dispute())
        .then_rejected(Rejection::NotTheApplicant);
    approved_by_both()
        .when(INSTITUTE, dispute())
        .then_rejected(Rejection::NotReleased);
    released()
        .later(30 * DAY)
        .when(INSTITUTE, dispute())
        .then_rejected(Rejection::GrantOver);
    let long = Command::DisputeRelease {
        item: item(0),
        disclosure: Sealed(vec![0; 513]),
    };
    released()
        .when(INSTITUTE, long)
        .then_rejected(Rejection::SealedNotFit);
}

#[test]
fn a_reversal_pays_the_applicant_back_and_ends_the_grant() {
    let settle = Command::SettleDispute {
        item: item(0),
        reverse: true,
    };
    let scenario = disputed().when(REGULATOR, settle).then_events(events![
        moved(
            PostingReason::ItemReversed(item(0)),
            Account::Member(PATIENT),
            Account::Member(INSTITUTE),
            PRICE
        ),
        Event::DisputeSettled {
            item: item(0),
            reversed: true
        },
    ]);
    let basis = records::command::Basis::Grant {
        grant: grant_of(&item(0)),
    };
    let read = crate::records::access_to(&[record(1)], basis, Purpose::Research);
    let scenario = scenario
        .when(INSTITUTE, read)
        .then_rejected(records::Rejection::GrantEnded);
    let again = Command::DisputeRelease {
        item: item(0),
        disclosure: sealed(),
    };
    scenario
        .when(INSTITUTE, again)
        .then_rejected(Rejection::AlreadyDisputed);
}

#[test]
fn a_dispute_that_is_turned_down_leaves_payment_and_grant() {
    let settle = Command::SettleDispute {
        item: item(0),
        reverse: false,
    };
    let settled = Event::DisputeSettled {
        item: item(0),
        reversed: false,
    };
    let scenario = disputed()
        .when(REGULATOR, settle.clone())
        .then_events(events![settled]);
    let basis = records::command::Basis::Grant {
        grant: grant_of(&item(0)),
    };
    let read = crate::records::access_to(&[record(1)], basis, Purpose::Research);
    let scenario = scenario.when(INSTITUTE, read).then_accepted();
    scenario
        .when(REGULATOR, settle)
        .then_rejected(Rejection::NotDisputed);
}

#[test]
fn only_a_regulator_settles_a_dispute() {
    let settle = || Command::SettleDispute {
        item: item(0),
        reverse: true,
    };
    for submitter in [INSTITUTE, PATIENT, HOSPITAL, OPERATOR] {
        disputed()
            .when(submitter, settle())
            .then_rejected(Rejection::NotRegulator);
    }
    released()
        .when(REGULATOR, settle())
        .then_rejected(Rejection::NotDisputed);
}

#[test]
fn a_patient_who_spent_the_money_is_not_brought_below_zero_by_a_reversal() {
    let withdrawal = settlement::Command::Withdraw {
        reference: contracts::PaymentReference([1; 16]),
        amount: PRICE,
    };
    let scenario = disputed().when(PATIENT, withdrawal).then_accepted();
    let settle = Command::SettleDispute {
        item: item(0),
        reverse: true,
    };
    scenario
        .when(REGULATOR, settle)
        .then_rejected(settlement::Rejection::InsufficientFunds);
}
