//! Signs a person in with login and password. Anyone may ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::Call;
use contracts::membership::command::MemberKind;
use interfaces::Problem;
use interfaces::identity::{Session, SignIn};
use keys::password::PasswordEnvelope;
use keys::token::{self, Role};
use ledger::Timestamp;
use sqlx::Row;
use submission::row::database;

use crate::attempts;
use crate::custody::CustodyKey;
use crate::people::OwnedLedgerId;
use crate::service::{Identity, now};

pub(crate) async fn sign_in(
    identity: Arc<Identity>,
    _call: Call,
    request: SignIn,
) -> Result<Session, Problem> {
    attempts::count(&identity, &request.login).await?;
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
            return Err(wrong());
        }
    };
    let custody = custody.ok_or_else(wrong)?;
    attempts::forgive(&identity, &request.login).await?;
    let role = if kind == MemberKind::Patient.name() {
        Role::Patient
    } else {
        Role::Doctor
    };
    let owned = identity.ledger_ids_of(&account).await?;
    require_endorsed(&identity, &owned).await?;
    let session = keys::secret::random::<16>()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    let sealed = custody
        .seal_for_session(&identity.session.public_key(), &session)
        .map_err(|error| Problem::failure(error.to_string()))?;
    let ledger_ids = owned
        .into_iter()
        .map(|id| (id.context, id.ledger_id))
        .collect();
    Ok(issue(
        &identity,
        account,
        session,
        vec![role],
        ledger_ids,
        None,
        Some(sealed),
    ))
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

/// Issues a session token.
pub(crate) fn issue(
    identity: &Identity,
    subject: String,
    session: String,
    roles: Vec<Role>,
    ledger_ids: BTreeMap<String, ledger::LedgerId>,
    organisation: Option<ledger::LedgerId>,
    sealed_secret: Option<String>,
) -> Session {
    let issued = now();
    let expires = Timestamp(issued.0 + identity.session_us);
    let claims = token::Session {
        subject,
        session,
        roles,
        ledger_ids,
        organisation,
        organisation_bus_name: None,
        sealed_secret,
        issued,
        expires,
    };
    let time = chrono::DateTime::from_timestamp_micros(expires.0 as i64).unwrap_or_default();
    Session {
        token: identity.token.issue(&claims),
        expires: time.to_rfc3339(),
    }
}
