//! Answering requests: one handler per use case, each call in its own task, bounded in number.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::Message;
use chassis::Shutdown;
use futures::StreamExt;
use futures::future::BoxFuture;
use interfaces::{Problem, UseCase};
use keys::seal::{ReplyKey, RequestOpener};
use ledger::{Height, canonical};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{Instrument, Span, field};

use crate::error::BusError;
use crate::request::random_token;
use crate::sealed_wire::{
    PartMessage, RefusedUnopened, ReplyBody, ReplyMessage, RequestBody, RequestMessage,
    is_acceptable_total, join, open_request_part, request_info, seal_reply,
};
use crate::waiting::{Incoming, Waiters};
use crate::{Bus, seen, subjects, trace_context};

/// Calls that one process works on at a time; more are answered "busy" at once.
const CALLS_MAX: usize = 512;
/// How far the clocks of two processes may differ, and how long a request is remembered.
const CLOCK_TOLERANCE_US: u64 = 60_000_000;
/// How long further parts of a request may take.
const PARTS_WITHIN: Duration = Duration::from_secs(20);
/// How often the caller of a long call hears that it is worked on.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(2);
/// How long calls under way may take when the process stops.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// The session token, if the caller sent one.
    pub authorization: Option<String>,
    /// The bus name of the process that asks, known by the key it sealed with.
    pub caller: String,
    /// The address that it came from, as `caller` says: worth as much as the caller.
    pub origin: Option<IpAddr>,
    /// The call's span, a child of the caller's.
    pub span: Span,
}

type Handler =
    Arc<dyn Fn(Call, Vec<u8>) -> BoxFuture<'static, Result<Vec<u8>, Problem>> + Send + Sync>;

type KeepUp = Arc<dyn Fn(Height) -> BoxFuture<'static, bool> + Send + Sync>;

/// The use cases that a process answers.
pub struct Router {
    bus: Bus,
    handlers: HashMap<&'static str, Handler>,
    keep_up: Option<KeepUp>,
}

impl Router {
    /// Answers under the bus name of `bus`, nothing so far.
    pub fn new(bus: &Bus) -> Router {
        Router {
            bus: bus.clone(),
            handlers: HashMap::new(),
            keep_up: None,
        }
    }

    /// Before a handler works, `wait` waits until what it reads has the block that the caller has seen, and says whether it
    /// has: if not, the caller is told to try again (503). `wait` must end by itself, for a caller can name any height.
    #[must_use]
    pub fn keep_up<F, R>(mut self, wait: F) -> Router
    where
        F: Fn(Height) -> R + Send + Sync + 'static,
        R: Future<Output = bool> + Send + 'static,
    {
        self.keep_up = Some(Arc::new(move |height| Box::pin(wait(height))));
        self
    }

    /// Answers the use case `Q` by `handler`.
    ///
    /// # Panics
    /// If `Q` has a handler already.
    #[must_use]
    pub fn on<Q, F, R>(mut self, handler: F) -> Router
    where
        Q: UseCase,
        F: Fn(Call, Q) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Q::Reply, Problem>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let erased: Handler = Arc::new(move |call, json| {
            let handler = handler.clone();
            Box::pin(async move {
                let request = serde_json::from_slice(&json).map_err(|error| bad_request(&error))?;
                let reply = handler(call, request).await?;
                serde_json::to_vec(&reply)
                    .map_err(|_| Problem::failure("the reply can't be written as JSON"))
            })
        });
        assert!(
            self.handlers.insert(Q::NAME, erased).is_none(),
            "{} has two handlers",
            Q::NAME
        );
        self
    }

    /// For handlers that share what a service holds.
    #[must_use]
    pub fn over<S>(self, service: &Arc<S>) -> RouterOver<S> {
        RouterOver {
            router: self,
            service: service.clone(),
        }
    }

    /// Serves until `shutdown`, then finishes the calls under way.
    ///
    /// # Errors
    /// [`BusError`] if the bus refuses the subscription.
    pub async fn serve(self, shutdown: Shutdown) -> Result<(), BusError> {
        self.listen().await?.run(shutdown).await;
        Ok(())
    }

    /// Subscribes: from its return on, requests of others are kept until [`Listening::run`] answers them.
    /// A service tells that it is ready between the two.
    ///
    /// # Errors
    /// [`BusError`] if the bus refuses the subscription.
    pub async fn listen(self) -> Result<Listening, BusError> {
        let refused = |error: async_nats::SubscribeError| BusError::Client(error.to_string());
        let name = self.bus.user().to_owned();
        let instance = random_token();
        let client = self.bus.client().clone();
        let requests = client
            .queue_subscribe(subjects::all_of_service(&name), name.clone())
            .await
            .map_err(refused)?;
        let parts = client
            .subscribe(subjects::all_parts(&name, &instance))
            .await
            .map_err(refused)?;
        self.bus.settle_subscriptions().await?;
        let server = Arc::new(Server {
            bus: self.bus,
            handlers: self.handlers,
            keep_up: self.keep_up,
            instance,
            parts: Arc::new(Waiters::default()),
            seen: Mutex::default(),
        });
        Ok(Listening {
            server,
            requests,
            parts,
        })
    }
}

