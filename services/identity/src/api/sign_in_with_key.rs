//! Signs a member in who holds the own key: organisations, node operators, devices. Anyone may ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::Call;
use contracts::membership::command::MemberKind;
use interfaces::identity::{
    GetSignInChallenge, SIGN_IN_DOMAIN, Session, SignInChallenge, SignInWithKey,
};
use interfaces::{Base64, Problem};
use keys::token::Role;
use ledger::{Digest, Signature};
use sqlx::Row;
use submission::row::{database, parse};

use crate::service::{Identity, now};
use crate::sessions::{self, Method, Opening};

const CHALLENGE_LIFE_US: u64 = 60_000_000;

pub(crate) async fn get_sign_in_challenge(
    identity: Arc<Identity>,
    _call: Call,
    request: GetSignInChallenge,
) -> Result<SignInChallenge, Problem> {
    let challenge = Digest(keys::secret::random());
    let mut transaction = identity.store.begin().await.map_err(database)?;
    sqlx::query("DELETE FROM challenges WHERE expires_us < $1")
        .bind(now().0 as i64)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    sqlx::query("INSERT INTO challenges (challenge, member, expires_us) VALUES ($1, $2, $3)")
        .bind(challenge.to_string())
        .bind(request.member.to_string())
        .bind((now().0 + CHALLENGE_LIFE_US) as i64)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    Ok(SignInChallenge {
        challenge: Base64(challenge.0.to_vec()),
    })
}

pub(crate) async fn sign_in_with_key(
    identity: Arc<Identity>,
    call: Call,
    request: SignInWithKey,
) -> Result<Session, Problem> {
    take_challenge(&identity, &request).await?;
    let row =
        sqlx::query("SELECT kind, status, public_key, operator FROM members WHERE member = $1")
            .bind(request.member.to_string())
            .fetch_optional(identity.store.reader())
            .await
            .map_err(database)?
            .ok_or_else(refused)?;
    let kind: String = row.try_get(0).map_err(database)?;
    let status: String = row.try_get(1).map_err(database)?;
    let key: String = row.try_get(2).map_err(database)?;
    let operator: i64 = row.try_get(3).map_err(database)?;
    let signature =
        Signature(<[u8; 64]>::try_from(request.signature.0.as_slice()).map_err(|_| refused())?);
    parse::<ledger::PublicKey>(&key)?
        .verify(SIGN_IN_DOMAIN, &request.challenge.0, &signature)
        .map_err(|_| refused())?;
    if status != "active" {
        return Err(Problem::forbidden(
            "the member waits for endorsement, or was suspended or revoked",
        ));
    }
    let roles = roles(&kind, operator != 0)?;
    let ledger_ids = BTreeMap::from([("self".to_owned(), request.member)]);
    let opening = Opening {
        subject: request.member.to_string(),
        session: sessions::random_name(),
        method: Method::Key,
        through: call.caller,
        roles,
        ledger_ids,
        organisation: Some(request.member),
        sealed_secret: None,
    };
    sessions::open(&identity, opening).await
}

/// A challenge is good once, for the member it was made for, within its minute.
async fn take_challenge(identity: &Identity, request: &SignInWithKey) -> Result<(), Problem> {
    let challenge =
        Digest(<[u8; 32]>::try_from(request.challenge.0.as_slice()).map_err(|_| refused())?);
    let mut transaction = identity.store.begin().await.map_err(database)?;
    let taken = sqlx::query(
        "DELETE FROM challenges WHERE challenge = $1 AND member = $2 AND expires_us >= $3",
    )
    .bind(challenge.to_string())
    .bind(request.member.to_string())
    .bind(now().0 as i64)
    .execute(&mut *transaction)
    .await
    .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    if taken.rows_affected() == 1 {
        Ok(())
    } else {
        Err(refused())
    }
}

fn refused() -> Problem {
    Problem::unauthenticated("the challenge was not answered by this member's key")
}

fn roles(kind: &str, operator: bool) -> Result<Vec<Role>, Problem> {
    let kind = MemberKind::from_name(kind)
        .ok_or_else(|| Problem::failure("a member row has an unknown kind"))?;
    let own = match kind {
        MemberKind::Hospital => Some(Role::Hospital),
        MemberKind::ThirdParty => Some(Role::ThirdParty),
        MemberKind::Insurer => Some(Role::Insurer),
        MemberKind::Regulator => Some(Role::Regulator),
        MemberKind::Treasurer => Some(Role::Treasurer),
        MemberKind::NodeOperator => Some(Role::NodeOperator),
        MemberKind::Patient | MemberKind::Doctor | MemberKind::Device | MemberKind::Service => None,
    };
    let mut roles: Vec<Role> = own
        .into_iter()
        .chain(operator.then_some(Role::NodeOperator))
        .collect();
    roles.sort();
    roles.dedup();
    if roles.is_empty() {
        return Err(Problem::forbidden(
            "members of this kind do not sign in here",
        ));
    }
    Ok(roles)
}
