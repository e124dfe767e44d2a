//! Asking another service, sealed so that the bus learns nothing but who asks whom for which use case.

use std::time::{Duration, Instant};

use async_nats::{HeaderMap, StatusCode};
use interfaces::{Problem, UseCase};
use keys::seal::{ReplyKey, RequestSealer};
use ledger::canonical;
use tracing::{Instrument, Span, field};

use crate::sealed_wire::{
    BODY_BYTES_MAX, PartMessage, RefusedUnopened, ReplyBody, ReplyMessage, ReplyParts, RequestBody,
    RequestMessage, request_info, seal_request,
};
use crate::waiting::{Incoming, Waiting};
use crate::{Bus, subjects, trace_context};

/// How long a request waits for its answer unless said otherwise.
pub const REQUEST_WITHIN: Duration = Duration::from_secs(30);
/// How long a service that isn't there is waited for (it may be restarting).
const ABSENT_WITHIN: Duration = Duration::from_secs(10);
/// A service that works on a request says so more often than this; one that is silent for so long has died.
const SILENT_WITHIN: Duration = Duration::from_secs(15);
const ABSENT_PAUSE: Duration = Duration::from_millis(200);
/// Slots for the parts of one reply.
const REPLY_SLOTS: usize = 160;

/// Which process is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(String);

impl Target {
    /// The service of a bus name: `identity`, `index`, ...
    pub fn service(name: &str) -> Target {
        Target(name.to_owned())
    }

    /// A hospital's records service, by its bus name `records-<slug>`.
    pub fn records(bus_name: &str) -> Target {
        Target(bus_name.to_owned())
    }

    /// The service that a use case belongs to (not for those of `records`, which many hospitals run).
    pub fn of<Q: UseCase>() -> Target {
        Target(Q::SERVICE.to_owned())
    }

    /// The bus name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Bus {
    /// Asks `target`, in the name of the session `authorization`, and waits up to [`REQUEST_WITHIN`].
    ///
    /// A [`Problem`] of status 503 or 504 says that the bus or the service is at fault: with 503 the request
    /// was not taken, with 504 (no answer in time) it may have been, so only what can be repeated safely may
    /// be tried again.
    pub async fn request<Q: UseCase>(
        &self,
        target: &Target,
        authorization: Option<&str>,
        request: &Q,
    ) -> Result<Q::Reply, Problem> {
        self.request_within(target, authorization, request, REQUEST_WITHIN)
            .await
    }

    /// As [`Bus::request`], waiting for at most `within`.
    pub async fn request_within<Q: UseCase>(
        &self,
        target: &Target,
        authorization: Option<&str>,
        request: &Q,
        within: Duration,
    ) -> Result<Q::Reply, Problem> {
        let span = tracing::info_span!(
            "request",
            target = target.name(),
            use_case = Q::NAME,
            status = field::Empty
        );
        let body = canonical::encode(&RequestBody {
            sent: chassis::clock::now(),
            seen: crate::seen::height().0,
            authorization: authorization.map(str::to_owned),
            origin: crate::origin::present(),
            request: serde_json::to_vec(request)
                .map_err(|_| Problem::failure("the request can't be written as JSON"))?,
        });
        let answered = async {
            match tokio::time::timeout(within, self.exchange(target, Q::NAME, &body)).await {
                Ok(answer) => answer,
                Err(_) => Err(unanswered(target)),
            }
        };
        let reply = match answered.instrument(span.clone()).await {
            Ok(ReplyBody::Ok(json)) => {
                serde_json::from_slice(&json).map_err(|_| unreadable(target))
            }
            Ok(ReplyBody::Problem(json)) => {
                Err(serde_json::from_slice(&json).unwrap_or_else(|_| unreadable(target)))
            }
            Err(problem) => Err(problem),
        };
        span.record(
            "status",
            reply
                .as_ref()
                .map_or_else(|problem: &Problem| problem.status, |_| 200),
        );
        reply
    }

    /// One sealed request and its opened reply; tries again while nobody is there to take it.
    async fn exchange(
        &self,
        target: &Target,
        use_case: &str,
        body: &[u8],
    ) -> Result<ReplyBody, Problem> {
        if body.len() > BODY_BYTES_MAX {
            return Err(Problem::new(
                413,
                "too-large",
                "Too large",
                "the request has more than 32 MiB",
            ));
        }
        let started = Instant::now();
        loop {
            let attempt = Attempt::prepare(self, target, use_case, body)?;
            match attempt.run(self).await {
                Err(Unserved::Absent) if started.elapsed() < ABSENT_WITHIN => {
                    tokio::time::sleep(ABSENT_PAUSE).await;
                }
                Err(Unserved::Absent) => {
                    return Err(unavailable(format!(
                        "the service {} does not run",
                        target.name()
                    )));
                }
                Err(Unserved::Problem(problem)) => return Err(problem),
                Ok(reply) => return canonical::decode(&reply).map_err(|_| unreadable(target)),
            }
        }
    }
}

enum Unserved {
    /// Nobody listens: certainly not taken.
    Absent,
    Problem(Problem),
}

/// One sealed request, ready to be sent.
struct Attempt {
    id: String,
    subject: String,
    reply_subject: String,
    first: Vec<u8>,
    further: Vec<Vec<u8>>,
    reply_key: ReplyKey,
    target: Target,
}

