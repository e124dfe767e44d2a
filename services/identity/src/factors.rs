//! What a natural person proves who they are with: the password, and besides it, once they have switched it on, a one-time
//! code of an authenticator app (TOTP, RFC 6238) or one of the recovery codes that were given then.
//!
//! The app's secret is sealed to the account's custody key, so that it opens only after the password did: what is in the
//! database gives no codes. A code counts once. Recovery codes have 120 bits and are kept as keyed hashes.

use data_encoding::HEXLOWER;
use interfaces::Problem;
use keys::AuthorizationCode;
use keys::password::PasswordEnvelope;
use sqlx::Row;
use submission::row::database;
use totp_rs::{Algorithm, Builder, Totp};

use crate::custody::CustodyKey;
use crate::service::{Identity, now};

/// Where the consortium's name stands in an authenticator app.
const ISSUER: &str = "Medshare";
/// Seconds of one code.
const STEP_SECONDS: u64 = 30;
/// Codes before and after the present one that count too, for clocks that are a little off.
const SKEW: u16 = 1;
const DIGITS: u8 = 6;
/// Recovery codes that are given at a time.
const RECOVERY_CODES: usize = 10;
/// Fewer guesses than this, as zxcvbn counts them, are too few: a list of common passwords is a part of it.
const PASSWORD_GUESSES_LOG10_MIN: f64 = 10.0;
const PASSWORD_CHARACTERS_MIN: usize = 12;
/// Beyond it, the estimate says nothing new and takes long.
const PASSWORD_CHARACTERS_ESTIMATED: usize = 64;

/// An account as signing in reads it.
pub(crate) struct Account {
    pub(crate) account: String,
    pub(crate) kind: String,
    pub(crate) login: String,
    /// The hospital that a clerk acts for.
    pub(crate) hospital: Option<String>,
    /// Whether the hospital has ended it.
    pub(crate) is_ended: bool,
    envelope: String,
}

impl Identity {
    /// The account of a login.
    pub(crate) async fn account_of_login(&self, login: &str) -> Result<Option<Account>, Problem> {
        self.account_where("login = $1", login).await
    }

    /// The account of this id.
    ///
    /// # Errors
    /// 403 for members that hold their own keys: they have none.
    pub(crate) async fn account(&self, account: &str) -> Result<Account, Problem> {
        let found = self.account_where("account = $1", account).await?;
        found.ok_or_else(|| Problem::forbidden("this is for natural persons"))
    }

    async fn account_where(
        &self,
        condition: &'static str,
        value: &str,
    ) -> Result<Option<Account>, Problem> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT account, kind, login, password_envelope, hospital, ended_us FROM accounts WHERE {condition}"
        )))
        .bind(value)
        .fetch_optional(self.store.reader())
        .await
        .map_err(database)?;
        let read = |row: sqlx::any::AnyRow| {
            Ok(Account {
                account: row.try_get(0)?,
                kind: row.try_get(1)?,
                login: row.try_get(2)?,
                envelope: row.try_get(3)?,
                hospital: row.try_get(4)?,
                is_ended: row.try_get::<Option<i64>, _>(5)?.is_some(),
            })
        };
        row.map(read).transpose().map_err(database)
    }

    /// The custody key of an account, if the password opens it.
    pub(crate) async fn unlock(
        &self,
        account: &Account,
        password: String,
    ) -> Result<Option<CustodyKey>, Problem> {
        let envelope: PasswordEnvelope = serde_json::from_str(&account.envelope)
            .map_err(|_| Problem::failure("an account row is malformed"))?;
        let account = account.account.clone();
        self.derive(move || CustodyKey::unwrap(&account, &password, &envelope).ok())
            .await
    }

    /// Work with a password: few at a time, off the threads that serve everybody.
    pub(crate) async fn derive<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = self.derivations.acquire().await;
        let _permit = permit.map_err(|_| Problem::busy("stopping"))?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| Problem::failure("the password could not be processed"))
    }

    /// Checks the second factor of an account whose password was right, if it has one.
    ///
    /// # Errors
    /// 401 `second-factor-needed` when none came, `second-factor-wrong` when it is wrong or was used before.
    pub(crate) async fn check_second_factor(
        &self,
        account: &str,
        custody: &CustodyKey,
        shown: Option<&str>,
    ) -> Result<(), Problem> {
        let Some(factor) = factor_of(self, account)
            .await?
            .filter(|factor| factor.confirmed)
        else {
            return Ok(());
        };
        let shown = shown.map(str::trim).filter(|shown| !shown.is_empty());
        let shown = shown.ok_or_else(|| {
            Problem::new(
                401,
                "second-factor-needed",
                "A one-time code is needed",
                "show the code of the authenticator app, or a recovery code",
            )
        })?;
        let right = match shown.parse::<AuthorizationCode>() {
            Ok(code) => use_recovery_code(self, account, &code).await?,
            Err(_) => use_one_time_code(self, account, custody, &factor, shown).await?,
        };
        if right {
            return Ok(());
        }
        Err(Problem::new(
            401,
            "second-factor-wrong",
            "The one-time code is wrong",
            "the code is wrong, or was used before; wait for the next one",
        ))
    }
}

