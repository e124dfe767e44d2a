//! Requests: from path, query and body to a use case's type, or a problem that names the offending field.

use std::collections::BTreeMap;

use interfaces::Problem;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;
use utoipa::PartialSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, Schema, SchemaType, Type};

use super::parts::{ContentType, RequestParts};

/// How text of a path or query becomes JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Integer,
    Boolean,
}

/// Where a path parameter goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A field of the request.
    Field(Kind),
    /// A field of the request's `item`.
    Item(Kind),
    /// Nowhere: it says which hospital is asked.
    Hospital,
}

/// How a request type is spread over path, query and body.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Path parameters, in order.
    pub(crate) path: Vec<(String, Place)>,
    /// Query parameters: name, kind, and whether it belongs to `page`.
    pub(crate) query: Vec<(String, Kind, bool)>,
    /// Fields of the body.
    pub(crate) body: Vec<String>,
}

/// The schema of a request type, which is an object.
pub(crate) fn object_of<Q: PartialSchema>() -> Object {
    match Q::schema() {
        RefOr::T(Schema::Object(object)) => object,
        _ => Object::default(),
    }
}

impl Shape {
    /// Spreads the fields of `object` over the parameters of `path` and, without a body, the query.
    pub(crate) fn of(object: &Object, path: &str, of_hospital: bool, has_body: bool) -> Shape {
        let mut fields: BTreeMap<String, Kind> = object
            .properties
            .iter()
            .map(|(name, schema)| (name.clone(), kind_of(schema)))
            .collect();
        let names = parameters(path);
        let by_index = names.iter().any(|name| name == "index") && fields.contains_key("item");
        let mut places = Vec::new();
        for name in names {
            let place = match name.as_str() {
                "hospital" if of_hospital => Place::Hospital,
                "application" if by_index => Place::Item(Kind::Text),
                "index" if by_index => Place::Item(Kind::Integer),
                _ => Place::Field(fields.remove(&name).unwrap_or(Kind::Text)),
            };
            places.push((name, place));
        }
        if by_index {
            fields.remove("item");
        }
        if has_body {
            return Shape {
                path: places,
                query: Vec::new(),
                body: fields.into_keys().collect(),
            };
        }
        let paged = fields.remove("page").is_some();
        let mut query: Vec<(String, Kind, bool)> = fields
            .into_iter()
            .map(|(name, kind)| (name, kind, false))
            .collect();
        if paged {
            query.push(("after".to_owned(), Kind::Text, true));
            query.push(("limit".to_owned(), Kind::Integer, true));
        }
        Shape {
            path: places,
            query,
            body: Vec::new(),
        }
    }

    /// Whether a FHIR Bundle may come as the body itself.
    pub(crate) fn takes_bundle(&self) -> bool {
        self.body == ["bundle"]
    }

    /// Puts the request together.
    pub(crate) fn read<Q: DeserializeOwned>(
        &self,
        parts: &RequestParts,
        depth_max: usize,
    ) -> Result<Q, Problem> {
        let mut fields = match self.body_fields(parts, depth_max)? {
            BodyFields::Whole(bytes) => return from_slice(bytes),
            BodyFields::Parsed(fields) => fields,
        };
        for (name, place) in &self.path {
            let text = parts.path.get(name).map(String::as_str).unwrap_or_default();
            match place {
                Place::Hospital => {}
                Place::Field(kind) => insert_new(&mut fields, name, value_of(name, text, *kind)?)?,
                Place::Item(kind) => {
                    let item = fields
                        .entry("item")
                        .or_insert_with(|| Value::Object(Map::new()));
                    let Value::Object(item) = item else {
                        return Err(given_by_path("item"));
                    };
                    insert_new(item, name, value_of(name, text, *kind)?)?;
                }
            }
        }
        self.add_query(&mut fields, &parts.query)?;
        from_value(Value::Object(fields))
    }

