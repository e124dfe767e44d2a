//! Wrong passwords are counted, so that nobody guesses one and nobody is locked out by others' guesses.
//!
//! Each attempt has one bucket: that of the device it comes from, if the device shows what an earlier sign-in there was
//! given; else that of login and address. A full bucket waits, and only that bucket. Attempts from unknown devices are also
//! counted for the login as a whole: after many, each is answered later, whoever makes it, and none is refused. So whoever
//! guesses from many addresses is slowed down, and the owner waits for some seconds on a new device and not at all on a
//! known one.
//!
//! Logins count whether they exist or not. An attempt counts before its password is looked at, so that many at once gain
//! nothing; the right password forgives those of its bucket.

use std::net::IpAddr;
use std::time::Duration;

use bus::origin::network_of;
use data_encoding::HEXLOWER;
use interfaces::Problem;
use submission::row::database;
use subtle::ConstantTimeEq;

use crate::service::{Identity, now};

/// Wrong passwords in a row until a bucket waits.
const FREE: i64 = 10;
/// How long it waits then; twice as long after each further attempt, up to the second figure.
const LOCKED_US: i64 = 60_000_000;
const LOCKED_US_MAX: i64 = 15 * 60_000_000;
/// Wrong passwords for one login from unknown devices until each further one is answered later; one is forgiven a minute.
const SLOW_AFTER: i64 = 30;
const FORGIVEN_EVERY_US: i64 = 60_000_000;
/// How much later, at first; twice as long for each ten more, up to the second figure.
const LATER: Duration = Duration::from_millis(250);
const LATER_MAX: Duration = Duration::from_secs(4);
/// What nobody has tried for so long is forgotten.
const FORGOTTEN_AFTER_US: i64 = 24 * 3_600_000_000;
/// Characters of a device's proof: a random half and a keyed half.
const DEVICE_CHARACTERS: usize = 64;

/// One attempt that was counted.
pub(crate) struct Attempt {
    bucket: String,
}

/// Counts an attempt, and lets it wait if its login has had too many.
///
/// # Errors
/// 429 while its bucket waits.
pub(crate) async fn count(
    identity: &Identity,
    login: &str,
    origin: Option<IpAddr>,
    device: Option<&str>,
) -> Result<Attempt, Problem> {
    let known = device.filter(|device| is_of(identity, login, device));
    let bucket = match (known, origin) {
        (Some(device), _) => bucket(identity, "device", login, device),
        (None, Some(address)) => {
            bucket(identity, "address", login, &network_of(address).to_string())
        }
        (None, None) => bucket(identity, "address", login, "unknown"),
    };
    let now = i64::try_from(now().0).unwrap_or(i64::MAX);
    let mut transaction = identity.store.begin().await.map_err(database)?;
    sqlx::query("DELETE FROM sign_in_attempts WHERE last_us < $1")
        .bind(now - FORGOTTEN_AFTER_US)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    let found = read(&mut transaction, &bucket).await?;
    if now < found.locked_until_us {
        return Err(Problem::new(
            429,
            "too-many-attempts",
            "Too many attempts",
            "too many wrong passwords for this login from here; wait, then try again",
        ));
    }
    let wrong = found.wrong + 1;
    let locked_until_us = match wrong.checked_sub(FREE) {
        Some(beyond @ 0..) => now + (LOCKED_US << beyond.min(10)).min(LOCKED_US_MAX),
        _ => 0,
    };
    write(&mut transaction, &bucket, wrong, locked_until_us, now).await?;
    let mut later = Duration::ZERO;
    if known.is_none() {
        let whole = whole(identity, login);
        let found = read(&mut transaction, &whole).await?;
        let forgiven = (now - found.last_us).max(0) / FORGIVEN_EVERY_US;
        let wrong = (found.wrong - forgiven).max(0) + 1;
        later = lateness(wrong);
        write(&mut transaction, &whole, wrong, 0, now).await?;
    }
    transaction.commit().await.map_err(database)?;
    tokio::time::sleep(later).await;
    Ok(Attempt { bucket })
}

