//! Registers routes: each with its handler and its part of the OpenAPI document, both from the same types.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use bus::Target;
use interfaces::{Problem, UseCase};
use utoipa::openapi::path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ContentBuilder, HttpMethod, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, ResponseBuilder,
};
use utoipa::ToSchema;

use super::answer::{Answer, Refusal, ok, too_slow};
use super::guard::{Peer, charge};
use super::input::{Kind, Place, RequestParts, Shape, object_of};
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
        Route { method, path, tag: "", summary, callers: "", is_public: false, is_slow: false, is_large: false, cost: 0 }
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
        Route { callers: "Anyone; no session is needed.", is_public: true, ..self }
    }

    /// It may take long.
    pub(crate) const fn slow(self) -> Route {
        Route { is_slow: true, ..self }
    }

    /// Its body may be as large as a Bundle.
    pub(crate) const fn large(self) -> Route {
        Route { is_large: true, ..self }
    }

    /// It counts as this many requests more, because it is costly or invites guessing.
    pub(crate) const fn cost(self, cost: u32) -> Route {
        Route { cost, ..self }
    }

    fn has_body(&self) -> bool {
        matches!(self.method, Method::Post | Method::Put)
    }

    fn body_limit(&self, gateway: &Gateway) -> usize {
        if self.is_large { gateway.limits.bundle_bytes } else { gateway.limits.body_bytes }
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
        Api { router: axum::Router::new(), document: head() }
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
        let shape = Shape::of(&object, route.path, Q::SERVICE == "records", route.has_body());
        self.register::<Q::Reply>();
        self.register::<Q>();
        let operation = operation_of::<Q>(&route, &shape, &object);
        let shape = Arc::new(shape);
        self.route(route, operation, move |State(gateway): State<Shared>, request: Request| {
            let shape = shape.clone();
            async move { call::<Q>(&gateway, &route, &shape, request).await }
        })
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
            components.schemas.insert(T::name().into_owned(), T::schema());
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
        self.document.paths.add_path_operation(route.path, vec![method], operation);
        Api { router: self.router.route(route.path, on(filter, handler)), document: self.document }
    }
}

/// Reads the request and asks.
async fn call<Q>(gateway: &Gateway, route: &Route, shape: &Shape, request: Request) -> Answer<Q::Reply>
where
    Q: UseCase + Sync,
{
    let parts = take_apart(gateway, route, request).await?;
    let question: Q = shape.read(&parts, gateway.limits.json_depth)?;
    let target = match shape.path.iter().any(|(_, place)| *place == Place::Hospital) {
        true => gateway.hospitals.records_service(id_of(&parts, "hospital")?).await?,
        false => Target::of::<Q>(),
    };
    ask(gateway, route, &target, parts.authorization.as_deref(), &question).await
}

/// Reads a request's path, query, token and body, within the route's bounds.
pub(crate) async fn take_apart(gateway: &Gateway, route: &Route, request: Request) -> Result<RequestParts, Refusal> {
    let (mut parts, body) = request.into_parts();
    if route.cost > 0 {
        charge(gateway, Peer::of(&parts.extensions), route.cost)?;
    }
    Ok(RequestParts::read(&mut parts, body, route.body_limit(gateway), gateway.within(route.is_slow)).await?)
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
    text.parse().map_err(|_| Problem::bad_input(name, "expected lowercase hex digits of the right number"))
}

fn head() -> OpenApi {
    let scheme = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("PASETO v4.public")
        .description(Some("The session token that a sign-in gives."))
        .build();
    let components = ComponentsBuilder::new().security_scheme("session", SecurityScheme::Http(scheme)).build();
    let tags = [
        ("members", "Registration, endorsement, sign-in, certificates (identity)."),
        ("records", "Records of one hospital: writing, viewing, codes, consents, integrity."),
        ("patient", "Everything of the patient who is signed in, from all hospitals."),
        ("search", "Disease search with brief, de-identified answers (index)."),
        ("applications", "Applications, decisions, grants, released records (authorization)."),
        ("settlement", "Accounts, coverage, claims."),
        ("devices", "Devices, readings, warnings (iot)."),
        ("ledger", "The ledger itself: to read for anyone, to write with a signature."),
    ];
    let info = InfoBuilder::new()
        .title("Medshare")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Ids and digests are lowercase hex, bytes are base64url without padding, amounts are integer minor units, times are \
             RFC 3339. Errors are problem details (RFC 9457) that name the offending field. Every answer carries x-trace-id.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    let mut document = OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .tags(Some(tags.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build())))
        .build();
    let mut schemas = Vec::new();
    Problem::schemas(&mut schemas);
    schemas.push((Problem::name().into_owned(), <Problem as utoipa::PartialSchema>::schema()));
    document.components.get_or_insert_default().schemas.extend(schemas);
    document
}

