//! Registers routes: each with its handler and its part of the OpenAPI document, both from the same types.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use bus::Target;
use interfaces::{Problem, UseCase};
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, OperationBuilder};
use utoipa::openapi::{HttpMethod, OpenApi};

use super::answer::{Answer, Refusal, ok, too_slow};
use super::document::{head, is_named, name_of, operation_of};
use super::guard::{Peer, charge};
use super::input::{Place, Shape, object_of};
use super::parts::RequestParts;
use crate::service::Gateway;

/// What handlers share.
pub(crate) type Shared = Arc<Gateway>;

/// One route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    method: Method,
    path: &'static str,
    tag: &'static str,
    summary: &'static str,
    callers: &'static str,
    is_public: bool,
    is_slow: bool,
    is_large: bool,
    cost: u32,
}

/// The methods that routes answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Route {
    const fn new(method: Method, path: &'static str, summary: &'static str) -> Route {
        Route {
            method,
            path,
            tag: "",
            summary,
            callers: "",
            is_public: false,
            is_slow: false,
            is_large: false,
            cost: 0,
        }
    }

    /// A route that reads.
    pub(crate) const fn get(path: &'static str, summary: &'static str) -> Route {
        Route::new(Method::Get, path, summary)
    }

    /// A route that makes or asks something.
    pub(crate) const fn post(path: &'static str, summary: &'static str) -> Route {
        Route::new(Method::Post, path, summary)
    }

    /// A route that sets something.
    pub(crate) const fn put(path: &'static str, summary: &'static str) -> Route {
        Route::new(Method::Put, path, summary)
    }

    /// A route that ends something.
    pub(crate) const fn delete(path: &'static str, summary: &'static str) -> Route {
        Route::new(Method::Delete, path, summary)
    }

    /// Under which heading the document shows it.
    pub(crate) const fn tag(self, tag: &'static str) -> Route {
        Route { tag, ..self }
    }

    /// Who may call it, with a session token. The service decides; this is for the document.
    pub(crate) const fn by(self, callers: &'static str) -> Route {
        Route { callers, ..self }
    }

    /// Anyone may call it, without a session.
    pub(crate) const fn by_anyone(self) -> Route {
        Route {
            callers: "Anyone; no session is needed.",
            is_public: true,
            ..self
        }
    }

    /// It may take long.
    pub(crate) const fn slow(self) -> Route {
        Route {
            is_slow: true,
            ..self
        }
    }

    /// Its body may be as large as a Bundle.
    pub(crate) const fn large(self) -> Route {
        Route {
            is_large: true,
            ..self
        }
    }

    /// It counts as this many requests more, because it is costly or invites guessing.
    pub(crate) const fn cost(self, cost: u32) -> Route {
        Route { cost, ..self }
    }

    /// Where it is.
    pub(super) const fn path(&self) -> &'static str {
        self.path
    }

    /// Its heading in the document.
    pub(super) const fn heading(&self) -> &'static str {
        self.tag
    }

    /// What it does.
    pub(super) const fn summary(&self) -> &'static str {
        self.summary
    }

    /// Who may call it.
    pub(super) const fn callers(&self) -> &'static str {
        self.callers
    }

    /// Whether no session is needed.
    pub(super) const fn is_public(&self) -> bool {
        self.is_public
    }

    fn has_body(&self) -> bool {
        matches!(self.method, Method::Post | Method::Put)
    }

    fn body_limit(&self, gateway: &Gateway) -> usize {
        if self.is_large {
            gateway.limits.bundle_bytes
        } else {
            gateway.limits.body_bytes
        }
    }
}

/// Routes so far.
pub(crate) struct Api {
    router: axum::Router<Shared>,
    document: OpenApi,
}

impl Api {
    /// No routes, and a document with its head alone.
    pub(crate) fn new() -> Api {
        Api {
            router: axum::Router::new(),
            document: head(),
        }
    }

    /// The router and the document.
    pub(crate) fn into_parts(self) -> (axum::Router<Shared>, OpenApi) {
        (self.router, self.document)
    }