impl Attempt {
    fn prepare(
        bus: &Bus,
        target: &Target,
        use_case: &str,
        body: &[u8],
    ) -> Result<Attempt, Problem> {
        let name = target.name();
        let entry = bus.directory().get(name).ok_or_else(|| {
            Problem::new(
                404,
                "unknown-service",
                "No such service",
                format!("nobody on the bus is called {name}"),
            )
        })?;
        let id = random_token();
        let subject = subjects::service(name, use_case);
        let info = request_info(&subject, bus.user(), &id);
        let unsealable = |_| unavailable(format!("nothing can be sealed to {name}"));
        let mut sealer = RequestSealer::new(&bus.inner.sealing, &entry.sealing_key, &info)
            .map_err(unsealable)?;
        let mut parts = seal_request(&mut sealer, body).map_err(unsealable)?;
        let further = parts.split_off(1);
        let message = RequestMessage {
            encapsulated_key: sealer.encapsulated_key,
            total: 1 + further.len() as u32,
            sealed: parts.remove(0),
        };
        Ok(Attempt {
            reply_subject: subjects::reply(name, bus.user(), &id),
            id,
            subject,
            first: canonical::encode(&message),
            further,
            reply_key: sealer.reply_key(),
            target: target.clone(),
        })
    }

    async fn run(mut self, bus: &Bus) -> Result<Vec<u8>, Unserved> {
        let mut waiting = bus.inner.waiters.wait(&self.id, &self.subject, REPLY_SLOTS);
        let headers = trace_context::headers_of(&Span::current());
        bus.inner
            .client
            .publish_with_reply_and_headers(
                self.subject.clone(),
                self.reply_subject.clone(),
                headers.clone(),
                std::mem::take(&mut self.first).into(),
            )
            .await
            .map_err(|_| Unserved::Problem(unavailable("the bus takes no messages".into())))?;
        self.receive(bus, &mut waiting, headers).await
    }

    async fn receive(
        &mut self,
        bus: &Bus,
        waiting: &mut Waiting,
        headers: HeaderMap,
    ) -> Result<Vec<u8>, Unserved> {
        let mut parts = ReplyParts::default();
        loop {
            let heard = tokio::time::timeout(SILENT_WITHIN, waiting.next());
            let message = match heard.await {
                Ok(Incoming::Message(message)) => message,
                // Whoever took the request has died, or was never there.
                Err(_) => return Err(Unserved::Problem(unanswered(&self.target))),
                Ok(Incoming::Denied) => {
                    let detail = format!(
                        "the bus does not let {} ask {}",
                        bus.user(),
                        self.target.name()
                    );
                    return Err(Unserved::Problem(Problem::forbidden(detail)));
                }
            };
            if message.status == Some(StatusCode::NO_RESPONDERS) {
                return Err(Unserved::Absent);
            }
            if message.subject.as_str() != self.reply_subject {
                continue;
            }
            match canonical::decode(&message.payload) {
                Ok(ReplyMessage::Part {
                    index,
                    total,
                    sealed,
                }) => {
                    if let Some(body) = parts.take(&self.reply_key, index, total, &sealed) {
                        return Ok(body);
                    }
                }
                Ok(ReplyMessage::Continue { instance }) if subjects::is_token(&instance) => {
                    self.send_further(bus, &instance, &headers).await?;
                }
                Ok(ReplyMessage::Refused(reason)) => {
                    return Err(Unserved::Problem(refused(&self.target, reason)));
                }
                Ok(ReplyMessage::Continue { .. } | ReplyMessage::Working) | Err(_) => {}
            }
        }
    }

    async fn send_further(
        &mut self,
        bus: &Bus,
        instance: &str,
        headers: &HeaderMap,
    ) -> Result<(), Unserved> {
        let subject = subjects::parts(self.target.name(), instance, bus.user());
        for (sealed, index) in std::mem::take(&mut self.further).into_iter().zip(1..) {
            let message = PartMessage {
                id: self.id.clone(),
                index,
                sealed,
            };
            bus.inner
                .client
                .publish_with_headers(
                    subject.clone(),
                    headers.clone(),
                    canonical::encode(&message).into(),
                )
                .await
                .map_err(|_| Unserved::Problem(unavailable("the bus takes no messages".into())))?;
        }
        Ok(())
    }
}

/// 32 random hex characters: an id that nobody can guess.
pub(crate) fn random_token() -> String {
    keys::secret::random::<16>()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn refused(target: &Target, reason: RefusedUnopened) -> Problem {
    let name = target.name();
    match reason {
        RefusedUnopened::Busy => Problem::busy(format!("the service {name} has too much to do")),
        RefusedUnopened::UnknownCaller => {
            Problem::forbidden(format!("the service {name} does not know the caller"))
        }
        RefusedUnopened::Malformed => {
            Problem::bad_input("", format!("the service {name} can't read the request"))
        }
        RefusedUnopened::Stale => unavailable(format!(
            "the clocks of the caller and of {name} differ too much"
        )),
    }
}

fn unavailable(detail: String) -> Problem {
    Problem::new(503, "unavailable", "Not available, try again", detail)
}

fn unanswered(target: &Target) -> Problem {
    Problem::new(
        504,
        "unanswered",
        "No answer in time",
        format!("the service {} did not answer in time", target.name()),
    )
}

fn unreadable(target: &Target) -> Problem {
    Problem::failure(format!("the answer of {} can't be read", target.name()))
}
