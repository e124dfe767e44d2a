//! Sessions that were ended before their tokens end by themselves: by their owners, at identity, which says so to every
//! service again and again.
//!
//! A list counts by identity's signature, whoever brings it; a repeated one adds nothing. A broker that withholds the lists
//! gains a while: whoever has not heard one for [`SILENT_US_MAX`] accepts no token at all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use chassis::metrics::{Gauge, gauge};
use futures::StreamExt as _;
use interfaces::Problem;
use keys::token;
use ledger::{PublicKey, Timestamp};

use crate::error::BusError;
use crate::{Bus, subjects};

/// How often identity says it, so that one lost message matters little.
pub const SAID_EVERY: Duration = Duration::from_secs(1);
/// Sessions in one message.
pub const SESSIONS_MAX: usize = 2_000;
/// How long tokens are accepted without a list: identity may be restarted, and no longer than that withheld.
const SILENT_US_MAX: u64 = 300 * 1_000_000;
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The ended sessions that this process has heard of. Cloning shares them.
#[derive(Clone, Debug)]
pub struct EndedSessions {
    heard: Arc<Heard>,
}

#[derive(Debug)]
struct Heard {
    sessions: RwLock<BTreeMap<String, Timestamp>>,
    /// When the newest list was said.
    said: AtomicU64,
}

impl EndedSessions {
    /// Listens to identity, whose public key for tokens is `identity`, as long as the connection lives.
    ///
    /// # Errors
    /// [`BusError`] if the bus refuses the subscription.
    pub async fn follow(bus: &Bus, identity: PublicKey) -> Result<EndedSessions, BusError> {
        let mut lists = bus
            .client()
            .subscribe(subjects::SESSIONS_ENDED)
            .await
            .map_err(|error| BusError::Client(error.to_string()))?;
        bus.settle_subscriptions().await?;
        let ended = EndedSessions::new();
        let taking = ended.clone();
        tokio::spawn(async move {
            while let Some(message) = lists.next().await {
                let text = std::str::from_utf8(&message.payload).unwrap_or_default();
                match token::verify_ended(&identity, text) {
                    Ok(list) => taking.take(list, chassis::clock::now()),
                    Err(_) => tracing::warn!("a list of ended sessions that identity did not sign"),
                }
            }
        });
        Ok(ended)
    }

    fn new() -> EndedSessions {
        EndedSessions {
            heard: Arc::new(Heard {
                sessions: RwLock::default(),
                said: AtomicU64::new(chassis::clock::now()),
            }),
        }
    }

    fn take(&self, list: token::EndedSessions, now: u64) {
        let mut sessions = self
            .heard
            .sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        sessions.extend(list.sessions);
        sessions.retain(|_, expires| expires.0 > now);
        drop(sessions);
        let said = list.said.0.min(now);
        self.heard.said.fetch_max(said, Ordering::Relaxed);
        said_gauge().set(i64::try_from(said / 1_000_000).unwrap_or(i64::MAX));
    }

    /// Refuses a session that was ended.
    ///
    /// # Errors
    /// 401 when it was; 503 when identity was not heard for five minutes.
    pub fn check(&self, session: &str) -> Result<(), Problem> {
        self.check_at(session, chassis::clock::now())
    }

    fn check_at(&self, session: &str, now: u64) -> Result<(), Problem> {
        if now.saturating_sub(self.heard.said.load(Ordering::Relaxed)) > SILENT_US_MAX {
            return Err(Problem::busy(
                "identity was not heard for too long to know which sessions have ended",
            ));
        }
        let sessions = self
            .heard
            .sessions
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        match sessions.contains_key(session) {
            true => Err(Problem::unauthenticated(
                "the session was ended; sign in again",
            )),
            false => Ok(()),
        }
    }

    /// Returns once the session was ended: for connections that stay open.
    pub async fn ended(&self, session: &str) {
        while self.check(session).is_ok() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn said_gauge() -> &'static Gauge {
    static GAUGE: OnceLock<Gauge> = OnceLock::new();
    GAUGE.get_or_init(|| {
        gauge(
            "ended_sessions_said_unix_seconds",
            "When identity said for the last time which sessions have ended",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(said: u64, session: &str, expires: u64) -> token::EndedSessions {
        token::EndedSessions {
            said: Timestamp(said),
            sessions: BTreeMap::from([(session.to_owned(), Timestamp(expires))]),
        }
    }

    #[test]
    fn an_ended_session_stays_ended_whatever_is_said_later() {
        let now = chassis::clock::now();
        let ended = EndedSessions::new();
        assert_eq!(ended.check("one"), Ok(()));
        ended.take(list(now, "one", now + 60_000_000), now);
        ended.take(list(now + 1, "two", now + 60_000_000), now);
        // A repeated old list takes nothing back.
        ended.take(list(now - 5_000_000, "three", now + 60_000_000), now);
        for session in ["one", "two", "three"] {
            assert_eq!(ended.check(session).unwrap_err().status, 401);
        }
        assert_eq!(ended.check("four"), Ok(()));
    }

    #[test]
    fn whoever_hears_nothing_for_too_long_accepts_nothing() {
        let ended = EndedSessions::new();
        let now = chassis::clock::now();
        assert_eq!(
            ended.check_at("one", now + SILENT_US_MAX - 1_000_000),
            Ok(())
        );
        let silent = now + SILENT_US_MAX + 1_000_000;
        assert_eq!(ended.check_at("one", silent).unwrap_err().status, 503);
        // A list of an hour ago, brought now, is no sign of life.
        ended.take(list(now - 3_600_000_000, "two", silent), silent);
        assert_eq!(ended.check_at("one", silent).unwrap_err().status, 503);
        ended.take(list(silent, "two", silent + 1), silent);
        assert_eq!(ended.check_at("one", silent), Ok(()));
    }
}
