//! JSON that keeps the text of every number.
//!
//! FHIR gives meaning to the digits of a decimal (`1.0` is not `1.00`), money must not pass through
//! binary fractions, and the bytes that are committed must come out the same everywhere. So numbers
//! stay text here, objects are ordered by name, and parsing has caps and names the element it
//! refuses.

use std::collections::BTreeMap;
use std::fmt;

use crate::refusal::{Place, Refusal};

mod parser;

/// What is accepted from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest input in bytes.
    pub bytes_max: usize,
    /// Deepest nesting of arrays and objects.
    pub depth_max: usize,
    /// Most values (of any kind) in the input.
    pub values_max: usize,
}

impl Default for Limits {
    /// 64 MiB, 64 levels, 4 million values: five times the largest Bundles seen in practice.
    fn default() -> Self {
        Self {
            bytes_max: 64 << 20,
            depth_max: 64,
            values_max: 4_000_000,
        }
    }
}

/// The text of a JSON number, checked against the grammar of RFC 8259.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(Box<str>);

impl Number {
    /// Takes `text` if it is a JSON number of at most 64 characters.
    pub fn new(text: &str) -> Option<Self> {
        let end = parser::number_end(text.as_bytes(), 0)?;
        (end == text.len() && text.len() <= 64).then(|| Self(text.into()))
    }

    /// The number as written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The number times 10^`decimals`, if that is a whole number that fits; exact, without floats.
    pub fn scaled(&self, decimals: u32) -> Option<i64> {
        let (mantissa, exponent) = match self.0.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (&*self.0, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            digits = digits
                .checked_mul(10)?
                .checked_add(i128::from(digit - b'0'))?;
        }
        let mut power = exponent
            .checked_add(decimals as i32)?
            .checked_sub(fraction.len() as i32)?;
        while power < 0 {
            if digits % 10 != 0 {
                return None;
            }
            digits /= 10;
            power += 1;
            if digits == 0 {
                power = 0;
            }
        }
        while power > 0 && digits != 0 {
            digits = digits.checked_mul(10)?;
            power -= 1;
        }
        i64::try_from(if negative { -digits } else { digits }).ok()
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(value.to_string().into())
    }
}