/// Whether a type stands under its own name in the document, rather than in place (lists, maps).
fn is_named<T: ToSchema>() -> bool {
    !["Vec", "BTreeMap", "Value"].contains(&T::name().as_ref())
}

/// A reference to a type's schema, or the schema in place.
pub(crate) fn schema_of<T: ToSchema>() -> RefOr<Schema> {
    if is_named::<T>() { RefOr::Ref(Ref::from_schema_name(T::name())) } else { T::schema() }
}

/// The document's part of a route that reads path, query and body in its own way.
pub(crate) fn own_operation(route: &Route, id: &str) -> OperationBuilder {
    let callers = route.callers;
    let mut operation = OperationBuilder::new()
        .tag(route.tag)
        .operation_id(Some(id))
        .summary(Some(route.summary))
        .description(Some(format!("Who may call: {callers}")))
        .response("default", problem_response("What went wrong."));
    for name in route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        let kind = if ["height", "index"].contains(&name) { Kind::Integer } else { Kind::Text };
        operation = operation.parameter(parameter(name, ParameterIn::Path, simple(kind), None));
    }
    match route.is_public {
        true => operation.securities(Some([])),
        false => operation.security(SecurityRequirement::new::<_, [&str; 0], &str>("session", [])),
    }
}

/// 200 with JSON of a type.
pub(crate) fn json_response<T: ToSchema>(text: &str) -> ResponseBuilder {
    ResponseBuilder::new().description(text).content("application/json", ContentBuilder::new().schema(Some(schema_of::<T>())).build())
}

/// A body of JSON of a type.
pub(crate) fn json_body<T: ToSchema>() -> RequestBodyBuilder {
    let content = ContentBuilder::new().schema(Some(schema_of::<T>())).build();
    RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True))
}

/// A query parameter.
pub(crate) fn query_parameter(name: &str, kind: Kind, text: &str) -> ParameterBuilder {
    parameter(name, ParameterIn::Query, simple(kind), Some(text))
}

fn problem_response(text: &str) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(schema_of::<Problem>())).build();
    ResponseBuilder::new().description(text).content("application/problem+json", content)
}

fn parameter(name: &str, place: ParameterIn, schema: RefOr<Schema>, text: Option<&str>) -> ParameterBuilder {
    let required = if place == ParameterIn::Path { Required::True } else { Required::False };
    ParameterBuilder::new().name(name).parameter_in(place).required(required).schema(Some(schema)).description(text)
}

fn simple(kind: Kind) -> RefOr<Schema> {
    let kind = match kind {
        Kind::Text => Type::String,
        Kind::Integer => Type::Integer,
        Kind::Boolean => Type::Boolean,
    };
    RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(kind).build()))
}

fn operation_of<Q>(route: &Route, shape: &Shape, object: &Object) -> Operation
where
    Q: UseCase + ToSchema,
    Q::Reply: ToSchema,
{
    let mut operation = own_operation(route, Q::NAME);
    for (name, kind, _) in &shape.query {
        operation = operation.parameter(query_parameter(name, *kind, &query_text(name, object)));
    }
    if !shape.body.is_empty() {
        operation = operation.request_body(Some(body_of::<Q>(shape, object)));
    }
    for (status, text) in [("400", "The request can't be understood; `field` says where."), ("429", "This address asks too much.")] {
        operation = operation.response(status, problem_response(text));
    }
    if !route.is_public {
        operation = operation
            .response("401", problem_response("Nobody is signed in, or the session has ended."))
            .response("403", problem_response("The one who is signed in may not."));
    }
    operation.response("200", json_response::<Q::Reply>("Done.")).build()
}

/// The request's type, without the fields that the path gives.
fn body_of<Q: UseCase + ToSchema>(shape: &Shape, object: &Object) -> utoipa::openapi::request_body::RequestBody {
    let whole = shape.body.len() == object.properties.len();
    let schema = match whole {
        true => schema_of::<Q>(),
        false => {
            let mut rest = object.clone();
            rest.properties.retain(|name, _| shape.body.contains(name));
            rest.required.retain(|name| shape.body.contains(name));
            RefOr::T(Schema::Object(rest))
        }
    };
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let mut body = RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True));
    if shape.takes_bundle() {
        let bundle = ObjectBuilder::new().description(Some("A FHIR R4 Bundle.")).build();
        body = body.content("application/fhir+json", ContentBuilder::new().schema(Some(Schema::Object(bundle))).build());
    }
    body.build()
}

fn query_text(name: &str, object: &Object) -> String {
    match (name, object.properties.get(name)) {
        ("after", None) => "Where the page before ended (`next`).".to_owned(),
        ("limit", None) => "At most how many, 1 to 500; 50 unless told.".to_owned(),
        (_, Some(RefOr::T(Schema::Object(property)))) => property.description.clone().unwrap_or_default(),
        _ => String::new(),
    }
}

/// JSON of a value, for handlers of their own.
pub(crate) fn answer<T>(value: T) -> Answer<T> {
    Ok(Json(value))
}
