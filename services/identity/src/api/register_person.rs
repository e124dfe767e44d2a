//! Registers a natural person. Anyone may ask: nobody can act before node operators have endorsed (A25, A27).

use std::sync::Arc;

use bus::Call;
use contracts::membership::command::MemberKind;
use interfaces::Problem;
use interfaces::identity::{RegisterPerson, RegisteredPerson};
use keys::identity_hash::identity_hash;
use store::Transaction;
use submission::row::database;

use crate::factors::check_new_password;
use crate::patient_id;
use crate::people::Person;
use crate::registration::{NewAccount, NewLedgerId, Wrapped, check_text};
use crate::service::Identity;

pub(crate) async fn register_person(
    identity: Arc<Identity>,
    _call: Call,
    request: RegisterPerson,
) -> Result<RegisteredPerson, Problem> {
    check(&request)?;
    let wrapped = identity.wrap_new_account(&request.password).await?;
    let person = Person {
        real_name: request.real_name,
        identity_id: request.identity_id,
    };
    let transaction = identity.store.begin().await.map_err(database)?;
    register(
        &identity,
        transaction,
        wrapped,
        request.kind,
        &person,
        &request.login,
    )
    .await
}

/// Enters a patient or doctor, in a database transaction that may hold more, and waits for their registration.
pub(super) async fn register(
    identity: &Identity,
    mut transaction: Transaction,
    wrapped: Wrapped,
    kind: MemberKind,
    person: &Person,
    login: &str,
) -> Result<RegisteredPerson, Problem> {
    let patient_id = (kind == MemberKind::Patient).then(patient_id::draw);
    let new = NewAccount {
        kind: kind.name(),
        login,
        person,
        identity_hash: identity_hash(&identity.hash_key, "", &person.identity_id),
        patient_id: patient_id.as_deref(),
        hospital: None,
    };
    identity
        .insert_account(&mut transaction, &wrapped, &new)
        .await?;
    let contexts: &[&str] = if kind == MemberKind::Patient {
        &["insurance", "devices"]
    } else {
        &["self"]
    };
    let mut made: Vec<NewLedgerId> = Vec::new();
    for context in contexts {
        made.push(
            identity
                .make_ledger_id(
                    &mut transaction,
                    &wrapped.account,
                    kind,
                    person,
                    &wrapped.custody_key,
                    context,
                )
                .await?,
        );
    }
    transaction.commit().await.map_err(database)?;
    identity.desk.outbox().wake();

    let mut registrations = Vec::new();
    for id in &made {
        registrations.push(identity.desk.wait(id.registration).await?);
    }
    Ok(RegisteredPerson {
        account: wrapped.account,
        patient_id,
        ledger_ids: made
            .into_iter()
            .map(|id| (id.context, id.ledger_id))
            .collect(),
        registrations,
    })
}

fn check(request: &RegisterPerson) -> Result<(), Problem> {
    if !matches!(request.kind, MemberKind::Patient | MemberKind::Doctor) {
        return Err(Problem::bad_input(
            "/kind",
            "a natural person is a Patient or a Doctor",
        ));
    }
    check_text("/real_name", &request.real_name)?;
    check_text("/identity_id", &request.identity_id)?;
    check_text("/login", &request.login)?;
    let about_the_person = [
        request.login.as_str(),
        request.real_name.as_str(),
        request.identity_id.as_str(),
    ];
    check_new_password("/password", &request.password, &about_the_person)
}
