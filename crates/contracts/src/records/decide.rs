//! The rules of records, one file per group of commands.

mod access;
mod codes;
mod delegations;
mod emergencies;
mod integrity;
mod registration;

use super::command::Command;
use super::event::Event;
use super::rejection::Rejection;
use crate::membership::MemberKind;
use crate::membership::interface::submitter_is;
use crate::rejection::ensure;
use crate::{Context, State};

/// Decides a command of the records contract.
///
/// # Errors
/// [`crate::Rejection`].
pub fn decide(
    state: &State,
    context: &Context,
    command: Command,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    let event = match command {
        Command::RegisterRecord(new) => registration::register_record(state, context, new),
        Command::AmendRecord {
            record,
            version,
            content,
            index,
        } => registration::amend_record(state, context, record, version, content, index),
        Command::SetCode {
            record,
            holder,
            code,
        } => codes::set_code(state, context, record, holder, code),
        Command::WithdrawCode { record, holder } => {
            codes::withdraw_code(state, context, record, holder)
        }
        Command::RedeemCode {
            record,
            holder,
            proof,
            hospital,
            purpose,
            viewer,
        } => {
            let shown = codes::Redemption {
                record,
                holder,
                proof,
                hospital,
                purpose,
                viewer,
            };
            codes::redeem_code(state, context, shown)
        }
        Command::LogAccess {
            records,
            basis,
            purpose,
            viewer,
        } => access::log_access(state, context, &records, basis, purpose, viewer),
        Command::SetConsent {
            share_for_treatment,
            research,
        } => set_consent(state, context, share_for_treatment, research),
        Command::OpenEmergency {
            emergency,
            patient,
            hospital,
            reason,
            viewer,
        } => emergencies::open_emergency(
            state, context, emergency, patient, hospital, reason, viewer,
        ),
        Command::ReviewEmergency {
            emergency,
            justified,
        } => emergencies::review_emergency(state, context, emergency, justified),
        Command::ReportTampering {
            record,
            version,
            kind,
        } => integrity::report_tampering(state, context, record, version, kind),
        Command::EraseRecord { record } => integrity::erase_record(state, context, record),
        Command::CertifyErasure { record } => integrity::certify_erasure(state, context, record),
        Command::ReportOfflineEmergency(report) => {
            let events = emergencies::report_offline_emergency(state, context, report)?;
            return Ok(events.map(Into::into).into());
        }
        Command::NameGuardian {
            guardian,
            scope,
            until,
            patient_name,
            guardian_name,
        } => {
            let named = delegations::Named {
                guardian,
                scope,
                until,
                patient_name,
                guardian_name,
            };
            delegations::name_guardian(state, context, named)
        }
        Command::EndDelegation { patient, guardian } => {
            delegations::end_delegation(state, context, patient, guardian)
        }
    }?;
    Ok(vec![event.into()])
}

fn set_consent(
    state: &State,
    context: &Context,
    share_for_treatment: bool,
    research: bool,
) -> Result<Event, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Patient),
        Rejection::NotPatient,
    )?;
    Ok(Event::ConsentSet {
        patient: context.submitter,
        share_for_treatment,
        research,
    })
}