/// Refuses (400) a password that is short or easily guessed.
pub(crate) fn check_new_password(
    field: &str,
    password: &str,
    about_the_person: &[&str],
) -> Result<(), Problem> {
    if password.chars().count() < PASSWORD_CHARACTERS_MIN {
        return Err(Problem::bad_input(
            field,
            format!("must have at least {PASSWORD_CHARACTERS_MIN} characters"),
        ));
    }
    let begin: String = password
        .chars()
        .take(PASSWORD_CHARACTERS_ESTIMATED)
        .collect();
    let known: Vec<&str> = about_the_person.iter().copied().chain(CONTEXT).collect();
    if zxcvbn::zxcvbn(&begin, &known).guesses_log10() < PASSWORD_GUESSES_LOG10_MIN {
        return Err(Problem::bad_input(
            field,
            "is too easily guessed: take several words that do not belong together, or let a password manager make one",
        ));
    }
    Ok(())
}

/// Words that everybody here thinks of first.
const CONTEXT: [&str; 6] = [
    "medshare", "hospital", "patient", "doctor", "health", "record",
];

/// The second factor of an account.
pub(crate) struct Factor {
    sealed_secret: Vec<u8>,
    pub(crate) confirmed: bool,
}

pub(crate) async fn factor_of(
    identity: &Identity,
    account: &str,
) -> Result<Option<Factor>, Problem> {
    let row =
        sqlx::query("SELECT sealed_secret, confirmed_us FROM second_factors WHERE account = $1")
            .bind(account)
            .fetch_optional(identity.store.reader())
            .await
            .map_err(database)?;
    let read = |row: sqlx::any::AnyRow| {
        Ok(Factor {
            sealed_secret: row.try_get(0)?,
            confirmed: row.try_get::<Option<i64>, _>(1)?.is_some(),
        })
    };
    row.map(read).transpose().map_err(database)
}

/// Draws a secret for an authenticator app; it counts once a code of it was shown. What it has to be told.
pub(crate) async fn begin(
    identity: &Identity,
    account: &Account,
    custody: &CustodyKey,
) -> Result<(String, String), Problem> {
    let failed = |_| Problem::failure("the authenticator app's secret could not be made");
    let secret: [u8; 20] = keys::secret::random();
    let totp = totp(&secret, &account.login)?;
    let sealed = custody
        .seal_factor(&account.account, &secret)
        .map_err(|error| Problem::failure(error.to_string()))?;
    let mut transaction = identity.store.begin().await.map_err(database)?;
    let written = sqlx::query(
        "INSERT INTO second_factors (account, sealed_secret, confirmed_us, last_step) VALUES ($1, $2, NULL, 0)
         ON CONFLICT (account) DO UPDATE SET sealed_secret = excluded.sealed_secret, last_step = 0
         WHERE second_factors.confirmed_us IS NULL",
    )
    .bind(&account.account)
    .bind(sealed)
    .execute(&mut *transaction)
    .await
    .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    if written.rows_affected() == 0 {
        return Err(Problem::conflict(
            "an authenticator app is in use already; end that first",
        ));
    }
    let text = totp_rs::Secret::from(secret).to_base32();
    Ok((text, totp.to_url().map_err(failed)?))
}

/// Switches a factor on whose first code was shown; the recovery codes.
pub(crate) async fn confirm(
    identity: &Identity,
    account: &str,
    custody: &CustodyKey,
    shown: &str,
) -> Result<Vec<String>, Problem> {
    let factor = factor_of(identity, account).await?;
    let factor = factor
        .filter(|factor| !factor.confirmed)
        .ok_or_else(|| Problem::conflict("there is no authenticator app to confirm"))?;
    if !use_one_time_code(identity, account, custody, &factor, shown.trim()).await? {
        return Err(Problem::bad_input(
            "/code",
            "is not the code that the app shows now",
        ));
    }
    let mut transaction = identity.store.begin().await.map_err(database)?;
    sqlx::query("UPDATE second_factors SET confirmed_us = $1 WHERE account = $2")
        .bind(now().0 as i64)
        .bind(account)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    renew_recovery_codes(identity, account).await
}

