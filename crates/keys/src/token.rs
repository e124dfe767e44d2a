//! Session tokens: PASETO v4.public, signed by the identity service, checked by everybody with its public key.

use std::collections::BTreeMap;

use ledger::{LedgerId, PublicKey, Timestamp};
use pasetors::Public;
use pasetors::keys::{AsymmetricPublicKey, AsymmetricSecretKey};
use pasetors::token::UntrustedToken;
use pasetors::version4::{PublicToken, V4};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Secret;

const PURPOSE: &[u8] = b"medshare/session/v1";
const ENDED_PURPOSE: &[u8] = b"medshare/ended-sessions/v1";
const TOKEN_CHARACTERS_MAX: usize = 16 * 1024;

/// What somebody who is signed in may be treated as by the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A patient.
    Patient,
    /// A doctor.
    Doctor,
    /// Staff of a hospital, acting for it.
    Hospital,
    /// Staff of a third party.
    ThirdParty,
    /// Staff of an insurer.
    Insurer,
    /// A regulator.
    Regulator,
    /// The treasury.
    Treasurer,
    /// The operator of a replica.
    NodeOperator,
    /// The registration office of the authority: enters and identifies members.
    Registrar,
    /// A clerk of a hospital, with an account of their own: enrols patients, writes and imports records and decides on
    /// requests for it, and opens no record.
    Clerk,
}

/// One session: who is signed in, and as what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The account (opaque).
    pub subject: String,
    /// The session (opaque); what sign-out revokes.
    pub session: String,
    /// Roles, ascending.
    pub roles: Vec<Role>,
    /// The ledger id of each context: a hospital's bus name, `insurance`, `devices`, or `self` for those with one id.
    pub ledger_ids: BTreeMap<String, LedgerId>,
    /// The organisation the person acts for.
    pub organisation: Option<LedgerId>,
    /// The bus name of that organisation's own service, if it runs one (`records-<slug>`).
    pub organisation_bus_name: Option<String>,
    /// The secret that unwraps the person's keys, sealed to the identity service; opaque to all others.
    pub sealed_secret: Option<String>,
    /// When it was issued.
    pub issued: Timestamp,
    /// From when on it is refused.
    pub expires: Timestamp,
}

/// For so long after showing who one is, in microseconds, a person may approve and handle codes.
pub const RECENT_US: u64 = 15 * 60_000_000;

impl Session {
    /// Whether one of the session's roles is `role`.
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether its owner showed who they are (signed in, or proved it again) shortly before `now`: recently enough for
    /// approvals and codes.
    pub fn is_recent(&self, now: Timestamp) -> bool {
        now.0 < self.issued.0.saturating_add(RECENT_US)
    }

    /// Whether `ledger_id` is one of the signed-in person's own.
    pub fn owns(&self, ledger_id: &LedgerId) -> bool {
        self.ledger_ids.values().any(|own| own == ledger_id)
    }
}

/// Sessions that were ended before their tokens end by themselves, as identity tells everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndedSessions {
    /// When this was said.
    pub said: Timestamp,
    /// Each with when its token ends by itself.
    pub sessions: BTreeMap<String, Timestamp>,
}

/// Why a token is refused. Every case is answered alike to the outside: not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token, or not signed by this identity service.
    #[error("not a valid session token")]
    Invalid,
    /// Past its end.
    #[error("the session has ended")]
    Expired,
}

/// The identity service's key for signing tokens; no `Debug` of the secret.
pub struct TokenKey {
    secret: AsymmetricSecretKey<V4>,
    public: PublicKey,
}

impl TokenKey {
    /// The Ed25519 key whose seed is `seed`.
    pub fn from_seed(seed: &Secret) -> TokenKey {
        let public = ledger::SigningKey::from_seed(*seed.expose()).public_key();
        let mut pair = Zeroizing::new([0; 64]);
        pair[..32].copy_from_slice(seed.expose());
        pair[32..].copy_from_slice(&public.0);
        let secret = AsymmetricSecretKey::from(&pair[..])
            .expect("seed and public key make an Ed25519 key pair");
        TokenKey { secret, public }
    }

    /// What others check tokens with.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Signs a token for a session.
    pub fn issue(&self, session: &Session) -> String {
        let claims = serde_json::to_vec(session).expect("a session is plain JSON");
        PublicToken::sign(&self.secret, &claims, None, Some(PURPOSE)).expect("claims are not empty")
    }

