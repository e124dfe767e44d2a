//! Invites somebody whose identity document the hospital has seen. By the hospital, and by its clerks for patients.

use std::sync::Arc;

use bus::Call;
use interfaces::staff::{Invitation, InvitePerson, InvitedKind};
use interfaces::{Problem, time_text};
use keys::AuthorizationCode;
use keys::identity_hash::identity_hash;
use keys::token::Role;
use ledger::Timestamp;
use submission::row::database;

use crate::invitations;
use crate::people::Person;
use crate::registration::check_text;
use crate::service::Identity;

pub(crate) async fn invite_person(
    identity: Arc<Identity>,
    call: Call,
    request: InvitePerson,
) -> Result<Invitation, Problem> {
    let caller = identity.caller(&call).await?;
    match request.kind {
        InvitedKind::Patient => caller.require_any(&[Role::Hospital, Role::Clerk])?,
        InvitedKind::Clerk => caller.require(Role::Hospital)?,
    }
    let hospital = caller.organisation()?;
    check_text("/real_name", &request.real_name)?;
    check_text("/identity_id", &request.identity_id)?;
    let hash = match request.kind {
        InvitedKind::Patient => identity_hash(&identity.hash_key, "", &request.identity_id),
        InvitedKind::Clerk => invitations::staff_hash(&identity, &hospital, &request.identity_id),
    };
    let known = sqlx::query("SELECT 1 FROM accounts WHERE identity_hash = $1")
        .bind(hash.to_string())
        .fetch_optional(identity.store.reader())
        .await
        .map_err(database)?;
    if known.is_some() {
        return Err(Problem::conflict("this identity ID is registered already"));
    }
    let person = Person {
        real_name: request.real_name,
        identity_id: request.identity_id,
    };
    let code = AuthorizationCode::random();
    let invited_by = &caller.session().subject;
    let until = invitations::keep(
        &identity,
        &code,
        request.kind,
        &hospital,
        &person,
        invited_by,
    )
    .await?;
    tracing::info!(
        account_id = invited_by,
        kind = request.kind.name(),
        "somebody was invited"
    );
    Ok(Invitation {
        code: code.expose_text().to_string(),
        until: time_text(Timestamp(until)),
    })
}
