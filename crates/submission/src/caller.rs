//! Who is signed in.

use bus::{Bus, BusError, Call, EndedSessions};
use interfaces::Problem;
use keys::token::{self, Role, Session, TokenError};
use ledger::{LedgerId, PublicKey, Timestamp};
use serde::Deserialize;
use store::StoppedMembers;

/// The table `[sessions]` of a service's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionsConfig {
    /// Public key (hex) with which identity signs session tokens.
    pub public_key: PublicKey,
}

impl SessionsConfig {
    /// With the members that may not act, as the service's projection has them, and the sessions that have been ended, as
    /// identity says over the bus.
    ///
    /// # Errors
    /// [`BusError`] if the bus does not let the service listen.
    pub async fn over(&self, stopped: &StoppedMembers, bus: &Bus) -> Result<Sessions, BusError> {
        Ok(Sessions {
            identity: self.public_key,
            stopped: stopped.clone(),
            ended: EndedSessions::follow(bus, self.public_key).await?,
        })
    }
}

/// How a service knows its callers.
#[derive(Clone, Debug)]
pub struct Sessions {
    identity: PublicKey,
    stopped: StoppedMembers,
    ended: EndedSessions,
}

impl Sessions {
    /// The verified caller of a call, whose session nobody has ended.
    ///
    /// # Errors
    /// As [`Caller::verify`] and [`EndedSessions::check`].
    pub fn caller(&self, call: &Call) -> Result<Caller, Problem> {
        let caller = Caller::verify(
            &self.identity,
            call.authorization.as_deref(),
            Timestamp(chassis::clock::now()),
            &self.stopped,
        )?;
        self.ended.check(&caller.session.session)?;
        Ok(caller)
    }
}

/// The verified caller of a use case. No `Debug`: the token is a secret.
#[derive(Clone)]
pub struct Caller {
    session: Session,
    token: String,
}

impl Caller {
    /// Verifies a call's token with the identity service's public key at `now`, and that the ledger has not stopped its
    /// member since (a person: every ledger id of theirs), nor the organisation they act for.
    ///
    /// # Errors
    /// 401 when there is no token, or it is invalid, or has ended, also by suspension or revocation.
    pub fn verify(
        identity: &PublicKey,
        authorization: Option<&str>,
        now: Timestamp,
        stopped: &StoppedMembers,
    ) -> Result<Caller, Problem> {
        let token = authorization
            .ok_or_else(|| Problem::unauthenticated("no session token came with the request"))?;
        let session = token::verify(identity, token, now).map_err(|error| match error {
            TokenError::Expired => Problem::unauthenticated("the session has ended; sign in again"),
            TokenError::Invalid => Problem::unauthenticated("the session token is not valid"),
        })?;
        let mut own = session.ledger_ids.values().peekable();
        let is_stopped = own.peek().is_some() && own.all(|id| stopped.contains(id));
        let acts_for = session.organisation;
        if is_stopped || acts_for.is_some_and(|organisation| stopped.contains(&organisation)) {
            return Err(Problem::unauthenticated(
                "the membership was suspended or revoked",
            ));
        }
        Ok(Caller {
            session,
            token: token.to_owned(),
        })
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The token, to be handed on to identity inside a sealed request and nowhere else.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Refuses (403) unless the caller has the role.
    pub fn require(&self, role: Role) -> Result<(), Problem> {
        self.require_any(&[role])
    }

    /// Refuses (403) unless the caller has one of the roles.
    pub fn require_any(&self, roles: &[Role]) -> Result<(), Problem> {
        if roles.iter().any(|role| self.session.has_role(*role)) {
            return Ok(());
        }
        Err(Problem::forbidden(
            "this is not for the role you are signed in with",
        ))
    }

    /// The caller's ledger id in a context (`self` for members with one id).
    ///
    /// # Errors
    /// 403 when the caller has none there.
    pub fn ledger_id(&self, context: &str) -> Result<LedgerId, Problem> {
        self.session
            .ledger_ids
            .get(context)
            .copied()
            .ok_or_else(|| Problem::forbidden("you have no ledger id in this context"))
    }

    /// The ledger id of a member that has just one (organisations, operators, doctors, devices).
    pub fn member(&self) -> Result<LedgerId, Problem> {
        self.ledger_id("self")
    }

    /// The organisation that the caller acts for, by its key or as its clerk.
    ///
    /// # Errors
    /// 403 when there is none.
    pub fn organisation(&self) -> Result<LedgerId, Problem> {
        let organisation = self.session.organisation;
        organisation.ok_or_else(|| Problem::forbidden("you act for no organisation"))
    }

    /// All of the caller's ledger ids, ascending.
    pub fn ledger_ids(&self) -> Vec<LedgerId> {
        let mut ids: Vec<LedgerId> = self.session.ledger_ids.values().copied().collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// Refuses (403) unless `ledger_id` is one of the caller's own.
    pub fn require_owner(&self, ledger_id: &LedgerId) -> Result<(), Problem> {
        if self.session.owns(ledger_id) {
            return Ok(());
        }
        Err(Problem::forbidden("this belongs to somebody else"))
    }

    /// Refuses (403, `step-up-needed`) a natural person who showed who they are too long ago for approvals and codes:
    /// whoever finds an open session has those fifteen minutes at most. Members that hold their own keys sign each command.
    pub fn require_recent_proof(&self, now: Timestamp) -> Result<(), Problem> {
        if !self.has_custodial_keys() || self.session.is_recent(now) {
            return Ok(());
        }
        Err(Problem::new(
            403,
            "step-up-needed",
            "Show again who you are",
            "for approvals and codes show your password (and one-time code) again: POST /v1/sessions/step-up",
        ))
    }

    /// Whether identity keeps the caller's keys: natural persons, while they are signed in.
    pub fn has_custodial_keys(&self) -> bool {
        self.session.sealed_secret.is_some()
    }
}