    /// Signs a list of ended sessions; nobody can take it for a session's token.
    pub fn say_ended(&self, ended: &EndedSessions) -> String {
        let claims = serde_json::to_vec(ended).expect("a list is plain JSON");
        PublicToken::sign(&self.secret, &claims, None, Some(ENDED_PURPOSE))
            .expect("claims are not empty")
    }
}

/// The session that `token` stands for, if identity's key signed it and it has not ended at `now`.
///
/// Whether the session was revoked is for the caller to ask (the token alone cannot know).
pub fn verify(identity: &PublicKey, token: &str, now: Timestamp) -> Result<Session, TokenError> {
    if token.len() > TOKEN_CHARACTERS_MAX {
        return Err(TokenError::Invalid);
    }
    let session: Session = claims(identity, token, PURPOSE)?;
    if now >= session.expires {
        Err(TokenError::Expired)
    } else {
        Ok(session)
    }
}

/// The list that `text` is, if identity's key signed it. It may be an old one: sessions never begin again, so that every
/// such list counts.
pub fn verify_ended(identity: &PublicKey, text: &str) -> Result<EndedSessions, TokenError> {
    claims(identity, text, ENDED_PURPOSE)
}

fn claims<T: serde::de::DeserializeOwned>(
    identity: &PublicKey,
    token: &str,
    purpose: &[u8],
) -> Result<T, TokenError> {
    let invalid = |_| TokenError::Invalid;
    let key = AsymmetricPublicKey::<V4>::from(&identity.0).map_err(invalid)?;
    let untrusted = UntrustedToken::<Public, V4>::try_from(token).map_err(invalid)?;
    let trusted = PublicToken::verify(&key, &untrusted, None, Some(purpose)).map_err(invalid)?;
    serde_json::from_str(trusted.payload()).map_err(|_| TokenError::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            subject: "account".into(),
            session: "session".into(),
            roles: vec![Role::Patient],
            ledger_ids: BTreeMap::from([("self".to_owned(), LedgerId([1; 16]))]),
            organisation: None,
            organisation_bus_name: None,
            sealed_secret: None,
            issued: Timestamp(1_000_000),
            expires: Timestamp(2_000_000),
        }
    }

    #[test]
    fn a_token_gives_the_session_back_until_it_ends() {
        let key = TokenKey::from_seed(&Secret::random());
        let token = key.issue(&session());
        assert_eq!(
            verify(&key.public_key(), &token, Timestamp(1_500_000)),
            Ok(session())
        );
        assert_eq!(
            verify(&key.public_key(), &token, Timestamp(2_000_000)),
            Err(TokenError::Expired)
        );
    }

    #[test]
    fn a_token_of_another_key_or_with_an_altered_character_is_refused() {
        let key = TokenKey::from_seed(&Secret::random());
        let other = TokenKey::from_seed(&Secret::random());
        let token = key.issue(&session());
        assert_eq!(
            verify(&other.public_key(), &token, Timestamp(0)),
            Err(TokenError::Invalid)
        );
        let middle = token.len() / 2;
        let replacement = if token.as_bytes()[middle] == b'A' {
            "B"
        } else {
            "A"
        };
        let altered = format!("{}{replacement}{}", &token[..middle], &token[middle + 1..]);
        assert_eq!(
            verify(&key.public_key(), &altered, Timestamp(0)),
            Err(TokenError::Invalid)
        );
        assert_eq!(
            verify(&key.public_key(), "v4.public.", Timestamp(0)),
            Err(TokenError::Invalid)
        );
    }

    #[test]
    fn a_list_of_ended_sessions_is_no_token_and_a_token_is_no_list() {
        let key = TokenKey::from_seed(&Secret::random());
        let ended = EndedSessions {
            said: Timestamp(1_000_000),
            sessions: BTreeMap::from([("session".to_owned(), Timestamp(2_000_000))]),
        };
        let said = key.say_ended(&ended);
        assert_eq!(verify_ended(&key.public_key(), &said), Ok(ended));
        assert_eq!(
            verify(&key.public_key(), &said, Timestamp(0)),
            Err(TokenError::Invalid)
        );
        let token = key.issue(&session());
        assert_eq!(
            verify_ended(&key.public_key(), &token),
            Err(TokenError::Invalid)
        );
        let other = TokenKey::from_seed(&Secret::random());
        assert_eq!(
            verify_ended(&other.public_key(), &said),
            Err(TokenError::Invalid)
        );
    }
}
