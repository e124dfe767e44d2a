//! Authorization codes.

use contracts::records::command::{Code, CodeHolder, REDEMPTION_DOMAIN, redemption_message};
use contracts::records::{Command, Event, Rejection};
use contracts::{Purpose, Sealed};
use ledger::LedgerId;

use crate::records::with_record;
use crate::scenario::*;

/// `redeemer` shows the code whose key has the seed `seed`.
fn redeem_with(
    redeemer: LedgerId,
    holder: CodeHolder,
    seed: u8,
    hospital: Option<LedgerId>,
) -> Command {
    let proof = code_key(seed).sign(
        REDEMPTION_DOMAIN,
        &redemption_message(&CHAIN, &redeemer, &record(1), NONCE),
    );
    Command::RedeemCode {
        record: record(1),
        holder,
        proof,
        hospital,
        purpose: Purpose::Treatment,
        viewer: sealed(),
    }
}

/// `redeemer` shows the code that was registered with the record.
pub fn redeem(redeemer: LedgerId, holder: CodeHolder, hospital: Option<LedgerId>) -> Command {
    redeem_with(
        redeemer,
        holder,
        if holder == CodeHolder::Patient {
            110
        } else {
            111
        },
        hospital,
    )
}

fn set(holder: CodeHolder, code: Code) -> Command {
    Command::SetCode {
        record: record(1),
        holder,
        code,
    }
}

#[test]
fn the_patients_code_opens_the_record_to_a_doctor_of_another_hospital() {
    let command = redeem(OTHER_DOCTOR, CodeHolder::Patient, Some(OTHER_HOSPITAL));
    with_record()
        .when(OTHER_DOCTOR, command)
        .then_events(events![Event::CodeRedeemed {
            record: record(1),
            version: 1,
            patient: PATIENT,
            hospital: HOSPITAL,
            viewer: OTHER_DOCTOR,
            holder: CodeHolder::Patient,
            uses_left: 1,
            purpose: Purpose::Treatment,
            viewer_name: sealed(),
        }]);
}

#[test]
fn the_patients_code_opens_the_record_to_hospitals_third_parties_and_insurers() {
    for redeemer in [OTHER_HOSPITAL, INSTITUTE, INSURER] {
        with_record()
            .when(redeemer, redeem(redeemer, CodeHolder::Patient, None))
            .then_accepted();
    }
}

#[test]
fn the_patients_code_opens_the_record_to_nobody_else() {
    for redeemer in [OTHER_PATIENT, DEVICE, OPERATOR, TREASURER, REGULATOR] {
        let command = redeem(redeemer, CodeHolder::Patient, None);
        with_record()
            .when(redeemer, command)
            .then_rejected(Rejection::MayNotRedeem);
    }
    let claimed = redeem(INSTITUTE, CodeHolder::Patient, Some(HOSPITAL));
    with_record()
        .when(INSTITUTE, claimed)
        .then_rejected(Rejection::MayNotRedeem);
}

#[test]
fn a_doctor_redeems_for_a_hospital_that_it_acts_for() {
    for hospital in [None, Some(HOSPITAL)] {
        let command = redeem(OTHER_DOCTOR, CodeHolder::Patient, hospital);
        with_record()
            .when(OTHER_DOCTOR, command)
            .then_rejected(Rejection::NotAffiliated);
    }
}

#[test]
fn the_hospitals_code_opens_the_record_to_doctors_of_other_hospitals_only() {
    let command = redeem(OTHER_DOCTOR, CodeHolder::Hospital, Some(OTHER_HOSPITAL));
    with_record().when(OTHER_DOCTOR, command).then_accepted();
    let own = redeem(DOCTOR, CodeHolder::Hospital, Some(HOSPITAL));
    with_record()
        .when(DOCTOR, own)
        .then_rejected(Rejection::MayNotRedeem);
    for redeemer in [INSTITUTE, INSURER, OTHER_HOSPITAL] {
        let command = redeem(redeemer, CodeHolder::Hospital, None);
        with_record()
            .when(redeemer, command)
            .then_rejected(Rejection::MayNotRedeem);
    }
}

