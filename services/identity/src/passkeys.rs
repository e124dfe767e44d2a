//! Passkeys (WebAuthn): keys of a person's own devices, which sign them in after the device has verified its user (by
//! fingerprint, face or PIN), without a password.
//!
//! What a passkey's PRF extension gives for [`PRF_SALT`], 32 bytes that a browser hands in as it hands in a password,
//! unwraps the account's custody key. So what is in the database opens nothing here either, and an authenticator without PRF
//! cannot be used. Ceremonies that are underway are kept in memory: after a restart they begin anew.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use interfaces::Problem;
use interfaces::identity::PasskeyOptions;
use ledger::Timestamp;
use serde_json::Value;
use sqlx::Row;
use submission::row::database;
use webauthn_rs::prelude::{
    CredentialID, DiscoverableAuthentication, Passkey, PasskeyRegistration, Url, Uuid, Webauthn,
    WebauthnBuilder, WebauthnError,
};

use crate::service::{Identity, now};

/// What authenticators derive the secret from that unwraps the custody key; the same for everybody, since each passkey gives
/// another secret for it.
const PRF_SALT: &[u8; 32] = b"medshare/identity/passkey/prf/v1";
const UNDERWAY_US: u64 = 5 * 60_000_000;
/// Ceremonies underway at a time; the oldest are forgotten first.
const UNDERWAY_MAX: usize = 10_000;
/// Passkeys of an account.
const PASSKEYS_MAX: usize = 20;

/// What is asked of authenticators, and what is underway.
pub(crate) struct Passkeys {
    webauthn: Webauthn,
    underway: Mutex<Underway>,
}

#[derive(Default)]
struct Underway {
    ceremonies: HashMap<String, (Timestamp, Ceremony)>,
    order: VecDeque<String>,
}

enum Ceremony {
    /// Of an account that adds a passkey.
    Adding(String, Box<PasskeyRegistration>),
    SigningIn(Box<DiscoverableAuthentication>),
}

impl Passkeys {
    /// For pages at `host` over TLS; at `localhost`, where browsers need none, at every port.
    ///
    /// # Errors
    /// If there can be no pages at this host.
    pub(crate) fn at(host: &str) -> Result<Passkeys, WebauthnError> {
        let local = host == "localhost";
        let scheme = if local { "http" } else { "https" };
        let origin =
            Url::parse(&format!("{scheme}://{host}")).map_err(|_| WebauthnError::Configuration)?;
        let webauthn = WebauthnBuilder::new(host, &origin)?
            .rp_name("Medshare")
            .allow_any_port(local)
            .build()?;
        Ok(Passkeys {
            webauthn,
            underway: Mutex::default(),
        })
    }

    /// Begins to add a passkey to an account.
    ///
    /// # Errors
    /// 409 when the account has as many as it may.
    pub(crate) fn begin_adding(
        &self,
        account: &str,
        login: &str,
        present: Vec<CredentialID>,
    ) -> Result<PasskeyOptions, Problem> {
        if present.len() >= PASSKEYS_MAX {
            return Err(Problem::conflict(
                "the account has as many passkeys as it may; remove one first",
            ));
        }
        let id: Uuid = account
            .parse()
            .map_err(|_| Problem::failure("an account's id is malformed"))?;
        let begun = self
            .webauthn
            .start_passkey_registration(id, login, login, Some(present));
        let (options, state) = begun.map_err(failed)?;
        let mut options = serde_json::to_value(options).map_err(failed)?;
        // Found by the device itself when signing in: nobody is asked for a login.
        let selection = &mut options["publicKey"]["authenticatorSelection"];
        selection["residentKey"] = "required".into();
        selection["requireResidentKey"] = true.into();
        Ok(self.underway(
            Ceremony::Adding(account.to_owned(), Box::new(state)),
            options,
        ))
    }

