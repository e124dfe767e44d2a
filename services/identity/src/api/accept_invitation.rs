//! Accepts an invitation: the account is entered under a login and a password that nobody else knows. By whoever has the code.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::Call;
use contracts::membership::command::MemberKind;
use interfaces::Problem;
use interfaces::identity::RegisteredPerson;
use interfaces::staff::{AcceptInvitation, InvitedKind};
use submission::row::database;

use super::register_person::register;
use crate::factors::check_new_password;
use crate::invitations;
use crate::registration::{NewAccount, check_text};
use crate::service::Identity;

pub(crate) async fn accept_invitation(
    identity: Arc<Identity>,
    _call: Call,
    request: AcceptInvitation,
) -> Result<RegisteredPerson, Problem> {
    let invited = invitations::find(&identity, &request.code).await?;
    let person = &invited.person;
    check_text("/login", &request.login)?;
    let about = [
        request.login.as_str(),
        person.real_name.as_str(),
        person.identity_id.as_str(),
    ];
    check_new_password("/password", &request.password, &about)?;
    let wrapped = identity.wrap_new_account(&request.password).await?;
    let mut transaction = identity.store.begin().await.map_err(database)?;
    invitations::take(&mut transaction, &invited, &wrapped.account).await?;
    if invited.kind == InvitedKind::Patient {
        let kind = MemberKind::Patient;
        return register(
            &identity,
            transaction,
            wrapped,
            kind,
            person,
            &request.login,
        )
        .await;
    }
    // A clerk acts for the hospital, under its key: the ledger knows no clerk.
    let hospital = invited.hospital;
    let new = NewAccount {
        kind: InvitedKind::Clerk.name(),
        login: &request.login,
        person,
        identity_hash: invitations::staff_hash(&identity, &hospital, &person.identity_id),
        patient_id: None,
        hospital: Some(hospital),
    };
    identity
        .insert_account(&mut transaction, &wrapped, &new)
        .await?;
    transaction.commit().await.map_err(database)?;
    tracing::info!(
        account_id = wrapped.account,
        "a clerk accepted the invitation"
    );
    Ok(RegisteredPerson {
        account: wrapped.account,
        patient_id: None,
        ledger_ids: BTreeMap::new(),
        registrations: Vec::new(),
    })
}