#[test]
fn the_hospitals_code_works_only_while_the_patient_shares_for_treatment() {
    let consent = |share_for_treatment| Command::SetConsent {
        share_for_treatment,
        research: true,
    };
    let command = || redeem(OTHER_DOCTOR, CodeHolder::Hospital, Some(OTHER_HOSPITAL));
    let scenario = with_record().when(PATIENT, consent(false)).then_accepted();
    let scenario = scenario
        .when(OTHER_DOCTOR, command())
        .then_rejected(Rejection::SharingOff);
    // The patient's own code is the patient's own voluntary authorization.
    let own = redeem(OTHER_DOCTOR, CodeHolder::Patient, Some(OTHER_HOSPITAL));
    let scenario = scenario.when(OTHER_DOCTOR, own).then_accepted();
    let scenario = scenario.when(PATIENT, consent(true)).then_accepted();
    scenario.when(OTHER_DOCTOR, command()).then_accepted();
}

#[test]
fn a_code_works_as_often_as_its_uses_say() {
    let command = || redeem(INSTITUTE, CodeHolder::Patient, None);
    let scenario = with_record().when(INSTITUTE, command()).then_accepted();
    let scenario = scenario.when(INSTITUTE, command()).then_accepted();
    scenario
        .when(INSTITUTE, command())
        .then_rejected(Rejection::CodeUsedUp);
}

#[test]
fn a_code_without_limit_is_not_counted_down() {
    let unlimited = Code {
        uses: u32::MAX,
        ..code(110)
    };
    let scenario = with_record()
        .when(PATIENT, set(CodeHolder::Patient, unlimited))
        .then_accepted();
    let before = scenario.clone();
    let after = scenario
        .when(INSTITUTE, redeem(INSTITUTE, CodeHolder::Patient, None))
        .then_accepted();
    assert_eq!(before.state, after.state);
}

#[test]
fn a_code_works_until_it_expires() {
    let command = || redeem(INSTITUTE, CodeHolder::Patient, None);
    let scenario = with_record()
        .later(DAY - 1)
        .when(INSTITUTE, command())
        .then_accepted();
    scenario
        .later(1)
        .when(INSTITUTE, command())
        .then_rejected(Rejection::CodeExpired);
}

#[test]
fn after_a_code_is_changed_the_old_one_opens_nothing() {
    let changed = Event::CodeSet {
        record: record(1),
        holder: CodeHolder::Patient,
        code: code(112),
    };
    let scenario = with_record()
        .when(PATIENT, set(CodeHolder::Patient, code(112)))
        .then_events(events![changed]);
    let scenario = scenario
        .when(INSTITUTE, redeem(INSTITUTE, CodeHolder::Patient, None))
        .then_rejected(Rejection::CodeNotProven);
    scenario
        .when(
            INSTITUTE,
            redeem_with(INSTITUTE, CodeHolder::Patient, 112, None),
        )
        .then_accepted();
}

#[test]
fn a_withdrawn_code_opens_nothing() {
    for (holder, owner) in [
        (CodeHolder::Patient, PATIENT),
        (CodeHolder::Hospital, HOSPITAL),
    ] {
        let withdraw = || Command::WithdrawCode {
            record: record(1),
            holder,
        };
        let gone = Event::CodeWithdrawn {
            record: record(1),
            holder,
        };
        let scenario = with_record()
            .when(owner, withdraw())
            .then_events(events![gone]);
        let command = redeem(OTHER_DOCTOR, holder, Some(OTHER_HOSPITAL));
        let scenario = scenario
            .when(OTHER_DOCTOR, command)
            .then_rejected(Rejection::NoCode);
        scenario
            .when(owner, withdraw())
            .then_rejected(Rejection::NoCode);
    }
}

#[test]
fn each_holder_changes_and_withdraws_its_own_code_only() {
    for (holder, other) in [
        (CodeHolder::Patient, HOSPITAL),
        (CodeHolder::Hospital, PATIENT),
        (CodeHolder::Patient, DOCTOR),
    ] {
        with_record()
            .when(other, set(holder, code(112)))
            .then_rejected(Rejection::NotTheCodeHolder);
        let withdraw = Command::WithdrawCode {
            record: record(1),
            holder,
        };
        with_record()
            .when(other, withdraw)
            .then_rejected(Rejection::NotTheCodeHolder);
    }
}