    /// The passkey that was made in a ceremony of this account.
    ///
    /// # Errors
    /// 400 when it was made elsewhere, otherwise, or too late.
    pub(crate) fn added(
        &self,
        account: &str,
        ceremony: &str,
        credential: Value,
    ) -> Result<Passkey, Problem> {
        let refused = || {
            Problem::bad_input(
                "/credential",
                "is not what this account was asked for lately",
            )
        };
        let Some(Ceremony::Adding(whose, state)) = self.take(ceremony) else {
            return Err(refused());
        };
        if whose != account {
            return Err(refused());
        }
        let credential = serde_json::from_value(credential).map_err(|_| refused())?;
        self.webauthn
            .finish_passkey_registration(&credential, &state)
            .map_err(|error| {
                tracing::warn!(account_id = account, %error, "a passkey was refused");
                refused()
            })
    }

    /// Begins to sign in whoever has a passkey.
    pub(crate) fn begin_signing_in(&self) -> Result<PasskeyOptions, Problem> {
        let begun = self.webauthn.start_discoverable_authentication();
        let (options, state) = begun.map_err(failed)?;
        let mut options = serde_json::to_value(options).map_err(failed)?;
        // It is asked for by a button, not beside other ways of filling in a form.
        if let Some(options) = options.as_object_mut() {
            options.remove("mediation");
        }
        Ok(self.underway(Ceremony::SigningIn(Box::new(state)), options))
    }

    fn underway(&self, ceremony: Ceremony, options: Value) -> PasskeyOptions {
        let name = crate::sessions::random_name();
        let mut underway = self.underway.lock().unwrap_or_else(PoisonError::into_inner);
        while underway.order.len() >= UNDERWAY_MAX {
            let oldest = underway.order.pop_front();
            oldest.and_then(|oldest| underway.ceremonies.remove(&oldest));
        }
        underway.order.push_back(name.clone());
        underway.ceremonies.insert(name.clone(), (now(), ceremony));
        PasskeyOptions {
            ceremony: name,
            options,
            salt: interfaces::Base64(PRF_SALT.to_vec()),
        }
    }

    /// A ceremony ends once.
    fn take(&self, name: &str) -> Option<Ceremony> {
        let mut underway = self.underway.lock().unwrap_or_else(PoisonError::into_inner);
        let (begun, ceremony) = underway.ceremonies.remove(name)?;
        (now().0 < begun.0 + UNDERWAY_US).then_some(ceremony)
    }
}

fn failed(error: impl std::fmt::Display) -> Problem {
    Problem::failure(format!("passkeys: {error}"))
}

/// A passkey of an account.
pub(crate) struct Stored {
    pub(crate) account: String,
    /// The custody key, wrapped under what the passkey's PRF gives.
    pub(crate) wrapped: Vec<u8>,
}

impl Identity {
    /// Ids of an account's passkeys.
    pub(crate) async fn passkey_ids(&self, account: &str) -> Result<Vec<CredentialID>, Problem> {
        let rows = sqlx::query("SELECT passkey_json FROM passkeys WHERE account = $1")
            .bind(account)
            .fetch_all(self.store.reader())
            .await
            .map_err(database)?;
        rows.iter()
            .map(|row| Ok(read(row.try_get(0).map_err(database)?)?.cred_id().clone()))
            .collect()
    }

    /// Keeps a new passkey.
    ///
    /// # Errors
    /// 409 when somebody has it already.
    pub(crate) async fn keep_passkey(
        &self,
        account: &str,
        name: &str,
        passkey: &Passkey,
        wrapped: &[u8],
    ) -> Result<String, Problem> {
        let id = data_encoding::BASE64URL_NOPAD.encode(passkey.cred_id().as_ref());
        let mut transaction = self.store.begin().await.map_err(database)?;
        let kept = sqlx::query(
            "INSERT INTO passkeys (passkey, account, name, passkey_json, wrapped, created_us, used_us)
             VALUES ($1, $2, $3, $4, $5, $6, NULL) ON CONFLICT (passkey) DO NOTHING",
        )
        .bind(&id)
        .bind(account)
        .bind(name)
        .bind(serde_json::to_string(passkey).map_err(failed)?)
        .bind(wrapped)
        .bind(now().0 as i64)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
        transaction.commit().await.map_err(database)?;
        match kept.rows_affected() {
            1 => Ok(id),
            _ => Err(Problem::conflict("this passkey is in use already")),
        }
    }

