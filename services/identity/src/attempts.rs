//! Wrong passwords are counted by login, whether it exists or not; after too many, the login waits.
//!
//! An attempt counts before its password is looked at, so that many at once gain nothing; the right password forgives
//! those before it.

use interfaces::Problem;
use keys::identity_hash::identity_hash;
use submission::row::database;

use crate::service::{Identity, now};

/// Wrong passwords in a row until a login waits.
const FREE: i64 = 10;
/// How long it waits then; twice as long after each further attempt, up to the second figure.
const LOCKED_US: i64 = 60_000_000;
const LOCKED_US_MAX: i64 = 15 * 60_000_000;
/// What nobody has tried for so long is forgotten.
const FORGOTTEN_AFTER_US: i64 = 24 * 3_600_000_000;

/// Counts an attempt.
///
/// # Errors
/// 429 while the login waits.
pub(crate) async fn count(identity: &Identity, login: &str) -> Result<(), Problem> {
    let (hash, now) = (hash(identity, login), now_us());
    let mut transaction = identity.store.begin().await.map_err(database)?;
    sqlx::query("DELETE FROM sign_in_attempts WHERE last_us < $1")
        .bind(now - FORGOTTEN_AFTER_US)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    let found: Option<(i64, i64)> =
        sqlx::query_as("SELECT wrong, locked_until_us FROM sign_in_attempts WHERE login_hash = $1")
            .bind(&hash)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(database)?;
    let (wrong, locked_until_us) = found.unwrap_or_default();
    if now < locked_until_us {
        return Err(Problem::new(
            429,
            "too-many-attempts",
            "Too many attempts",
            "this login had too many wrong passwords; wait, then try again",
        ));
    }
    let wrong = wrong + 1;
    let locked_until_us = if wrong < FREE {
        0
    } else {
        let doublings = u32::try_from(wrong - FREE).unwrap_or(u32::MAX).min(10);
        now + (LOCKED_US << doublings).min(LOCKED_US_MAX)
    };
    sqlx::query(
        "INSERT INTO sign_in_attempts (login_hash, wrong, locked_until_us, last_us) VALUES ($1, $2, $3, $4)
         ON CONFLICT (login_hash) DO UPDATE SET wrong = excluded.wrong, locked_until_us = excluded.locked_until_us,
         last_us = excluded.last_us",
    )
    .bind(&hash)
    .bind(wrong)
    .bind(locked_until_us)
    .bind(now)
    .execute(&mut *transaction)
    .await
    .map_err(database)?;
    transaction.commit().await.map_err(database)
}

/// Forgets the attempts of a login whose password was right.
pub(crate) async fn forgive(identity: &Identity, login: &str) -> Result<(), Problem> {
    let mut transaction = identity.store.begin().await.map_err(database)?;
    sqlx::query("DELETE FROM sign_in_attempts WHERE login_hash = $1")
        .bind(hash(identity, login))
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)
}

/// Logins that nobody has are somebody's typing: kept as a keyed hash only.
fn hash(identity: &Identity, login: &str) -> String {
    identity_hash(&identity.hash_key, "sign-in", login).to_string()
}

fn now_us() -> i64 {
    i64::try_from(now().0).unwrap_or(i64::MAX)
}