#[test]
fn a_new_code_can_be_used_and_its_key_is_strong() {
    let unfit = [
        Code {
            uses: 0,
            ..code(112)
        },
        Code {
            until: NOW,
            ..code(112)
        },
        Code {
            key: weak_key(),
            ..code(112)
        },
    ];
    for code in unfit {
        with_record()
            .when(PATIENT, set(CodeHolder::Patient, code))
            .then_rejected(Rejection::CodeNotFit);
    }
}

#[test]
fn a_code_with_a_weak_key_opens_nothing_even_to_a_signature_that_verifies() {
    let weak = Code {
        key: weak_key(),
        ..code(110)
    };
    let scenario = with_record().given(Event::CodeSet {
        record: record(1),
        holder: CodeHolder::Patient,
        code: weak,
    });
    // Under the neutral element as key, R = neutral element and s = 0 verify for every message (ZIP 215).
    let mut signature = [0; 64];
    signature[0] = 1;
    let proof = ledger::Signature(signature);
    let message = redemption_message(&CHAIN, &INSTITUTE, &record(1), NONCE);
    assert_eq!(
        weak_key().verify(REDEMPTION_DOMAIN, &message, &proof),
        Ok(())
    );
    let Command::RedeemCode {
        holder,
        purpose,
        viewer,
        ..
    } = redeem(INSTITUTE, CodeHolder::Patient, None)
    else {
        unreachable!()
    };
    let command = Command::RedeemCode {
        record: record(1),
        holder,
        proof,
        hospital: None,
        purpose,
        viewer,
    };
    scenario
        .when(INSTITUTE, command)
        .then_rejected(Rejection::CodeNotProven);
}

#[test]
fn a_proof_made_for_another_redeemer_opens_nothing() {
    let stolen = redeem(OTHER_INSTITUTE, CodeHolder::Patient, None);
    with_record()
        .when(INSTITUTE, stolen)
        .then_rejected(Rejection::CodeNotProven);
}

#[test]
fn a_proof_made_for_another_nonce_opens_nothing() {
    let proof = code_key(110).sign(
        REDEMPTION_DOMAIN,
        &redemption_message(&CHAIN, &INSTITUTE, &record(1), NONCE + 1),
    );
    let Command::RedeemCode {
        record,
        holder,
        hospital,
        purpose,
        viewer,
        ..
    } = redeem(INSTITUTE, CodeHolder::Patient, None)
    else {
        unreachable!()
    };
    let replayed = Command::RedeemCode {
        record,
        holder,
        proof,
        hospital,
        purpose,
        viewer,
    };
    with_record()
        .when(INSTITUTE, replayed)
        .then_rejected(Rejection::CodeNotProven);
}

#[test]
fn the_hospitals_code_is_no_patients_code() {
    let command = redeem_with(INSTITUTE, CodeHolder::Patient, 111, None);
    with_record()
        .when(INSTITUTE, command)
        .then_rejected(Rejection::CodeNotProven);
}

#[test]
fn a_redemption_names_its_viewer_sealed_and_an_existing_record() {
    world()
        .when(INSTITUTE, redeem(INSTITUTE, CodeHolder::Patient, None))
        .then_rejected(Rejection::UnknownRecord);
    let Command::RedeemCode {
        record,
        holder,
        proof,
        hospital,
        purpose,
        ..
    } = redeem(INSTITUTE, CodeHolder::Patient, None)
    else {
        unreachable!()
    };
    let long = Command::RedeemCode {
        record,
        holder,
        proof,
        hospital,
        purpose,
        viewer: Sealed(vec![0; 513]),
    };
    with_record()
        .when(INSTITUTE, long)
        .then_rejected(Rejection::SealedNotFit);
}

#[test]
fn no_code_opens_an_erased_record() {
    let scenario = with_record()
        .when(PATIENT, Command::EraseRecord { record: record(1) })
        .then_accepted();
    let command = redeem(INSTITUTE, CodeHolder::Patient, None);
    let scenario = scenario
        .when(INSTITUTE, command)
        .then_rejected(Rejection::RecordErased);
    scenario
        .when(PATIENT, set(CodeHolder::Patient, code(112)))
        .then_rejected(Rejection::RecordErased);
}