/// Draws new recovery codes; the old ones count no more.
pub(crate) async fn renew_recovery_codes(
    identity: &Identity,
    account: &str,
) -> Result<Vec<String>, Problem> {
    let codes: Vec<AuthorizationCode> = (0..RECOVERY_CODES)
        .map(|_| AuthorizationCode::random())
        .collect();
    let mut transaction = identity.store.begin().await.map_err(database)?;
    sqlx::query("DELETE FROM recovery_codes WHERE account = $1")
        .bind(account)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    for code in &codes {
        sqlx::query("INSERT INTO recovery_codes (account, code_hash) VALUES ($1, $2)")
            .bind(account)
            .bind(recovery_hash(identity, account, code))
            .execute(&mut *transaction)
            .await
            .map_err(database)?;
    }
    transaction.commit().await.map_err(database)?;
    Ok(codes
        .iter()
        .map(|code| code.expose_text().to_string())
        .collect())
}

/// Ends the second factor of an account, recovery codes included.
pub(crate) async fn end(identity: &Identity, account: &str) -> Result<(), Problem> {
    let mut transaction = identity.store.begin().await.map_err(database)?;
    for statement in [
        "DELETE FROM second_factors WHERE account = $1",
        "DELETE FROM recovery_codes WHERE account = $1",
    ] {
        sqlx::query(statement)
            .bind(account)
            .execute(&mut *transaction)
            .await
            .map_err(database)?;
    }
    transaction.commit().await.map_err(database)
}

/// How many recovery codes are left.
pub(crate) async fn recovery_codes_left(
    identity: &Identity,
    account: &str,
) -> Result<u32, Problem> {
    let (left,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM recovery_codes WHERE account = $1")
        .bind(account)
        .fetch_one(identity.store.reader())
        .await
        .map_err(database)?;
    Ok(u32::try_from(left).unwrap_or(u32::MAX))
}

/// Whether the code is one of the app's now, later than any used before; from then on it is used.
async fn use_one_time_code(
    identity: &Identity,
    account: &str,
    custody: &CustodyKey,
    factor: &Factor,
    shown: &str,
) -> Result<bool, Problem> {
    let secret = custody
        .open_factor(account, &factor.sealed_secret)
        .map_err(|error| Problem::failure(error.to_string()))?;
    let Some(step) = totp(&secret, account)?.check(shown, now().0 / 1_000_000) else {
        return Ok(false);
    };
    let mut transaction = identity.store.begin().await.map_err(database)?;
    let used = sqlx::query(
        "UPDATE second_factors SET last_step = $1 WHERE account = $2 AND last_step < $3",
    )
    .bind(step as i64)
    .bind(account)
    .bind(step as i64)
    .execute(&mut *transaction)
    .await
    .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    Ok(used.rows_affected() == 1)
}

/// Whether the code is one of the account's; from then on it is none.
async fn use_recovery_code(
    identity: &Identity,
    account: &str,
    code: &AuthorizationCode,
) -> Result<bool, Problem> {
    let mut transaction = identity.store.begin().await.map_err(database)?;
    let used = sqlx::query("DELETE FROM recovery_codes WHERE account = $1 AND code_hash = $2")
        .bind(account)
        .bind(recovery_hash(identity, account, code))
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    Ok(used.rows_affected() == 1)
}

fn recovery_hash(identity: &Identity, account: &str, code: &AuthorizationCode) -> String {
    let bound = [account.as_bytes(), b"/", code.expose_bytes()].concat();
    let hash = identity
        .hash_key
        .derive_with(&bound, b"medshare/identity/recovery-code/v1");
    HEXLOWER.encode(hash.expose())
}

fn totp(secret: &[u8; 20], login: &str) -> Result<Totp, Problem> {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_skew(SKEW)
        .with_step_duration(STEP_SECONDS)
        .with_secret(*secret)
        .with_account_name(login.replace(':', " "))
        .with_issuer(Some(ISSUER))
        .build()
        .map_err(|_| Problem::failure("the authenticator app's secret is unusable"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_are_short_common_or_about_the_person_are_refused() {
        for easy in [
            "short",
            "password1234",
            "qwertyuiop12",
            "123456789012",
            "aaaaaaaaaaaaaaaa",
            "medsharemedshare",
            "anna schmidt",
        ] {
            let about = ["anna.schmidt", "Anna Schmidt"];
            assert!(
                check_new_password("/password", easy, &about).is_err(),
                "{easy}"
            );
        }
        for hard in [
            "correct horse battery staple",
            "kP4!xq0-TzW9e",
            "blåbær kvist ört ängel",
        ] {
            assert!(check_new_password("/password", hard, &[]).is_ok(), "{hard}");
        }
    }
}