/// A [`Router`] whose handlers are functions over one service's state.
pub struct RouterOver<S> {
    router: Router,
    service: Arc<S>,
}

impl<S: Send + Sync + 'static> RouterOver<S> {
    /// Answers the use case `Q` by `handler`; its errors become problems here, once.
    ///
    /// # Panics
    /// If `Q` has a handler already.
    #[must_use]
    pub fn on<Q, F, R, E>(self, handler: F) -> RouterOver<S>
    where
        Q: UseCase,
        F: Fn(Arc<S>, Call, Q) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Q::Reply, E>> + Send + 'static,
        E: Into<Problem>,
    {
        let service = self.service.clone();
        let router = self.router.on(move |call, request| {
            let answered = handler(service.clone(), call, request);
            async move { answered.await.map_err(Into::into) }
        });
        RouterOver { router, ..self }
    }

    /// The router, with all that was added.
    pub fn into_router(self) -> Router {
        self.router
    }
}

/// A router whose subscriptions stand.
pub struct Listening {
    server: Arc<Server>,
    requests: async_nats::Subscriber,
    parts: async_nats::Subscriber,
}

impl Listening {
    /// Answers until `shutdown`, then finishes the calls under way.
    pub async fn run(self, shutdown: Shutdown) {
        let Listening {
            server,
            mut requests,
            parts,
        } = self;
        let part_drain = tokio::spawn(drain_parts(parts, server.parts.clone()));
        let permits = Arc::new(Semaphore::new(CALLS_MAX));
        let mut calls = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.requested() => break,
                Some(_) = calls.join_next() => {}
                message = requests.next() => {
                    let Some(message) = message else { break };
                    match permits.clone().try_acquire_owned() {
                        Ok(permit) => {
                            let server = server.clone();
                            calls.spawn(async move {
                                server.answer(message).await;
                                drop(permit);
                            });
                        }
                        Err(_) => server.refuse(&message, RefusedUnopened::Busy).await,
                    }
                }
            }
        }
        // What is already here goes to another instance of the queue group, or its caller asks again.
        let _ = requests.unsubscribe().await;
        let _ = tokio::time::timeout(STOP_WITHIN, async {
            while calls.join_next().await.is_some() {}
        })
        .await;
        part_drain.abort();
        let _ = server.bus.client().flush().await;
    }
}

async fn drain_parts(mut parts: async_nats::Subscriber, waiters: Arc<Waiters>) {
    while let Some(message) = parts.next().await {
        if let Ok(part) = canonical::decode::<PartMessage>(&message.payload) {
            waiters.deliver(&part.id, &message);
        }
    }
}

struct Server {
    bus: Bus,
    handlers: HashMap<&'static str, Handler>,
    keep_up: Option<KeepUp>,
    instance: String,
    parts: Arc<Waiters>,
    seen: Mutex<BTreeSet<(u64, [u8; 32])>>,
}

/// A request that opened.
struct Opened {
    caller: String,
    body: RequestBody,
    reply_key: ReplyKey,
}

