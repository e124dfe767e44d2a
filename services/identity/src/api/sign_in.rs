//! Signs a person in with login and password. Anyone may ask.

use std::sync::Arc;

use bus::Call;
use contracts::membership::command::MemberKind;
use interfaces::Problem;
use interfaces::identity::{Session, SignIn};
use keys::password::PasswordEnvelope;
use keys::token::Role;
use sqlx::Row;
use submission::row::database;

use crate::attempts;
use crate::custody::CustodyKey;
use crate::people::OwnedLedgerId;
use crate::service::Identity;
use crate::sessions::{self, Method, Opening};

pub(crate) async fn sign_in(
    identity: Arc<Identity>,
    call: Call,
    request: SignIn,
) -> Result<Session, Problem> {
    let attempt = attempts::count(
        &identity,
        &request.login,
        call.origin,
        request.device.as_deref(),
    )
    .await?;
    let row = sqlx::query("SELECT account, kind, password_envelope FROM accounts WHERE login = $1")
        .bind(&request.login)
        .fetch_optional(identity.store.reader())
        .await
        .map_err(database)?;
    let known = row
        .map(|row| {
            Ok::<_, sqlx::Error>((
                row.try_get::<String, _>(0)?,
                row.try_get::<String, _>(1)?,
                row.try_get::<String, _>(2)?,
            ))
        })
        .transpose()
        .map_err(database)?;
    let (account, kind, custody) = match known {
        Some((account, kind, envelope)) => {
            let custody = unwrap(&identity, &account, request.password, &envelope).await?;
            (account, kind, custody)
        }
        None => {
            burn_the_same_time(&identity, request.password).await?;
            tracing::warn!("a sign-in was refused: no such login");
            return Err(wrong());
        }
    };
    let Some(custody) = custody else {
        tracing::warn!(
            account_id = account,
            "a sign-in was refused: wrong password"
        );
        return Err(wrong());
    };
    attempts::forgive(&identity, &attempt).await?;
    let role = if kind == MemberKind::Patient.name() {
        Role::Patient
    } else {
        Role::Doctor
    };
    let owned = identity.ledger_ids_of(&account).await?;
    require_endorsed(&identity, &owned).await?;
    let session = sessions::random_name();
    let sealed = custody
        .seal_for_session(&identity.session.public_key(), &session)
        .map_err(|error| Problem::failure(error.to_string()))?;
    let ledger_ids = owned
        .into_iter()
        .map(|id| (id.context, id.ledger_id))
        .collect();
    let opening = Opening {
        subject: account,
        session,
        method: Method::Password,
        through: call.caller,
        roles: vec![role],
        ledger_ids,
        organisation: None,
        sealed_secret: Some(sealed),
    };
    tracing::info!(account_id = opening.subject, "signed in");
    let session = sessions::open(&identity, opening).await?;
    Ok(Session {
        device: Some(attempts::new_device(&identity, &request.login)),
        ..session
    })
}

fn wrong() -> Problem {
    Problem::unauthenticated("login and password do not belong together")
}

async fn unwrap(
    identity: &Identity,
    account: &str,
    password: String,
    envelope: &str,
) -> Result<Option<CustodyKey>, Problem> {
    let envelope: PasswordEnvelope = serde_json::from_str(envelope)
        .map_err(|_| Problem::failure("an account row is malformed"))?;
    let permit = identity
        .derivations
        .acquire()
        .await
        .map_err(|_| Problem::busy("stopping"))?;
    let account = account.to_owned();
    let custody = tokio::task::spawn_blocking(move || {
        CustodyKey::unwrap(&account, &password, &envelope).ok()
    })
    .await
    .map_err(|_| Problem::failure("the password could not be processed"))?;
    drop(permit);
    Ok(custody)
}

/// An unknown login takes as long as a wrong password, so that logins can't be tried out.
async fn burn_the_same_time(identity: &Identity, password: String) -> Result<(), Problem> {
    let permit = identity
        .derivations
        .acquire()
        .await
        .map_err(|_| Problem::busy("stopping"))?;
    let spent =
        tokio::task::spawn_blocking(move || CustodyKey::random().wrap("nobody", &password).is_ok())
            .await;
    drop(permit);
    spent
        .map(|_| ())
        .map_err(|_| Problem::failure("the password could not be processed"))
}

/// A person can sign in once at least one ledger id is active: nodes authorise before any use (A27).
async fn require_endorsed(identity: &Identity, owned: &[OwnedLedgerId]) -> Result<(), Problem> {
    for id in owned {
        if identity
            .member_status(&id.ledger_id)
            .await?
            .is_some_and(|(status, _)| status == "active")
        {
            return Ok(());
        }
    }
    Err(Problem::forbidden(
        "the registration waits for endorsement, or was suspended or revoked",
    ))
}
