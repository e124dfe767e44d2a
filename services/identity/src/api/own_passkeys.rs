//! Passkeys of the one who is signed in, and signing in with one.

use std::sync::Arc;

use bus::Call;
use interfaces::identity::{
    AddPasskey, BeginPasskey, BeginPasskeySignIn, Done, ListPasskeys, PasskeyOptions,
    PasskeySession, PasskeySummary, RemovePasskey, SignInWithPasskey,
};
use interfaces::{Base64, Problem, time_text};
use keys::Secret;
use ledger::Timestamp;
use sqlx::Row;
use submission::row::database;

use super::own_factors::prove;
use crate::attempts;
use crate::custody::CustodyKey;
use crate::service::{Identity, now};
use crate::sessions::Method;

const NAME_CHARACTERS_MAX: usize = 60;

pub(crate) async fn begin_passkey(
    identity: Arc<Identity>,
    call: Call,
    request: BeginPasskey,
) -> Result<PasskeyOptions, Problem> {
    let shown = request.second_factor.as_deref();
    let proven = prove(&identity, &call, request.password, shown).await?;
    let (account, login) = (&proven.account.account, &proven.account.login);
    let present = identity.passkey_ids(account).await?;
    identity.passkeys.begin_adding(account, login, present)
}

pub(crate) async fn add_passkey(
    identity: Arc<Identity>,
    call: Call,
    request: AddPasskey,
) -> Result<PasskeySummary, Problem> {
    let caller = identity.caller(&call).await?;
    let name = request.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(Problem::bad_input("/name", "must have 1 to 60 characters"));
    }
    let secret = secret_of(&request.secret)?;
    let session = caller.session();
    let account = identity.account(&session.subject).await?.account;
    let passkey = identity
        .passkeys
        .added(&account, &request.ceremony, request.credential)?;
    let sealed = session.sealed_secret.as_deref().unwrap_or_default();
    let custody = CustodyKey::open_from_session(&identity.session, &session.session, sealed)
        .map_err(|error| Problem::unauthenticated(error.to_string()))?;
    let wrapped = custody.wrap_under(&account, &secret);
    let id = identity
        .keep_passkey(&account, name, &passkey, &wrapped)
        .await?;
    tracing::info!(account_id = account, "a passkey was added");
    Ok(PasskeySummary {
        passkey: id,
        name: name.to_owned(),
        created: time_text(now()),
        used: None,
    })
}

pub(crate) async fn list_passkeys(
    identity: Arc<Identity>,
    call: Call,
    _request: ListPasskeys,
) -> Result<Vec<PasskeySummary>, Problem> {
    let caller = identity.caller(&call).await?;
    let account = identity.account(&caller.session().subject).await?.account;
    let rows = sqlx::query(
        "SELECT passkey, name, created_us, used_us FROM passkeys WHERE account = $1 ORDER BY created_us DESC",
    )
    .bind(&account)
    .fetch_all(identity.store.reader())
    .await
    .map_err(database)?;
    let time = |us: i64| time_text(Timestamp(us.unsigned_abs()));
    rows.iter()
        .map(|row| {
            Ok(PasskeySummary {
                passkey: row.try_get(0)?,
                name: row.try_get(1)?,
                created: time(row.try_get(2)?),
                used: row.try_get::<Option<i64>, _>(3)?.map(time),
            })
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(database)
}

pub(crate) async fn remove_passkey(
    identity: Arc<Identity>,
    call: Call,
    request: RemovePasskey,
) -> Result<Done, Problem> {
    let shown = request.second_factor.as_deref();
    let proven = prove(&identity, &call, request.password, shown).await?;
    let mut transaction = identity.store.begin().await.map_err(database)?;
    let removed = sqlx::query("DELETE FROM passkeys WHERE passkey = $1 AND account = $2")
        .bind(&request.passkey)
        .bind(&proven.account.account)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    match removed.rows_affected() {
        0 => Err(Problem::not_found("no passkey of yours has this id")),
        _ => Ok(Done {}),
    }
}

/// Anyone may ask.
pub(crate) async fn begin_passkey_sign_in(
    identity: Arc<Identity>,
    _call: Call,
    _request: BeginPasskeySignIn,
) -> Result<PasskeyOptions, Problem> {
    identity.passkeys.begin_signing_in()
}

/// Anyone may ask; every refusal is alike. The device has verified its user: that is two factors.
pub(crate) async fn sign_in_with_passkey(
    identity: Arc<Identity>,
    call: Call,
    request: SignInWithPasskey,
) -> Result<PasskeySession, Problem> {
    let refused = || Problem::unauthenticated("this passkey opens no account here");
    let secret = secret_of(&request.secret)?;
    let stored = identity
        .signed_in_with_passkey(&request.ceremony, request.credential)
        .await?
        .ok_or_else(refused)?;
    let account = identity.account(&stored.account).await?;
    let custody = CustodyKey::unwrap_under(&stored.account, &secret, &stored.wrapped)
        .map_err(|_| refused())?;
    let session = identity
        .open_session_of(&account, &custody, Method::Passkey, &call)
        .await?;
    tracing::info!(account_id = stored.account, "signed in with a passkey");
    let device = Some(attempts::new_device(&identity, &account.login));
    Ok(PasskeySession {
        session: interfaces::identity::Session { device, ..session },
        login: account.login,
    })
}

/// What the passkey's PRF gave.
fn secret_of(bytes: &Base64) -> Result<Secret, Problem> {
    <[u8; 32]>::try_from(bytes.0.as_slice())
        .map(Secret::from_bytes)
        .map_err(|_| Problem::bad_input("/secret", "must have 32 bytes"))
}