    /// Whose passkey has signed in a ceremony, none if it is none of ours or did not sign what it was asked to. Its counter
    /// goes on.
    pub(crate) async fn signed_in_with_passkey(
        &self,
        ceremony: &str,
        credential: Value,
    ) -> Result<Option<Stored>, Problem> {
        let Some(Ceremony::SigningIn(state)) = self.passkeys.take(ceremony) else {
            return Ok(None);
        };
        let Ok(credential) = serde_json::from_value(credential) else {
            return Ok(None);
        };
        let webauthn = &self.passkeys.webauthn;
        let Ok((account, id)) = webauthn.identify_discoverable_authentication(&credential) else {
            return Ok(None);
        };
        let account = account.simple().to_string();
        let id = data_encoding::BASE64URL_NOPAD.encode(id);
        let row = sqlx::query(
            "SELECT passkey_json, wrapped FROM passkeys WHERE passkey = $1 AND account = $2",
        )
        .bind(&id)
        .bind(&account)
        .fetch_optional(self.store.reader())
        .await
        .map_err(database)?;
        let Some(row) = row else {
            return Ok(None);
        };
        let mut passkey = read(row.try_get(0).map_err(database)?)?;
        let wrapped = row.try_get(1).map_err(database)?;
        let result =
            match webauthn.finish_discoverable_authentication_v2(&credential, *state, &passkey) {
                Ok(result) => result,
                Err(error) => {
                    tracing::warn!(account_id = account, %error, "a passkey did not sign in");
                    return Ok(None);
                }
            };
        passkey.update_credential(&result);
        let mut transaction = self.store.begin().await.map_err(database)?;
        sqlx::query("UPDATE passkeys SET passkey_json = $1, used_us = $2 WHERE passkey = $3")
            .bind(serde_json::to_string(&passkey).map_err(failed)?)
            .bind(now().0 as i64)
            .bind(&id)
            .execute(&mut *transaction)
            .await
            .map_err(database)?;
        transaction.commit().await.map_err(database)?;
        Ok(Some(Stored { account, wrapped }))
    }
}

fn read(json: String) -> Result<Passkey, Problem> {
    serde_json::from_str(&json).map_err(|_| Problem::failure("a passkey row is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_passkey_is_asked_for_by_its_host_found_without_a_login_and_only_with_user_verification() {
        let passkeys = Passkeys::at("portal.example").unwrap();
        let adding = passkeys.begin_adding(ACCOUNT, "ada", Vec::new()).unwrap();
        let options = &adding.options["publicKey"];
        assert_eq!(options["rp"]["id"], "portal.example");
        assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
        assert_eq!(
            options["authenticatorSelection"]["userVerification"],
            "required"
        );
        let signing_in = passkeys.begin_signing_in().unwrap();
        let options = &signing_in.options["publicKey"];
        assert_eq!(options["userVerification"], "required");
        assert_eq!(options["allowCredentials"], serde_json::json!([]));
        assert!(Passkeys::at("no host").is_err());
    }

    #[test]
    fn a_ceremony_ends_once_and_belongs_to_its_account() {
        let passkeys = Passkeys::at("localhost").unwrap();
        let nothing = || serde_json::json!({});
        let begun = passkeys.begin_adding(ACCOUNT, "ada", Vec::new()).unwrap();
        let of_another = passkeys.added("another", &begun.ceremony, nothing());
        assert_eq!(of_another.err().unwrap().status, 400);
        assert!(passkeys.take(&begun.ceremony).is_none());
        let begun = passkeys.begin_signing_in().unwrap();
        assert!(passkeys.take(&begun.ceremony).is_some());
        assert!(passkeys.take(&begun.ceremony).is_none());
    }

    #[test]
    fn ceremonies_that_nobody_ends_take_no_more_room_than_there_is() {
        let passkeys = Passkeys::at("localhost").unwrap();
        let first = passkeys.begin_signing_in().unwrap();
        for _ in 0..UNDERWAY_MAX {
            passkeys.begin_signing_in().unwrap();
        }
        assert!(passkeys.take(&first.ceremony).is_none());
        let underway = passkeys.underway.lock().unwrap();
        assert_eq!(underway.ceremonies.len(), UNDERWAY_MAX);
    }
}