    fn body_fields<'a>(
        &self,
        parts: &'a RequestParts,
        depth_max: usize,
    ) -> Result<BodyFields<'a>, Problem> {
        if parts.body.is_empty() {
            return Ok(BodyFields::Parsed(Map::new()));
        }
        if self.body.is_empty()
            && self.path.iter().all(|(_, place)| *place == Place::Hospital)
            && !self.query.is_empty()
        {
            return Err(Problem::bad_input(
                "",
                "this request has no body; its fields go into the query",
            ));
        }
        if self.takes_bundle() && parts.content_type == ContentType::Fhir {
            check_depth(&parts.body, depth_max.max(BUNDLE_DEPTH))?;
            let text = std::str::from_utf8(&parts.body)
                .map_err(|_| Problem::bad_input("", "the body is not UTF-8"))?;
            return Ok(BodyFields::Parsed(Map::from_iter([(
                "bundle".to_owned(),
                Value::String(text.to_owned()),
            )])));
        }
        if parts.content_type != ContentType::Json {
            return Err(unsupported("application/json"));
        }
        check_depth(&parts.body, depth_max)?;
        if self.path.iter().all(|(_, place)| *place == Place::Hospital) {
            return Ok(BodyFields::Whole(&parts.body));
        }
        match from_slice::<Value>(&parts.body)? {
            Value::Object(fields) => {
                let foreign = fields.keys().find(|name| {
                    self.path.iter().any(|(given, _)| given == *name)
                        || *name == "item" && self.in_item()
                });
                match foreign {
                    Some(name) => Err(given_by_path(name)),
                    None => Ok(BodyFields::Parsed(fields)),
                }
            }
            _ => Err(Problem::bad_input("", "the body must be a JSON object")),
        }
    }

    fn in_item(&self) -> bool {
        self.path
            .iter()
            .any(|(_, place)| matches!(place, Place::Item(_)))
    }

    fn add_query(
        &self,
        fields: &mut Map<String, Value>,
        query: &[(String, String)],
    ) -> Result<(), Problem> {
        for (name, text) in query {
            let Some((_, kind, paged)) = self.query.iter().find(|(known, ..)| known == name) else {
                let known: Vec<&str> = self
                    .query
                    .iter()
                    .map(|(known, ..)| known.as_str())
                    .collect();
                let detail = format!(
                    "there is no such query parameter; there are: {}",
                    known.join(", ")
                );
                return Err(Problem::bad_input(name, detail));
            };
            let value = value_of(name, text, *kind)?;
            if *paged {
                let page = fields
                    .entry("page")
                    .or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(page) = page {
                    insert_new(page, name, value)?;
                }
            } else {
                insert_new(fields, name, value)?;
            }
        }
        Ok(())
    }
}

/// FHIR nests deeper than requests do.
const BUNDLE_DEPTH: usize = 64;

enum BodyFields<'a> {
    /// The body alone is the request.
    Whole(&'a [u8]),
    /// The body's fields, to which others are added.
    Parsed(Map<String, Value>),
}

/// 415, naming what is taken.
pub(crate) fn unsupported(expected: &str) -> Problem {
    Problem::new(
        415,
        "unsupported-media-type",
        "Unsupported media type",
        format!("expected a body of type {expected}"),
    )
}

/// Refuses JSON that nests deeper than `depth_max`, before anything parses it.
pub(crate) fn check_depth(json: &[u8], depth_max: usize) -> Result<(), Problem> {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                if depth > depth_max {
                    return Err(Problem::bad_input(
                        "",
                        format!("the JSON nests deeper than {depth_max} levels"),
                    ));
                }
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Reads JSON; a problem names the field.
pub(crate) fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value =
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| malformed(&error))?;
    deserializer
        .end()
        .map_err(|_| Problem::bad_input("", "something follows the JSON value"))?;
    Ok(value)
}

fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| malformed(&error))
}

