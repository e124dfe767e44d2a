//! Sessions: what identity has opened, what was ended before its time, and how everybody hears of it.
//!
//! A session that is in no row is none, whatever its token says.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::ended_sessions::{SAID_EVERY, SESSIONS_MAX};
use bus::subjects::SESSIONS_ENDED;
use chassis::Shutdown;
use data_encoding::HEXLOWER;
use interfaces::Problem;
use keys::token::{self, Role};
use ledger::{LedgerId, Timestamp};
use sqlx::Row;
use submission::row::database;

use crate::service::{Identity, now};

/// How somebody signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Password,
    Passkey,
    Key,
}

impl Method {
    /// As the list of sessions says it.
    fn name(self) -> &'static str {
        match self {
            Method::Password => "password",
            Method::Passkey => "passkey",
            Method::Key => "key",
        }
    }
}

/// A session that is about to begin.
pub(crate) struct Opening {
    /// The account, or the member that holds its own key.
    pub(crate) subject: String,
    /// Its random name.
    pub(crate) session: String,
    pub(crate) method: Method,
    /// The process through which it was asked for.
    pub(crate) through: String,
    pub(crate) roles: Vec<Role>,
    pub(crate) ledger_ids: BTreeMap<String, LedgerId>,
    pub(crate) organisation: Option<LedgerId>,
    pub(crate) sealed_secret: Option<String>,
}

/// A name for a session that nobody can guess.
pub(crate) fn random_name() -> String {
    HEXLOWER.encode(&keys::secret::random::<16>())
}

/// Enters a session and signs its token.
pub(crate) async fn open(
    identity: &Identity,
    opening: Opening,
) -> Result<interfaces::identity::Session, Problem> {
    let issued = now();
    let expires = Timestamp(issued.0 + identity.session_us);
    let mut transaction = identity.store.begin().await.map_err(database)?;
    sqlx::query("DELETE FROM sessions WHERE expires_us < $1")
        .bind(issued.0 as i64)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    sqlx::query(
        "INSERT INTO sessions (session, subject, began_us, expires_us, method, through, ended_us)
         VALUES ($1, $2, $3, $4, $5, $6, NULL)",
    )
    .bind(&opening.session)
    .bind(&opening.subject)
    .bind(issued.0 as i64)
    .bind(expires.0 as i64)
    .bind(opening.method.name())
    .bind(&opening.through)
    .execute(&mut *transaction)
    .await
    .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    let claims = token::Session {
        subject: opening.subject,
        session: opening.session,
        roles: opening.roles,
        ledger_ids: opening.ledger_ids,
        organisation: opening.organisation,
        organisation_bus_name: None,
        sealed_secret: opening.sealed_secret,
        issued,
        expires,
    };
    Ok(interfaces::identity::Session {
        token: identity.token.issue(&claims),
        expires: interfaces::time_text(expires),
        device: None,
    })
}

/// Refuses (401) a session that is in no row, or was ended.
pub(crate) async fn require_open(identity: &Identity, session: &str) -> Result<(), Problem> {
    let found: Option<(Option<i64>,)> =
        sqlx::query_as("SELECT ended_us FROM sessions WHERE session = $1")
            .bind(session)
            .fetch_optional(identity.store.reader())
            .await
            .map_err(database)?;
    match found {
        Some((None,)) => Ok(()),
        _ => Err(Problem::unauthenticated(
            "the session was ended; sign in again",
        )),
    }
}

/// Which of a subject's sessions.
pub(crate) enum Which<'a> {
    This(&'a str),
    AllBut(&'a str),
}

/// Ends sessions of a subject, and has everybody told at once; how many there were.
pub(crate) async fn end(
    identity: &Identity,
    subject: &str,
    which: Which<'_>,
) -> Result<u64, Problem> {
    let (statement, session) = match which {
        Which::This(session) => (
            "UPDATE sessions SET ended_us = $1 WHERE subject = $2 AND session = $3 AND ended_us IS NULL",
            session,
        ),
        Which::AllBut(session) => (
            "UPDATE sessions SET ended_us = $1 WHERE subject = $2 AND session <> $3 AND ended_us IS NULL",
            session,
        ),
    };
    let mut transaction = identity.store.begin().await.map_err(database)?;
    let ended = sqlx::query(statement)
        .bind(now().0 as i64)
        .bind(subject)
        .bind(session)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    identity.sessions_ended.notify_one();
    Ok(ended.rows_affected())
}

/// Says every second, and at once when one is ended, which sessions have been ended before their time.
pub(crate) async fn say_ended(identity: Arc<Identity>, shutdown: Shutdown) {
    loop {
        if let Err(error) = say(&identity).await {
            tracing::warn!(%error, "nobody could be told which sessions have ended");
        }
        tokio::select! {
            () = shutdown.requested() => return,
            () = identity.sessions_ended.notified() => {}
            () = tokio::time::sleep(SAID_EVERY) => {}
        }
    }
}

async fn say(identity: &Identity) -> anyhow::Result<()> {
    let said = now();
    let rows = sqlx::query(
        "SELECT session, expires_us FROM sessions WHERE expires_us >= $1 AND ended_us IS NOT NULL ORDER BY ended_us DESC",
    )
    .bind(said.0 as i64)
    .fetch_all(identity.store.reader())
    .await?;
    let ended: Vec<(String, Timestamp)> = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, Timestamp(row.try_get::<i64, _>(1)? as u64))))
        .collect::<Result<_, sqlx::Error>>()?;
    // An empty list is a sign of life.
    let lists = ended.chunks(SESSIONS_MAX).map(<[_]>::to_vec);
    for sessions in lists.chain(ended.is_empty().then(Vec::new)) {
        let list = token::EndedSessions {
            said,
            sessions: sessions.into_iter().collect(),
        };
        let text = identity.token.say_ended(&list);
        identity
            .bus
            .client()
            .publish(SESSIONS_ENDED, text.into())
            .await?;
    }
    Ok(())
}
