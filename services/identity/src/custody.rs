//! Custody of natural persons' keys.
//!
//! An account has one custody key (X25519). Its secret half exists only wrapped under the person's password
//! (Argon2id) and, while somebody is signed in, inside the session token, sealed to this service. The person's
//! member seeds are sealed to the custody key's public half: this service can add a seed at any time (a patient's
//! ledger id for a new hospital) and can open one only together with the password or a live token. What is in the
//! database alone signs nothing.

use data_encoding::BASE64URL_NOPAD;
use keys::content::ContentKey;
use keys::password::{self, PasswordEnvelope, PasswordError};
use keys::seal::{SealError, SealingKey, SealingPublicKey, seal_to};
use keys::{MemberKey, Secret};
use ledger::LedgerId;
use thiserror::Error;

const SEED_INFO: &[u8] = b"medshare/custody/seed/v1";
const FACTOR_INFO: &[u8] = b"medshare/custody/factor/v1";
const PASSKEY_PURPOSE: &str = "medshare/custody/passkey/v1";
const SESSION_INFO: &[u8] = b"medshare/custody/session/v1";

/// Why a custodial key can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CustodyError {
    /// The password is wrong (or unusable).
    #[error("the password does not open the custody key")]
    Password,
    /// The token holds no session secret that this service sealed for this session.
    #[error("the session does not open the custody key")]
    Session,
    /// The secret is not the one that a passkey gave when it was added.
    #[error("the passkey does not open the custody key")]
    Passkey,
    /// The stored second factor does not open with this custody key.
    #[error("the stored second factor does not open")]
    Factor,
    /// The stored seed does not open with this custody key.
    #[error("the stored seed does not open")]
    Seed,
}

impl From<PasswordError> for CustodyError {
    fn from(_: PasswordError) -> CustodyError {
        CustodyError::Password
    }
}

/// The secret half of an account's custody key, in memory only.
pub struct CustodyKey {
    secret: Secret,
    sealing: SealingKey,
}

impl CustodyKey {
    /// A fresh custody key for a new account.
    pub fn random() -> CustodyKey {
        CustodyKey::from_secret(Secret::random())
    }

    fn from_secret(secret: Secret) -> CustodyKey {
        CustodyKey {
            sealing: SealingKey::from_secret(&secret),
            secret,
        }
    }

    /// The public half, to which seeds are sealed.
    pub fn public_key(&self) -> SealingPublicKey {
        self.sealing.public_key()
    }

    /// Wraps it under the account's password; tens of milliseconds of work.
    pub fn wrap(&self, account: &str, password: &str) -> Result<PasswordEnvelope, PasswordError> {
        password::wrap(account.as_bytes(), password, &self.secret)
    }

    /// Unwraps it with the account's password; tens of milliseconds of work.
    pub fn unwrap(
        account: &str,
        password: &str,
        envelope: &PasswordEnvelope,
    ) -> Result<CustodyKey, CustodyError> {
        Ok(CustodyKey::from_secret(password::unwrap(
            account.as_bytes(),
            password,
            envelope,
        )?))
    }

    /// Seals it for a session token; only this service's `own` key opens it again, and only for this session.
    pub fn seal_for_session(
        &self,
        own: &SealingPublicKey,
        session: &str,
    ) -> Result<String, SealError> {
        let sealed = seal_to(own, SESSION_INFO, session.as_bytes(), self.secret.expose())?;
        Ok(BASE64URL_NOPAD.encode(&sealed))
    }

    /// Opens what [`CustodyKey::seal_for_session`] sealed.
    pub fn open_from_session(
        own: &SealingKey,
        session: &str,
        sealed: &str,
    ) -> Result<CustodyKey, CustodyError> {
        let sealed = BASE64URL_NOPAD
            .decode(sealed.as_bytes())
            .map_err(|_| CustodyError::Session)?;
        let secret = own
            .open(SESSION_INFO, session.as_bytes(), &sealed)
            .map_err(|_| CustodyError::Session)?;
        let secret = <[u8; 32]>::try_from(secret.as_slice()).map_err(|_| CustodyError::Session)?;
        Ok(CustodyKey::from_secret(Secret::from_bytes(secret)))
    }

    /// Wraps it under the secret that a passkey gives.
    pub fn wrap_under(&self, account: &str, secret: &Secret) -> Vec<u8> {
        let own = ContentKey::from_secret(self.secret.clone());
        passkey_key(secret).wrap(account.as_bytes(), &own)
    }

    /// Unwraps it with the secret that a passkey gives.
    pub fn unwrap_under(
        account: &str,
        secret: &Secret,
        wrapped: &[u8],
    ) -> Result<CustodyKey, CustodyError> {
        let own = passkey_key(secret)
            .unwrap_key(account.as_bytes(), wrapped)
            .map_err(|_| CustodyError::Passkey)?;
        Ok(CustodyKey::from_secret(Secret::from_bytes(*own.expose())))
    }

