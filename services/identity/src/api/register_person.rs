//! Registers a natural person. Anyone may ask: nobody can act before node operators have endorsed (A25, A27).

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::Call;
use contracts::membership::command::MemberKind;
use interfaces::Problem;
use interfaces::identity::{RegisterPerson, RegisteredPerson};
use keys::identity_hash::identity_hash;
use ledger::Digest;
use submission::row::database;

use crate::custody::CustodyKey;
use crate::factors::check_new_password;
use crate::patient_id;
use crate::people::Person;
use crate::registration::NewLedgerId;
use crate::service::{Identity, now};

const TEXT_CHARACTERS_MAX: usize = 200;

pub(crate) async fn register_person(
    identity: Arc<Identity>,
    _call: Call,
    request: RegisterPerson,
) -> Result<RegisteredPerson, Problem> {
    check(&request)?;
    let account = uuid::Uuid::new_v4().simple().to_string();
    let custody = CustodyKey::random();
    let custody_key = custody.public_key();
    let (password, wrapped_for) = (request.password.clone(), account.clone());
    let envelope = identity
        .derive(move || custody.wrap(&wrapped_for, &password))
        .await?
        .map_err(|error| Problem::bad_input("/password", error.to_string()))?;

    let person = Person {
        real_name: request.real_name,
        identity_id: request.identity_id,
    };
    let patient_id = (request.kind == MemberKind::Patient).then(patient_id::draw);
    let hash = identity_hash(&identity.hash_key, "", &person.identity_id);
    let mut transaction = identity.store.begin().await.map_err(database)?;
    let inserted = sqlx::query(
        "INSERT INTO accounts (account, kind, login, identity_hash, patient_id, sealed_person, custody_key, password_envelope, created_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
    )
    .bind(&account)
    .bind(request.kind.name())
    .bind(&request.login)
    .bind(hash.to_string())
    .bind(patient_id.as_deref().map(patient_id::normalised))
    .bind(identity.seal_person(&account, &person))
    .bind(Digest(custody_key.0).to_string())
    .bind(serde_json::to_string(&envelope).expect("an envelope is plain JSON"))
    .bind(now().0 as i64)
    .execute(&mut *transaction)
    .await
    .map_err(database)?;
    if inserted.rows_affected() == 0 {
        return Err(Problem::conflict(
            "this login is taken, or this identity ID is registered already",
        ));
    }
    let contexts: &[&str] = if request.kind == MemberKind::Patient {
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
                    &account,
                    request.kind,
                    &person,
                    &custody_key,
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
    let ledger_ids: BTreeMap<_, _> = made
        .into_iter()
        .map(|id| (id.context, id.ledger_id))
        .collect();
    Ok(RegisteredPerson {
        account,
        patient_id,
        ledger_ids,
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
    for (field, text) in [
        ("/real_name", &request.real_name),
        ("/identity_id", &request.identity_id),
        ("/login", &request.login),
    ] {
        let characters = text.trim().chars().count();
        if characters == 0 || characters > TEXT_CHARACTERS_MAX {
            return Err(Problem::bad_input(
                field,
                format!("must have 1 to {TEXT_CHARACTERS_MAX} characters"),
            ));
        }
    }
    let about_the_person = [
        request.login.as_str(),
        request.real_name.as_str(),
        request.identity_id.as_str(),
    ];
    check_new_password("/password", &request.password, &about_the_person)
}