impl Server {
    async fn answer(&self, message: Message) {
        let use_case = message
            .subject
            .as_str()
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_owned();
        let Some((name, handler)) = self.handlers.get_key_value(use_case.as_str()) else {
            return self.answer_unknown(message).await;
        };
        let span = tracing::info_span!(
            "serve",
            use_case = *name,
            caller = field::Empty,
            status = field::Empty
        );
        trace_context::continue_from(&span, message.headers.as_ref());
        self.answer_with(handler, message, span.clone())
            .instrument(span)
            .await;
    }

    async fn answer_with(&self, handler: &Handler, message: Message, span: Span) {
        let opened = match self.open(&message).await {
            Ok(opened) => opened,
            Err(reason) => {
                tracing::warn!(?reason, "a request was refused unopened");
                return self.refuse(&message, reason).await;
            }
        };
        span.record("caller", opened.caller.as_str());
        let call = Call {
            authorization: opened.body.authorization,
            origin: opened.body.origin,
            caller: opened.caller,
            span: span.clone(),
        };
        let seen = Height(opened.body.seen);
        let working = seen::having_seen(seen, async {
            if let Some(keep_up) = &self.keep_up
                && !keep_up(seen).await
            {
                return Err(Problem::busy(format!(
                    "this service has not read the ledger up to block {seen} yet, which you have seen"
                )));
            }
            handler(call, opened.body.request).await
        });
        let answer = self.with_signs_of_life(&message, working).await;
        span.record(
            "status",
            answer
                .as_ref()
                .map_or_else(|problem| problem.status, |_| 200),
        );
        if let Err(problem) = &answer
            && problem.status >= 500
        {
            tracing::error!(
                status = problem.status,
                kind = problem.kind.as_str(),
                "the call failed"
            );
        }
        self.send(&message, &opened.reply_key, answer).await;
    }

