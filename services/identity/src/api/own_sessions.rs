//! The sessions of the one who is signed in: listed and ended. By whoever is signed in, and for their own alone.

use std::sync::Arc;

use bus::Call;
use interfaces::identity::{
    Done, EndOtherSessions, EndSession, ListSessions, OpenSession, SignOut,
};
use interfaces::{Problem, time_text};
use ledger::Timestamp;
use sqlx::Row;
use submission::row::database;

use crate::service::{Identity, now};
use crate::sessions::{self, Which};

/// More than anybody has; each costs a password.
const LISTED_MAX: i64 = 500;

pub(crate) async fn list_sessions(
    identity: Arc<Identity>,
    call: Call,
    _request: ListSessions,
) -> Result<Vec<OpenSession>, Problem> {
    let caller = identity.caller(&call).await?;
    let rows = sqlx::query(
        "SELECT session, began_us, expires_us, method, through FROM sessions
         WHERE subject = $1 AND expires_us >= $2 AND ended_us IS NULL ORDER BY began_us DESC, session LIMIT $3",
    )
    .bind(&caller.session().subject)
    .bind(now().0 as i64)
    .bind(LISTED_MAX)
    .fetch_all(identity.store.reader())
    .await
    .map_err(database)?;
    let time = |us: i64| time_text(Timestamp(us.unsigned_abs()));
    rows.iter()
        .map(|row| {
            let session: String = row.try_get(0)?;
            Ok(OpenSession {
                current: session == caller.session().session,
                session,
                started: time(row.try_get(1)?),
                expires: time(row.try_get(2)?),
                method: row.try_get(3)?,
                through: row.try_get(4)?,
            })
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(database)
}

pub(crate) async fn end_session(
    identity: Arc<Identity>,
    call: Call,
    request: EndSession,
) -> Result<Done, Problem> {
    let caller = identity.caller(&call).await?;
    let subject = &caller.session().subject;
    // Whether it is another's, over or was never there is nobody's business.
    match sessions::end(&identity, subject, Which::This(&request.session)).await? {
        0 => Err(Problem::not_found("you have no such session")),
        _ => Ok(Done {}),
    }
}

pub(crate) async fn end_other_sessions(
    identity: Arc<Identity>,
    call: Call,
    _request: EndOtherSessions,
) -> Result<Done, Problem> {
    let caller = identity.caller(&call).await?;
    let session = caller.session();
    sessions::end(&identity, &session.subject, Which::AllBut(&session.session)).await?;
    Ok(Done {})
}

pub(crate) async fn sign_out(
    identity: Arc<Identity>,
    call: Call,
    _request: SignOut,
) -> Result<Done, Problem> {
    let caller = identity.caller(&call).await?;
    let session = caller.session();
    sessions::end(&identity, &session.subject, Which::This(&session.session)).await?;
    Ok(Done {})
}
