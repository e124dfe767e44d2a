//! One file a use case; each says first who may call it.

mod certificates;
mod change_member_status;
mod check_patient_id;
mod endorse_member;
mod get_own_account;
mod get_viewer_name;
mod match_patients;
mod members;
mod open_sealed;
mod register_organisation;
mod register_person;
mod sign_in;
mod sign_in_with_key;
mod sign_out;
mod sign_transaction;
mod undo_match;

use std::sync::Arc;

use bus::Router;
use interfaces::SubmitSignature;
use interfaces::identity as requests;

use crate::service::{Identity, answer};

/// All use cases of this service.
pub(crate) fn router(router: Router, identity: Arc<Identity>) -> Router {
    let it = &identity;
    let router =
        answer::<requests::RegisterPerson, _, _>(router, it, register_person::register_person);
    let router = answer::<requests::RegisterOrganisation, _, _>(
        router,
        it,
        register_organisation::register_organisation,
    );
    let router =
        answer::<requests::ListPendingMembers, _, _>(router, it, members::list_pending_members);
    let router = answer::<requests::ListMembers, _, _>(router, it, members::list_members);
    let router = answer::<requests::GetMember, _, _>(router, it, members::get_member);
    let router =
        answer::<requests::EndorseMember, _, _>(router, it, endorse_member::endorse_member);
    let router = answer::<requests::ChangeMemberStatus, _, _>(
        router,
        it,
        change_member_status::change_member_status,
    );
    let router = answer::<requests::SignIn, _, _>(router, it, sign_in::sign_in);
    let router = answer::<requests::GetSignInChallenge, _, _>(
        router,
        it,
        sign_in_with_key::get_sign_in_challenge,
    );
    let router =
        answer::<requests::SignInWithKey, _, _>(router, it, sign_in_with_key::sign_in_with_key);
    let router = answer::<requests::SignOut, _, _>(router, it, sign_out::sign_out);
    let router =
        answer::<requests::GetOwnAccount, _, _>(router, it, get_own_account::get_own_account);
    let router =
        answer::<requests::SignTransaction, _, _>(router, it, sign_transaction::sign_transaction);
    let router =
        answer::<requests::MatchPatients, _, _>(router, it, match_patients::match_patients);
    let router = answer::<requests::UndoMatch, _, _>(router, it, undo_match::undo_match);
    let router =
        answer::<requests::CheckPatientId, _, _>(router, it, check_patient_id::check_patient_id);
    let router =
        answer::<requests::GetViewerName, _, _>(router, it, get_viewer_name::get_viewer_name);
    let router = answer::<requests::OpenSealed, _, _>(router, it, open_sealed::open_sealed);
    let router =
        answer::<requests::IssueCertificate, _, _>(router, it, certificates::issue_certificate);
    let router = answer::<requests::GetAuthority, _, _>(router, it, certificates::get_authority);
    answer::<SubmitSignature, _, _>(router, it, submit_signature)
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