/// A JSON value. Objects are ordered by the bytes of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as written.
    Number(Number),
    /// A string, unescaped.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Parses `bytes` under `limits`; `root` names the whole in refusals (`Bundle`).
    ///
    /// # Errors
    /// Anything that RFC 8259 does not allow, a name that occurs twice in an object, or a limit passed.
    pub fn parse(bytes: &[u8], root: &str, limits: &Limits) -> Result<Self, Refusal> {
        parser::parse(bytes, &Place::root(root), limits)
    }

    /// The property `name`, if this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(object) => object.get(name),
            _ => None,
        }
    }

    /// The value at a way of names and array positions, if it leads somewhere:
    /// `at(&["item", "0", "net"])`.
    pub fn at(&self, way: &[&str]) -> Option<&Json> {
        way.iter().try_fold(self, |here, step| match here {
            Json::Object(object) => object.get(*step),
            Json::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// The text of the property `name`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// The number, if this is one.
    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Json::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The items, if this is an array; else none.
    pub fn items(&self) -> &[Json] {
        match self {
            Json::Array(items) => items,
            _ => &[],
        }
    }

    /// The items of the property `name`; none if it is absent or no array.
    pub fn list(&self, name: &str) -> &[Json] {
        self.get(name).map_or(&[], Json::items)
    }

    /// The properties, if this is an object.
    pub fn as_object(&self) -> Option<&BTreeMap<String, Json>> {
        match self {
            Json::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The properties, to change them, if this is an object.
    pub fn as_object_mut(&mut self) -> Option<&mut BTreeMap<String, Json>> {
        match self {
            Json::Object(object) => Some(object),
            _ => None,
        }
    }

    /// An object of `properties`.
    pub fn object<const N: usize>(properties: [(&str, Json); N]) -> Self {
        Json::Object(
            properties
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// Writes the one form of this value: names in byte order, no white space, the shortest escapes
    /// (as RFC 8785), numbers as [`Number`] holds them.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Json::Null => out.extend_from_slice(b"null"),
            Json::Bool(true) => out.extend_from_slice(b"true"),
            Json::Bool(false) => out.extend_from_slice(b"false"),
            Json::Number(number) => out.extend_from_slice(number.text().as_bytes()),
            Json::String(text) => write_string(text, out),
            Json::Array(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Json::Object(object) => {
                out.push(b'{');
                for (index, (name, value)) in object.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_string(name, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }

    /// The bytes of [`Json::write`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        self.write(&mut out);
        out
    }

    /// The value for `serde_json`. Numbers that do not fit 64 bits become floats: for showing only,
    /// never for committing.
    pub fn to_value(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => serde_json::from_str(number.text()).unwrap_or(Value::Null),
            Json::String(text) => Value::String(text.clone()),
            Json::Array(items) => Value::Array(items.iter().map(Json::to_value).collect()),
            Json::Object(object) => Value::Object(
                object
                    .iter()
                    .map(|(name, value)| (name.clone(), value.to_value()))
                    .collect(),
            ),
        }
    }
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(number) => {
                Number::new(&number.to_string()).map_or(Json::Null, Json::Number)
            }
            Value::String(text) => Json::String(text.clone()),
            Value::Array(items) => Json::Array(items.iter().map(Json::from).collect()),
            Value::Object(object) => Json::Object(
                object
                    .iter()
                    .map(|(name, value)| (name.clone(), Json::from(value)))
                    .collect(),
            ),
        }
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        Json::from(&value)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Json::String(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Json::String(text)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Json::Number(Number::from(value))
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Json::Bool(value)
    }
}

impl From<Vec<Json>> for Json {
    fn from(items: Vec<Json>) -> Self {
        Json::Array(items)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0x00..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Fault;

    fn parse(text: &str) -> Result<Json, Refusal> {
        Json::parse(text.as_bytes(), "Bundle", &Limits::default())
    }

    #[test]
    fn numbers_keep_their_text_and_names_are_sorted() {
        let json =
            parse(" { \"b\" : [ 1.00 , -0.50, 1e+2 ] , \"a\" : \"\\u00e9\\n\\ud83d\\ude00\" } ")
                .unwrap();
        assert_eq!(
            json.to_string(),
            "{\"a\":\"\u{e9}\\n\u{1f600}\",\"b\":[1.00,-0.50,1e+2]}"
        );
    }

    #[test]
    fn decimals_become_integers_exactly_or_not_at_all() {
        for (text, decimals, expected) in [
            ("129.16", 2, Some(12916)),
            ("125", 2, Some(12500)),
            ("0.1", 2, Some(10)),
            ("129.160", 2, Some(12916)),
            ("129.161", 2, None),
            ("-0.05", 2, Some(-5)),
            ("1.5e2", 2, Some(15000)),
            ("150e-1", 0, Some(15)),
            ("0e-300", 2, Some(0)),
            ("0e300", 2, Some(0)),
            ("1e300", 2, None),
            ("92233720368547758.07", 2, Some(i64::MAX)),
            ("92233720368547758.08", 2, None),
        ] {
            assert_eq!(
                Number::new(text).unwrap().scaled(decimals),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        for (text, expected) in [
            ("{\"entry\":[{},{\"a\":tru}]}", "Bundle.entry[1].a"),
            ("{\"a\":1,\"a\":2}", "Bundle.a: occurs twice"),
            ("{\"a\":01}", "Bundle"),
            ("{\"a\":1} x", "Bundle"),
            ("[1,]", "Bundle[1]"),
            ("\"\\ud800\"", "Bundle"),
            ("\"\u{1}\"", "Bundle"),
            ("{\"a\":1.}", "Bundle.a"),
            ("", "Bundle"),
        ] {
            let refusal = parse(text).unwrap_err().to_string();
            assert!(refusal.starts_with(expected), "{text}: {refusal}");
        }
        assert!(Json::parse(b"\"\xff\"", "Bundle", &Limits::default()).is_err());
    }

    #[test]
    fn depth_size_and_count_are_capped() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(
            parse(&deep).unwrap_err().fault,
            Fault::TooDeep { limit: 64 }
        ));
        let limits = Limits {
            bytes_max: 10,
            depth_max: 4,
            values_max: 3,
        };
        let refused = Json::parse(b"[1,2,3,4]", "Bundle", &limits).unwrap_err();
        assert!(matches!(refused.fault, Fault::TooManyValues { limit: 3 }));
        let refused = Json::parse(b"            [1]", "Bundle", &limits).unwrap_err();
        assert!(matches!(refused.fault, Fault::TooLarge { limit: 10 }));
    }
}