    /// Works, and tells the caller now and then that it still does: who waits for a long answer learns soon when this
    /// process dies.
    async fn with_signs_of_life<T>(&self, message: &Message, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            match tokio::time::timeout(SIGN_OF_LIFE_EVERY, &mut work).await {
                Ok(done) => return done,
                Err(_) => self.publish(message, &ReplyMessage::Working).await,
            }
        }
    }

    async fn answer_unknown(&self, message: Message) {
        match self.open(&message).await {
            Ok(opened) => {
                let problem = Problem::not_found("the service has no such use case");
                self.send(&message, &opened.reply_key, Err(problem)).await;
            }
            Err(reason) => self.refuse(&message, reason).await,
        }
    }

    /// Knows the caller by its key, opens all parts, and refuses what is old or was seen before.
    async fn open(&self, message: &Message) -> Result<Opened, RefusedUnopened> {
        let (caller, id) = self
            .caller_and_id(message)
            .ok_or(RefusedUnopened::Malformed)?;
        let entry = self
            .bus
            .directory()
            .get(&caller)
            .ok_or(RefusedUnopened::UnknownCaller)?;
        let first: RequestMessage =
            canonical::decode(&message.payload).map_err(|_| RefusedUnopened::Malformed)?;
        if !is_acceptable_total(first.total) {
            return Err(RefusedUnopened::Malformed);
        }
        let info = request_info(message.subject.as_str(), &caller, &id);
        let unknown = |_| RefusedUnopened::UnknownCaller;
        let mut opener = RequestOpener::new(
            &self.bus.inner.sealing,
            &entry.sealing_key,
            &first.encapsulated_key,
            &info,
        )
        .map_err(unknown)?;
        let mut parts =
            vec![open_request_part(&mut opener, 0, first.total, &first.sealed).map_err(unknown)?];
        if first.total > 1 {
            self.receive_parts(message, &caller, &id, first.total, &mut opener, &mut parts)
                .await?;
        }
        let whole = join(parts).map_err(|_| RefusedUnopened::Malformed)?;
        let body: RequestBody =
            canonical::decode(&whole).map_err(|_| RefusedUnopened::Malformed)?;
        if !self.is_fresh(body.sent, first.encapsulated_key) {
            return Err(RefusedUnopened::Stale);
        }
        Ok(Opened {
            caller,
            body,
            reply_key: opener.reply_key(),
        })
    }

    /// The two last tokens of the reply subject, which must be one of this service's own.
    fn caller_and_id(&self, message: &Message) -> Option<(String, String)> {
        let reply = message.reply.as_ref()?.as_str();
        let (rest, id) = reply.rsplit_once('.')?;
        let (_, caller) = rest.rsplit_once('.')?;
        let valid = subjects::is_token(caller) && subjects::is_token(id);
        (valid && reply == subjects::reply(self.bus.user(), caller, id))
            .then(|| (caller.to_owned(), id.to_owned()))
    }

    async fn receive_parts(
        &self,
        message: &Message,
        caller: &str,
        id: &str,
        total: u32,
        opener: &mut RequestOpener,
        parts: &mut Vec<Vec<u8>>,
    ) -> Result<(), RefusedUnopened> {
        let mut waiting = self.parts.wait(id, "", total as usize + 8);
        self.publish(
            message,
            &ReplyMessage::Continue {
                instance: self.instance.clone(),
            },
        )
        .await;
        let subject = subjects::parts(self.bus.user(), &self.instance, caller);
        let receive = async {
            while parts.len() < total as usize {
                let Incoming::Message(received) = waiting.next().await else {
                    continue;
                };
                let Ok(part) = canonical::decode::<PartMessage>(&received.payload) else {
                    continue;
                };
                if received.subject.as_str() != subject || part.index as usize != parts.len() {
                    continue;
                }
                let opened = open_request_part(opener, part.index, total, &part.sealed);
                parts.push(opened.map_err(|_| RefusedUnopened::Malformed)?);
            }
            Ok(())
        };
        tokio::time::timeout(PARTS_WITHIN, receive)
            .await
            .unwrap_or(Err(RefusedUnopened::Malformed))
    }

    /// Whether a request is recent and new: the broker may replay what it saw.
    fn is_fresh(&self, sent: u64, encapsulated_key: [u8; 32]) -> bool {
        let now = chassis::clock::now();
        if sent.abs_diff(now) > CLOCK_TOLERANCE_US {
            return false;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = seen.split_off(&(now.saturating_sub(CLOCK_TOLERANCE_US), [0; 32]));
        *seen = kept;
        seen.insert((sent, encapsulated_key))
    }

    async fn send(&self, message: &Message, key: &ReplyKey, answer: Result<Vec<u8>, Problem>) {
        let body = match answer {
            Ok(json) => ReplyBody::Ok(json),
            Err(problem) => {
                ReplyBody::Problem(serde_json::to_vec(&problem).expect("a problem is plain JSON"))
            }
        };
        let mut bytes = canonical::encode(&body);
        if bytes.len() > crate::sealed_wire::BODY_BYTES_MAX {
            let problem = Problem::new(
                413,
                "too-large",
                "Too large",
                "the answer has more than 32 MiB: ask for less",
            );
            let json = serde_json::to_vec(&problem).expect("a problem is plain JSON");
            bytes = canonical::encode(&ReplyBody::Problem(json));
        }
        match seal_reply(key, &bytes) {
            Ok(parts) => {
                for part in parts {
                    self.publish(message, &part).await;
                }
            }
            Err(error) => tracing::error!(%error, "a reply could not be sealed"),
        }
    }

    async fn refuse(&self, message: &Message, reason: RefusedUnopened) {
        if self.caller_and_id(message).is_some() {
            self.publish(message, &ReplyMessage::Refused(reason)).await;
        }
    }

    async fn publish(&self, message: &Message, reply: &ReplyMessage) {
        let Some(subject) = message.reply.clone() else {
            return;
        };
        if let Err(error) = self
            .bus
            .client()
            .publish(subject, canonical::encode(reply).into())
            .await
        {
            tracing::warn!(%error, "a reply could not be sent");
        }
    }
}

/// What serde says may quote the input; it goes back to the caller only, sealed.
fn bad_request(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let field = text.split('`').nth(1).unwrap_or_default().to_owned();
    Problem::bad_input(&field, text)
}
