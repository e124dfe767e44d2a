//! The OpenAPI document's parts, made from routes and types.

use interfaces::{Problem, UseCase};
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
    ResponseBuilder,
};

use super::api::Route;
use super::input::{Kind, Shape};

/// The document's head: what it is about, how callers prove themselves, headings.
pub(super) fn head() -> OpenApi {
    let scheme = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("PASETO v4.public")
        .description(Some("The session token that a sign-in gives."))
        .build();
    let components = ComponentsBuilder::new()
        .security_scheme("session", SecurityScheme::Http(scheme))
        .build();
    let tags = [
        (
            "members",
            "Registration, endorsement, sign-in, certificates (identity).",
        ),
        (
            "records",
            "Records of one hospital: writing, viewing, codes, consents, integrity.",
        ),
        (
            "patient",
            "Everything of the patient who is signed in, from all hospitals.",
        ),
        (
            "search",
            "Disease search with brief, de-identified answers (index).",
        ),
        (
            "applications",
            "Applications, decisions, grants, released records (authorization).",
        ),
        ("settlement", "Accounts, coverage, claims."),
        ("devices", "Devices, readings, warnings (iot)."),
        (
            "ledger",
            "The ledger itself: to read for anyone, to write with a signature.",
        ),
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
        .tags(Some(tags.map(|(name, text)| {
            TagBuilder::new().name(name).description(Some(text)).build()
        })))
        .build();
    let mut schemas = Vec::new();
    Problem::schemas(&mut schemas);
    schemas.push((
        Problem::name().into_owned(),
        <Problem as utoipa::PartialSchema>::schema(),
    ));
    document
        .components
        .get_or_insert_default()
        .schemas
        .extend(schemas);
    document
}

/// Whether a type stands under its own name in the document, rather than in place (lists, maps).
pub(super) fn is_named<T: ToSchema>() -> bool {
    !["Vec", "BTreeMap", "Value"].contains(&T::name().as_ref())
}

/// A type's name in the document; pages are named after what they hold.
pub(super) fn name_of<T: ToSchema>() -> String {
    let name = T::name().into_owned();
    match std::any::type_name::<T>().split_once('<') {
        Some((_, inner)) if name == "Page" => {
            let inner = inner.trim_end_matches('>');
            format!("{}Page", inner.rsplit("::").next().unwrap_or(inner))
        }
        _ => name,
    }
}

/// A reference to a type's schema, or the schema in place.
pub(crate) fn schema_of<T: ToSchema>() -> RefOr<Schema> {
    if is_named::<T>() {
        RefOr::Ref(Ref::from_schema_name(name_of::<T>()))
    } else {
        T::schema()
    }
}

/// The document's part of a route that reads path, query and body in its own way.
pub(crate) fn own_operation(route: &Route, id: &str) -> OperationBuilder {
    let callers = route.callers();
    let mut operation = OperationBuilder::new()
        .tag(route.heading())
        .operation_id(Some(id))
        .summary(Some(route.summary()))
        .description(Some(format!("Who may call: {callers}")))
        .response("default", problem_response("What went wrong."));
    for name in route
        .path()
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    {
        let kind = if ["height", "index"].contains(&name) {
            Kind::Integer
        } else {
            Kind::Text
        };
        operation = operation.parameter(parameter(name, ParameterIn::Path, simple(kind), None));
    }
    match route.is_public() {
        true => operation.securities(Some([])),
        false => operation.security(SecurityRequirement::new::<_, [&str; 0], &str>(
            "session",
            [],
        )),
    }
}

/// 200 with JSON of a type.
pub(crate) fn json_response<T: ToSchema>(text: &str) -> ResponseBuilder {
    ResponseBuilder::new().description(text).content(
        "application/json",
        ContentBuilder::new().schema(Some(schema_of::<T>())).build(),
    )
}

/// A body of JSON of a type.
pub(crate) fn json_body<T: ToSchema>() -> RequestBodyBuilder {
    let content = ContentBuilder::new().schema(Some(schema_of::<T>())).build();
    RequestBodyBuilder::new()
        .content("application/json", content)
        .required(Some(Required::True))
}

/// A query parameter.
pub(crate) fn query_parameter(name: &str, kind: Kind, text: &str) -> ParameterBuilder {
    parameter(name, ParameterIn::Query, simple(kind), Some(text))
}

fn problem_response(text: &str) -> ResponseBuilder {
    let content = ContentBuilder::new()
        .schema(Some(schema_of::<Problem>()))
        .build();
    ResponseBuilder::new()
        .description(text)
        .content("application/problem+json", content)
}

fn parameter(
    name: &str,
    place: ParameterIn,
    schema: RefOr<Schema>,
    text: Option<&str>,
) -> ParameterBuilder {
    let required = if place == ParameterIn::Path {
        Required::True
    } else {
        Required::False
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .schema(Some(schema))
        .description(text)
}

fn simple(kind: Kind) -> RefOr<Schema> {
    let kind = match kind {
        Kind::Text => Type::String,
        Kind::Integer => Type::Integer,
        Kind::Boolean => Type::Boolean,
    };
    RefOr::T(Schema::Object(
        ObjectBuilder::new().schema_type(kind).build(),
    ))
}

/// The document's part of a use case.
pub(super) fn operation_of<Q>(route: &Route, shape: &Shape, object: &Object) -> Operation
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
    for (status, text) in [
        (
            "400",
            "The request can't be understood; `field` says where.",
        ),
        ("429", "This address asks too much."),
    ] {
        operation = operation.response(status, problem_response(text));
    }
    if !route.is_public() {
        operation = operation
            .response(
                "401",
                problem_response("Nobody is signed in, or the session has ended."),
            )
            .response("403", problem_response("The one who is signed in may not."));
    }
    operation
        .response("200", json_response::<Q::Reply>("Done."))
        .build()
}

/// The request's type, without the fields that the path gives.
fn body_of<Q: UseCase + ToSchema>(
    shape: &Shape,
    object: &Object,
) -> utoipa::openapi::request_body::RequestBody {
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
    let mut body = RequestBodyBuilder::new()
        .content("application/json", content)
        .required(Some(Required::True));
    if shape.takes_bundle() {
        let bundle = ObjectBuilder::new()
            .description(Some("A FHIR R4 Bundle."))
            .build();
        body = body.content(
            "application/fhir+json",
            ContentBuilder::new()
                .schema(Some(Schema::Object(bundle)))
                .build(),
        );
    }
    body.build()
}

fn query_text(name: &str, object: &Object) -> String {
    match (name, object.properties.get(name)) {
        ("after", None) => "Where the page before ended (`next`).".to_owned(),
        ("limit", None) => "At most how many, 1 to 500; 50 unless told.".to_owned(),
        (_, Some(RefOr::T(Schema::Object(property)))) => {
            property.description.clone().unwrap_or_default()
        }
        _ => String::new(),
    }
}