/// Names the field as a JSON pointer; what was sent is not repeated.
fn malformed(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let mut pointer = String::new();
    for segment in error.path() {
        let step = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
    }
    let text = without_values(&error.inner().to_string());
    for beginning in ["missing field `", "unknown field `", "duplicate field `"] {
        let named = text
            .strip_prefix(beginning)
            .and_then(|rest| rest.split_once('`'));
        if let Some((field, _)) = named
            && !pointer.ends_with(&format!("/{field}"))
        {
            pointer.push('/');
            pointer.push_str(field);
        }
    }
    Problem::bad_input(&pointer, text)
}

/// Serde repeats what it was given; that may be personal, so only what was expected is kept.
fn without_values(text: &str) -> String {
    let text = text.split(" at line ").next().unwrap_or_default();
    if ["missing field", "unknown field", "duplicate field"]
        .iter()
        .any(|beginning| text.starts_with(beginning))
    {
        return text.to_owned();
    }
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None if text.contains('"') => "the JSON can't be understood".to_owned(),
        None => text.to_owned(),
    }
}

fn parameters(path: &str) -> Vec<String> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(str::to_owned)
        .collect()
}

fn kind_of(schema: &RefOr<Schema>) -> Kind {
    let RefOr::T(Schema::Object(object)) = schema else {
        return Kind::Text;
    };
    let is = |wanted: Type| match &object.schema_type {
        SchemaType::Type(found) => *found == wanted,
        SchemaType::Array(found) => found.contains(&wanted),
        SchemaType::AnyValue => false,
    };
    match () {
        () if is(Type::Integer) => Kind::Integer,
        () if is(Type::Boolean) => Kind::Boolean,
        () => Kind::Text,
    }
}

fn value_of(name: &str, text: &str, kind: Kind) -> Result<Value, Problem> {
    let value = match kind {
        Kind::Text => Some(Value::String(text.to_owned())),
        Kind::Integer => text.parse::<i64>().ok().map(Value::from),
        Kind::Boolean => text.parse::<bool>().ok().map(Value::from),
    };
    let expected = if kind == Kind::Integer {
        "an integer"
    } else {
        "true or false"
    };
    value.ok_or_else(|| Problem::bad_input(name, format!("expected {expected}")))
}

fn insert_new(fields: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), Problem> {
    match fields.insert(name.to_owned(), value) {
        None => Ok(()),
        Some(_) => Err(Problem::bad_input(name, "given twice")),
    }
}

fn given_by_path(name: &str) -> Problem {
    Problem::bad_input(
        &format!("/{name}"),
        "this is given by the path, not by the body",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use interfaces::identity::EndorseMember;
    use interfaces::index::SearchDisease;

    #[test]
    fn nesting_is_counted_outside_of_texts_only() {
        check_depth(br#"{"a":"[[[[\"{{{{"}"#, 1).unwrap();
        assert_eq!(check_depth(b"[[[]]]", 2).unwrap_err().status, 400);
        assert!(check_depth(&[b'['; 100_000], 32).is_err());
    }

    #[test]
    fn a_problem_names_the_field_and_does_not_repeat_what_was_sent() {
        let problem = from_slice::<EndorseMember>(br#"{"member":"Jane Canary"}"#).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("/member"));
        assert!(!problem.detail.contains("Canary"), "{}", problem.detail);
        let problem = from_slice::<EndorseMember>(br#"{}"#).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("/member"));
        let problem =
            from_slice::<SearchDisease>(br#"{"disease":"x","page":{"limit":"many"}}"#).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("/page/limit"));
        let problem = from_slice::<SearchDisease>(br#"{"disease":"x","other":1}"#).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("/other"));
    }

    #[test]
    fn only_what_was_expected_is_said() {
        assert_eq!(
            without_values(
                r#"invalid type: string "a, expected b", expected u32 at line 1 column 2"#
            ),
            "expected u32"
        );
        assert_eq!(
            without_values("unknown variant `Jane`, expected one of `A`, `B`"),
            "expected one of `A`, `B`"
        );
    }
}
