//! Authorization codes: set, withdrawn, redeemed. The ledger never sees a code, only signatures by its key.

use ledger::{LedgerId, Signature};

use crate::identifier::{Purpose, RecordNumber, Sealed};
use crate::membership::MemberKind;
use crate::membership::interface::{active_kind, acts_for};
use crate::records::command::{Code, CodeHolder, REDEMPTION_DOMAIN, redemption_message};
use crate::records::event::Event;
use crate::records::interface::{is_sealed_fit, standing_record};
use crate::records::rejection::Rejection;
use crate::records::state::{self, Record};
use crate::rejection::ensure;
use crate::{Context, State};

/// This many uses are never counted down.
const UNLIMITED: u32 = u32::MAX;

/// A code shown for a record.
pub(super) struct Redemption {
    pub(super) record: RecordNumber,
    pub(super) holder: CodeHolder,
    pub(super) proof: Signature,
    pub(super) hospital: Option<LedgerId>,
    pub(super) purpose: Purpose,
    pub(super) viewer: Sealed,
}

/// The code has uses and is not over already.
pub(super) fn check_limits(context: &Context, code: &Code) -> Result<(), Rejection> {
    ensure(
        code.uses > 0 && context.time < code.until,
        Rejection::CodeNotFit,
    )
}

pub(super) fn set_code(
    state: &State,
    context: &Context,
    record: RecordNumber,
    holder: CodeHolder,
    code: Code,
) -> Result<Event, Rejection> {
    check_holder(context, &standing_record(state, &record)?, holder)?;
    check_limits(context, &code)?;
    ensure(!code.key.is_weak(), Rejection::CodeNotFit)?;
    Ok(Event::CodeSet {
        record,
        holder,
        code,
    })
}

pub(super) fn withdraw_code(
    state: &State,
    context: &Context,
    record: RecordNumber,
    holder: CodeHolder,
) -> Result<Event, Rejection> {
    let standing = standing_record(state, &record)?;
    check_holder(context, &standing, holder)?;
    ensure(standing.code(holder).is_some(), Rejection::NoCode)?;
    Ok(Event::CodeWithdrawn { record, holder })
}

fn check_holder(context: &Context, record: &Record, holder: CodeHolder) -> Result<(), Rejection> {
    let owner = match holder {
        CodeHolder::Patient => record.patient,
        CodeHolder::Hospital => record.hospital,
    };
    ensure(owner == context.submitter, Rejection::NotTheCodeHolder)
}

pub(super) fn redeem_code(
    state: &State,
    context: &Context,
    shown: Redemption,
) -> Result<Event, Rejection> {
    ensure(is_sealed_fit(&shown.viewer), Rejection::SealedNotFit)?;
    let record = standing_record(state, &shown.record)?;
    let code = record.code(shown.holder).ok_or(Rejection::NoCode)?;
    check_redeemer(state, context, &record, &shown)?;
    ensure(code.uses > 0, Rejection::CodeUsedUp)?;
    ensure(context.time < code.until, Rejection::CodeExpired)?;
    // Under a weak key one signature fits many messages: it opens nothing.
    ensure(!code.key.is_weak(), Rejection::CodeNotProven)?;
    let message = redemption_message(
        &context.chain,
        &context.submitter,
        &shown.record,
        context.nonce,
    );
    code.key
        .verify(REDEMPTION_DOMAIN, &message, &shown.proof)
        .map_err(|_| Rejection::CodeNotProven)?;
    Ok(Event::CodeRedeemed {
        record: shown.record,
        version: record.version,
        patient: record.patient,
        hospital: record.hospital,
        viewer: context.submitter,
        holder: shown.holder,
        uses_left: if code.uses == UNLIMITED {
            UNLIMITED
        } else {
            code.uses - 1
        },
        purpose: shown.purpose,
        viewer_name: shown.viewer,
    })
}

/// To whom which code opens a record: the patient's to any hospital, doctor acting for one, third party or insurer;
/// the hospital's to doctors of other hospitals, while the patient shares for treatment.
fn check_redeemer(
    state: &State,
    context: &Context,
    record: &Record,
    shown: &Redemption,
) -> Result<(), Rejection> {
    let kind = active_kind(state, &context.submitter).ok_or(Rejection::MayNotRedeem)?;
    match (kind, shown.hospital) {
        (MemberKind::Doctor, Some(hospital)) => {
            ensure(
                acts_for(state, &context.submitter, &hospital, context.time),
                Rejection::NotAffiliated,
            )?;
            let other = hospital != record.hospital;
            ensure(
                shown.holder == CodeHolder::Patient || other,
                Rejection::MayNotRedeem,
            )?;
        }
        (MemberKind::Doctor, None) => return Err(Rejection::NotAffiliated),
        (MemberKind::Hospital | MemberKind::ThirdParty | MemberKind::Insurer, None) => {
            ensure(shown.holder == CodeHolder::Patient, Rejection::MayNotRedeem)?;
        }
        _ => return Err(Rejection::MayNotRedeem),
    }
    let shared = shown.holder == CodeHolder::Patient
        || state::consent(state, &record.patient).share_for_treatment;
    ensure(shared, Rejection::SharingOff)
}