    /// Answers a use case: reads the request from path, query and body, and asks the service that the use case belongs to.
    pub(crate) fn use_case<Q>(mut self, route: Route) -> Api
    where
        Q: UseCase + ToSchema + Sync,
        Q::Reply: ToSchema,
    {
        let object = object_of::<Q>();
        let shape = Shape::of(
            &object,
            route.path,
            Q::SERVICE == "records",
            route.has_body(),
        );
        self.register::<Q::Reply>();
        self.register::<Q>();
        let operation = operation_of::<Q>(&route, &shape, &object);
        let shape = Arc::new(shape);
        self.route(
            route,
            operation,
            move |State(gateway): State<Shared>, request: Request| {
                let shape = shape.clone();
                async move { call::<Q>(&gateway, &route, &shape, request).await }
            },
        )
    }

    /// Answers by a handler of its own; `operation` comes from [`own_operation`].
    pub(crate) fn own<H, T>(self, route: Route, operation: OperationBuilder, handler: H) -> Api
    where
        H: Handler<T, Shared>,
        T: 'static,
    {
        self.route(route, operation.build(), handler)
    }

    /// Makes a type known to the document.
    pub(crate) fn schema<T: ToSchema>(mut self) -> Api {
        self.register::<T>();
        self
    }

    fn register<T: ToSchema>(&mut self) {
        let mut schemas = Vec::new();
        T::schemas(&mut schemas);
        let components = self.document.components.get_or_insert_default();
        components.schemas.extend(schemas);
        if is_named::<T>() {
            components.schemas.insert(name_of::<T>(), T::schema());
        }
    }

    fn route<H, T>(mut self, route: Route, operation: Operation, handler: H) -> Api
    where
        H: Handler<T, Shared>,
        T: 'static,
    {
        let (filter, method) = match route.method {
            Method::Get => (MethodFilter::GET, HttpMethod::Get),
            Method::Post => (MethodFilter::POST, HttpMethod::Post),
            Method::Put => (MethodFilter::PUT, HttpMethod::Put),
            Method::Delete => (MethodFilter::DELETE, HttpMethod::Delete),
        };
        self.document
            .paths
            .add_path_operation(route.path, vec![method], operation);
        Api {
            router: self.router.route(route.path, on(filter, handler)),
            document: self.document,
        }
    }
}

/// Reads the request and asks.
async fn call<Q>(
    gateway: &Gateway,
    route: &Route,
    shape: &Shape,
    request: Request,
) -> Answer<Q::Reply>
where
    Q: UseCase + Sync,
{
    let parts = take_apart(gateway, route, request).await?;
    let question: Q = shape.read(&parts, gateway.limits.json_depth)?;
    let target = match shape
        .path
        .iter()
        .any(|(_, place)| *place == Place::Hospital)
    {
        true => {
            gateway
                .hospitals
                .records_service(id_of(&parts, "hospital")?)
                .await?
        }
        false => Target::of::<Q>(),
    };
    ask(
        gateway,
        route,
        &target,
        parts.authorization.as_deref(),
        &question,
    )
    .await
}

/// Reads a request's path, query, token and body, within the route's bounds.
pub(crate) async fn take_apart(
    gateway: &Gateway,
    route: &Route,
    request: Request,
) -> Result<RequestParts, Refusal> {
    let (mut parts, body) = request.into_parts();
    if route.cost > 0 {
        charge(gateway, Peer::of(&parts.extensions), route.cost)?;
    }
    Ok(RequestParts::read(
        &mut parts,
        body,
        route.body_limit(gateway),
        gateway.within(route.is_slow),
    )
    .await?)
}

/// Asks a service within the route's time.
pub(crate) async fn ask<Q: UseCase>(
    gateway: &Gateway,
    route: &Route,
    target: &Target,
    token: Option<&str>,
    question: &Q,
) -> Answer<Q::Reply> {
    let within = gateway.within(route.is_slow);
    let asked = gateway.bus.request_within(target, token, question, within);
    match tokio::time::timeout(within, asked).await {
        Ok(answer) => ok(answer?),
        Err(_) => Err(too_slow().into()),
    }
}

/// A ledger id or digest in the path.
pub(crate) fn id_of<T: std::str::FromStr>(parts: &RequestParts, name: &str) -> Result<T, Problem> {
    let text = parts.path.get(name).map(String::as_str).unwrap_or_default();
    text.parse()
        .map_err(|_| Problem::bad_input(name, "expected lowercase hex digits of the right number"))
}

/// JSON of a value, for handlers of their own.
pub(crate) fn answer<T>(value: T) -> Answer<T> {
    Ok(Json(value))
}
