//! Signs a person in with login and password, and with the second factor of accounts that have one. Anyone may ask.

use std::sync::Arc;

use bus::Call;
use contracts::membership::command::MemberKind;
use interfaces::Problem;
use interfaces::identity::{Session, SignIn};
use keys::token::Role;
use ledger::LedgerId;
use submission::row::parse;

use crate::attempts;
use crate::custody::CustodyKey;
use crate::factors::Account;
use crate::people::OwnedLedgerId;
use crate::service::Identity;
use crate::sessions::{self, Method, Opening};

pub(crate) async fn sign_in(
    identity: Arc<Identity>,
    call: Call,
    request: SignIn,
) -> Result<Session, Problem> {
    let device = request.device.as_deref();
    let attempt = attempts::count(&identity, &request.login, call.origin, device).await?;
    let Some(account) = identity.account_of_login(&request.login).await? else {
        burn_the_same_time(&identity, request.password).await?;
        tracing::warn!("a sign-in was refused: no such login");
        return Err(wrong());
    };
    let account_id = account.account.as_str();
    let Some(custody) = identity.unlock(&account, request.password).await? else {
        tracing::warn!(account_id, "a sign-in was refused: wrong password");
        return Err(wrong());
    };
    let shown = request.second_factor.as_deref();
    if let Err(problem) = identity
        .check_second_factor(&account.account, &custody, shown)
        .await
    {
        tracing::warn!(account_id, reason = %problem.kind, "a sign-in was refused");
        return Err(problem);
    }
    attempts::forgive(&identity, &attempt).await?;
    let session = identity
        .open_session_of(&account, &custody, Method::Password, &call)
        .await?;
    tracing::info!(account_id, second_factor = shown.is_some(), "signed in");
    Ok(Session {
        device: Some(attempts::new_device(&identity, &request.login)),
        ..session
    })
}

impl Identity {
    /// A session of a person who has shown who they are.
    pub(crate) async fn open_session_of(
        &self,
        account: &Account,
        custody: &CustodyKey,
        method: Method,
        call: &Call,
    ) -> Result<Session, Problem> {
        let owned = self.ledger_ids_of(&account.account).await?;
        let (role, organisation) = match &account.hospital {
            Some(hospital) => (
                Role::Clerk,
                Some(self.hospital_of(account, hospital).await?),
            ),
            None if account.kind == MemberKind::Patient.name() => (Role::Patient, None),
            None => (Role::Doctor, None),
        };
        if organisation.is_none() {
            require_endorsed(self, &owned).await?;
        }
        let session = sessions::random_name();
        let sealed = custody
            .seal_for_session(&self.session.public_key(), &session)
            .map_err(|error| Problem::failure(error.to_string()))?;
        // Ids as a guardian are asked for where they are needed: however many patients name somebody, the token stays small.
        let ledger_ids = owned
            .into_iter()
            .filter(|id| !id.is_guardians())
            .map(|id| (id.context, id.ledger_id))
            .collect();
        let opening = Opening {
            subject: account.account.clone(),
            session,
            method,
            through: call.caller.clone(),
            roles: vec![role],
            ledger_ids,
            organisation,
            sealed_secret: Some(sealed),
        };
        sessions::open(self, opening).await
    }

    /// The hospital of a clerk, which vouches for them: they sign in for as long as it takes part and has not ended the
    /// account.
    async fn hospital_of(&self, account: &Account, hospital: &str) -> Result<LedgerId, Problem> {
        let hospital: LedgerId = parse(hospital)?;
        let status = self.member_status(&hospital).await?;
        let is_active = status.is_some_and(|(status, _)| status == "active");
        if is_active && !account.is_ended {
            return Ok(hospital);
        }
        Err(Problem::forbidden(
            "the hospital has ended this account, or does not take part any more",
        ))
    }
}

fn wrong() -> Problem {
    Problem::unauthenticated("login and password do not belong together")
}

/// An unknown login takes as long as a wrong password, so that logins can't be tried out.
async fn burn_the_same_time(identity: &Identity, password: String) -> Result<(), Problem> {
    identity
        .derive(move || CustodyKey::random().wrap("nobody", &password).is_ok())
        .await
        .map(|_| ())
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