    /// Seals the secret of an account's second factor, so that it opens only after the password did.
    pub fn seal_factor(&self, account: &str, secret: &[u8; 20]) -> Result<Vec<u8>, SealError> {
        seal_to(&self.public_key(), FACTOR_INFO, account.as_bytes(), secret)
    }

    /// Opens what [`CustodyKey::seal_factor`] sealed.
    pub fn open_factor(&self, account: &str, sealed: &[u8]) -> Result<[u8; 20], CustodyError> {
        let secret = self
            .sealing
            .open(FACTOR_INFO, account.as_bytes(), sealed)
            .map_err(|_| CustodyError::Factor)?;
        <[u8; 20]>::try_from(secret.as_slice()).map_err(|_| CustodyError::Factor)
    }

    /// Opens a stored seed: the member key of one ledger id.
    pub fn open_seed(
        &self,
        account: &str,
        ledger_id: LedgerId,
        sealed: &[u8],
    ) -> Result<MemberKey, CustodyError> {
        let seed = self
            .sealing
            .open(SEED_INFO, &seed_binding(account, &ledger_id), sealed)
            .map_err(|_| CustodyError::Seed)?;
        let seed = <[u8; 32]>::try_from(seed.as_slice()).map_err(|_| CustodyError::Seed)?;
        Ok(MemberKey::from_seed(ledger_id, Secret::from_bytes(seed)))
    }
}

fn passkey_key(secret: &Secret) -> ContentKey {
    ContentKey::from_secret(secret.derive(PASSKEY_PURPOSE))
}

/// Seals a member key's seed to an account's custody key.
pub fn seal_seed(
    custody: &SealingPublicKey,
    account: &str,
    key: &MemberKey,
) -> Result<Vec<u8>, SealError> {
    seal_to(
        custody,
        SEED_INFO,
        &seed_binding(account, &key.ledger_id()),
        key.seed().expose(),
    )
}

fn seed_binding(account: &str, ledger_id: &LedgerId) -> Vec<u8> {
    [account.as_bytes(), b"/", &ledger_id.0[..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passkeys_secret_opens_the_custody_key_of_its_account_and_no_other_secret_does() {
        let custody = CustodyKey::random();
        let secret = Secret::random();
        let wrapped = custody.wrap_under("a", &secret);
        let opened = CustodyKey::unwrap_under("a", &secret, &wrapped).unwrap();
        assert_eq!(opened.public_key(), custody.public_key());
        for (account, secret) in [("b", &secret), ("a", &Secret::random())] {
            let refused = CustodyKey::unwrap_under(account, secret, &wrapped);
            assert_eq!(refused.err(), Some(CustodyError::Passkey));
        }
    }

    #[test]
    fn a_seed_opens_with_the_password_and_with_the_session_and_with_nothing_else() {
        let custody = CustodyKey::random();
        let key = MemberKey::random();
        let sealed = seal_seed(&custody.public_key(), "a", &key).unwrap();
        let envelope = custody.wrap("a", "a long password").unwrap();
        let by_password = CustodyKey::unwrap("a", "a long password", &envelope).unwrap();
        assert_eq!(
            by_password
                .open_seed("a", key.ledger_id(), &sealed)
                .unwrap()
                .public_key(),
            key.public_key()
        );

        let own = SealingKey::random();
        let token = custody.seal_for_session(&own.public_key(), "s1").unwrap();
        let by_session = CustodyKey::open_from_session(&own, "s1", &token).unwrap();
        assert_eq!(
            by_session
                .open_seed("a", key.ledger_id(), &sealed)
                .unwrap()
                .public_key(),
            key.public_key()
        );

        assert_eq!(
            CustodyKey::unwrap("a", "another password", &envelope).err(),
            Some(CustodyError::Password)
        );
        assert_eq!(
            CustodyKey::open_from_session(&own, "s2", &token).err(),
            Some(CustodyError::Session)
        );
        assert_eq!(
            CustodyKey::open_from_session(&SealingKey::random(), "s1", &token).err(),
            Some(CustodyError::Session)
        );
        assert_eq!(
            CustodyKey::random()
                .open_seed("a", key.ledger_id(), &sealed)
                .err(),
            Some(CustodyError::Seed)
        );
    }

    #[test]
    fn a_seed_moved_to_another_account_or_ledger_id_does_not_open() {
        let custody = CustodyKey::random();
        let key = MemberKey::random();
        let sealed = seal_seed(&custody.public_key(), "a", &key).unwrap();
        assert_eq!(
            custody.open_seed("b", key.ledger_id(), &sealed).err(),
            Some(CustodyError::Seed)
        );
        assert_eq!(
            custody.open_seed("a", LedgerId([9; 16]), &sealed).err(),
            Some(CustodyError::Seed)
        );
    }
}
