//! One file a use case; each says first who may call it.

mod accept_invitation;
mod certificates;
mod change_member_status;
mod check_patient_id;
mod clerks;
mod endorse_member;
mod get_own_account;
mod get_viewer_name;
mod invite_person;
mod make_guardian_id;
mod match_patients;
mod members;
mod ocsp;
mod open_sealed;
mod own_factors;
mod own_passkeys;
mod own_sessions;
mod register_organisation;
mod register_person;
mod sign_in;
mod sign_in_with_key;
mod sign_transaction;
mod undo_match;

use std::sync::Arc;

use bus::Router;
use interfaces::SubmitSignature;

use crate::service::Identity;

/// All use cases of this service.
pub(crate) fn router(router: Router, identity: Arc<Identity>) -> Router {
    router
        .over(&identity)
        .on(register_person::register_person)
        .on(register_organisation::register_organisation)
        .on(invite_person::invite_person)
        .on(accept_invitation::accept_invitation)
        .on(clerks::list_clerks)
        .on(clerks::end_clerk)
        .on(members::list_pending_members)
        .on(members::list_members)
        .on(members::get_member)
        .on(endorse_member::endorse_member)
        .on(change_member_status::change_member_status)
        .on(sign_in::sign_in)
        .on(sign_in_with_key::get_sign_in_challenge)
        .on(sign_in_with_key::sign_in_with_key)
        .on(own_factors::get_second_factor)
        .on(own_factors::begin_second_factor)
        .on(own_factors::confirm_second_factor)
        .on(own_factors::end_second_factor)
        .on(own_factors::renew_recovery_codes)
        .on(own_factors::change_password)
        .on(own_factors::step_up)
        .on(own_passkeys::begin_passkey)
        .on(own_passkeys::add_passkey)
        .on(own_passkeys::list_passkeys)
        .on(own_passkeys::remove_passkey)
        .on(own_passkeys::begin_passkey_sign_in)
        .on(own_passkeys::sign_in_with_passkey)
        .on(ocsp::answer_ocsp)
        .on(own_sessions::list_sessions)
        .on(own_sessions::end_session)
        .on(own_sessions::end_other_sessions)
        .on(own_sessions::sign_out)
        .on(get_own_account::get_own_account)
        .on(sign_transaction::sign_transaction)
        .on(match_patients::match_patients)
        .on(undo_match::undo_match)
        .on(check_patient_id::check_patient_id)
        .on(make_guardian_id::make_guardian_id)
        .on(get_viewer_name::get_viewer_name)
        .on(open_sealed::open_sealed)
        .on(certificates::issue_certificate)
        .on(certificates::request_certificate)
        .on(certificates::renew_certificate)
        .on(certificates::get_authority)
        .on(submit_signature)
        .into_router()
}

/// By the member who asked for the command and holds the own key.
async fn submit_signature(
    identity: Arc<Identity>,
    call: bus::Call,
    request: SubmitSignature,
) -> Result<interfaces::Committed, interfaces::Problem> {
    let caller = identity.caller(&call).await?;
    identity.desk.submit_signature(&caller, request).await
}