/// Forgets the attempts of a bucket whose last one brought the right password.
pub(crate) async fn forgive(identity: &Identity, attempt: &Attempt) -> Result<(), Problem> {
    let mut transaction = identity.store.begin().await.map_err(database)?;
    sqlx::query("DELETE FROM sign_in_attempts WHERE bucket = $1")
        .bind(&attempt.bucket)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)
}

/// What a device shows next time: that somebody signed in with this login on it.
pub(crate) fn new_device(identity: &Identity, login: &str) -> String {
    let name = HEXLOWER.encode(&keys::secret::random::<16>());
    let proof = proof(identity, login, &name);
    name + &proof
}

fn is_of(identity: &Identity, login: &str, device: &str) -> bool {
    if device.len() != DEVICE_CHARACTERS || !device.is_ascii() {
        return false;
    }
    let (name, shown) = device.split_at(DEVICE_CHARACTERS / 2);
    let proof = proof(identity, login, name);
    proof.as_bytes().ct_eq(shown.as_bytes()).into()
}

fn proof(identity: &Identity, login: &str, name: &str) -> String {
    bucket(identity, "device proof", login, name)[..DEVICE_CHARACTERS / 2].to_owned()
}

/// The attempts of a login from all unknown devices together.
fn whole(identity: &Identity, login: &str) -> String {
    bucket(identity, "login", login, "")
}

/// Logins that nobody has are somebody's typing: kept as a keyed hash only.
fn bucket(identity: &Identity, kind: &str, login: &str, from: &str) -> String {
    let mut text = Vec::new();
    for part in [kind, login, from] {
        text.extend((part.len() as u64).to_be_bytes());
        text.extend(part.as_bytes());
    }
    let hash = identity
        .hash_key
        .derive_with(&text, b"medshare/identity/attempts/v1");
    HEXLOWER.encode(hash.expose())
}

fn lateness(wrong: i64) -> Duration {
    match wrong.checked_sub(SLOW_AFTER) {
        Some(beyond @ 0..) => {
            let doublings = u32::try_from(beyond / 10).unwrap_or(u32::MAX).min(8);
            (LATER * 2_u32.pow(doublings)).min(LATER_MAX)
        }
        _ => Duration::ZERO,
    }
}

#[derive(Default)]
struct Found {
    wrong: i64,
    locked_until_us: i64,
    last_us: i64,
}

async fn read(transaction: &mut store::Transaction, bucket: &str) -> Result<Found, Problem> {
    let found: Option<(i64, i64, i64)> = sqlx::query_as(
        "SELECT wrong, locked_until_us, last_us FROM sign_in_attempts WHERE bucket = $1",
    )
    .bind(bucket)
    .fetch_optional(&mut **transaction)
    .await
    .map_err(database)?;
    Ok(
        found.map_or_else(Found::default, |(wrong, locked_until_us, last_us)| Found {
            wrong,
            locked_until_us,
            last_us,
        }),
    )
}

async fn write(
    transaction: &mut store::Transaction,
    bucket: &str,
    wrong: i64,
    locked_until_us: i64,
    now: i64,
) -> Result<(), Problem> {
    sqlx::query(
        "INSERT INTO sign_in_attempts (bucket, wrong, locked_until_us, last_us) VALUES ($1, $2, $3, $4)
         ON CONFLICT (bucket) DO UPDATE SET wrong = excluded.wrong, locked_until_us = excluded.locked_until_us,
         last_us = excluded.last_us",
    )
    .bind(bucket)
    .bind(wrong)
    .bind(locked_until_us)
    .bind(now)
    .execute(&mut **transaction)
    .await
    .map(|_| ())
    .map_err(database)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_for_one_login_are_answered_later_and_later_and_none_after_more_than_four_seconds() {
        assert_eq!(lateness(1), Duration::ZERO);
        assert_eq!(lateness(SLOW_AFTER - 1), Duration::ZERO);
        assert_eq!(lateness(SLOW_AFTER), LATER);
        assert_eq!(lateness(SLOW_AFTER + 10), LATER * 2);
        assert_eq!(lateness(10_000), LATER_MAX);
        assert_eq!(lateness(i64::MAX), LATER_MAX);
    }
}
