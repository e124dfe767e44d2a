//! Taking a string element out of a resource into a column, and putting it back exactly where it was.

use clinical::json::Json;
use serde::{Deserialize, Deserializer, de::Error as _};

/// The longest text that goes to a column; a longer one stays in the body.
pub const COLUMN_BYTES_MAX: usize = 180;

/// The way to an element: `name[0].family`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementPath {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

/// The text is no path of an element.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no path of an element, such as name[0].family")]
pub struct PathError(pub String);

impl ElementPath {
    /// Reads `name[0].family`: names with positions behind them, joined by dots.
    pub fn parse(text: &str) -> Result<ElementPath, PathError> {
        let refused = || PathError(text.to_owned());
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (name, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(refused());
            }
            steps.push(Step::Name(name.to_owned()));
            while let Some(inner) = rest.strip_prefix('[') {
                let (index, behind) = inner.split_once(']').ok_or_else(refused)?;
                steps.push(Step::Index(index.parse().map_err(|_| refused())?));
                rest = behind;
            }
            if !rest.is_empty() {
                return Err(refused());
            }
        }
        Ok(ElementPath { steps })
    }

    /// Takes the element out, if it is a string that a column can hold. What stays behind is a resource without the
    /// property, or with `null` at the place in an array: FHIR forbids null there, so it marks the place unmistakably.
    pub fn take(&self, resource: &mut Json) -> Option<String> {
        let (last, way) = self.steps.split_last()?;
        let parent = descend(resource, way)?;
        match (parent, last) {
            (Json::Object(object), Step::Name(name)) => {
                let fits = object
                    .get(name)
                    .and_then(Json::as_str)
                    .is_some_and(fits_a_column);
                let Json::String(text) = (if fits { object.remove(name) } else { None })? else {
                    return None;
                };
                Some(text)
            }
            (Json::Array(items), Step::Index(index)) => {
                let item = items.get_mut(*index)?;
                if !item.as_str().is_some_and(fits_a_column) {
                    return None;
                }
                let Json::String(text) = std::mem::replace(item, Json::Null) else {
                    return None;
                };
                Some(text)
            }
            _ => None,
        }
    }

    /// Puts the element back where [`ElementPath::take`] took it from; false if there is no such place.
    pub fn put(&self, resource: &mut Json, text: String) -> bool {
        let Some((last, way)) = self.steps.split_last() else {
            return false;
        };
        match (descend(resource, way), last) {
            (Some(Json::Object(object)), Step::Name(name)) => {
                object.insert(name.clone(), Json::String(text)).is_none()
            }
            (Some(Json::Array(items)), Step::Index(index)) => match items.get_mut(*index) {
                Some(item @ Json::Null) => {
                    *item = Json::String(text);
                    true
                }
                _ => false,
            },
            _ => false,
        }
    }
}

fn descend<'a>(resource: &'a mut Json, way: &[Step]) -> Option<&'a mut Json> {
    way.iter()
        .try_fold(resource, |here, step| match (here, step) {
            (Json::Object(object), Step::Name(name)) => object.get_mut(name),
            (Json::Array(items), Step::Index(index)) => items.get_mut(*index),
            _ => None,
        })
}

/// Databases differ in what they do to control characters and to white space at the end, so such text stays in the body.
fn fits_a_column(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= COLUMN_BYTES_MAX
        && !text.chars().any(char::is_control)
        && text.trim() == text
}

impl std::fmt::Display for ElementPath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, step) in self.steps.iter().enumerate() {
            match step {
                Step::Name(name) if position == 0 => formatter.write_str(name)?,
                Step::Name(name) => write!(formatter, ".{name}")?,
                Step::Index(index) => write!(formatter, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for ElementPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        ElementPath::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clinical::json::Limits;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes(), "Patient", &Limits::default()).unwrap()
    }

    #[test]
    fn what_is_taken_out_goes_back_to_the_same_place() {
        let whole = json(
            r#"{"name":[{"family":"Sørensen","given":["Ada","B."]}],"birthDate":"1970-01-01"}"#,
        );
        for path in ["name[0].family", "name[0].given[0]", "birthDate"] {
            let path = ElementPath::parse(path).unwrap();
            let mut resource = whole.clone();
            let text = path.take(&mut resource).unwrap();
            assert_ne!(resource, whole);
            assert!(path.put(&mut resource, text));
            assert_eq!(resource, whole);
        }
    }

    #[test]
    fn what_a_column_can_not_hold_stays_in_the_body() {
        let long = "x".repeat(COLUMN_BYTES_MAX + 1);
        for text in ["", " a", "a\\u0000b", &long] {
            let mut resource = json(&format!(r#"{{"city":"{text}"}}"#));
            let before = resource.clone();
            assert_eq!(
                ElementPath::parse("city").unwrap().take(&mut resource),
                None
            );
            assert_eq!(resource, before);
        }
        let mut absent = json(r#"{"name":[]}"#);
        assert_eq!(
            ElementPath::parse("name[0].family")
                .unwrap()
                .take(&mut absent),
            None
        );
    }

    #[test]
    fn a_column_that_was_filled_behind_the_back_finds_no_place_or_shows() {
        let mut resource = json(r#"{"name":[]}"#);
        assert!(
            !ElementPath::parse("name[0].family")
                .unwrap()
                .put(&mut resource, "X".into())
        );
        let mut resource = json(r#"{"city":"Here"}"#);
        assert!(
            !ElementPath::parse("city")
                .unwrap()
                .put(&mut resource, "There".into())
        );
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", ".", "a[", "a[x]", "a]b", "a..b", "a[0]b", "ä"] {
            assert_eq!(
                ElementPath::parse(text),
                Err(PathError(text.to_owned())),
                "{text}"
            );
        }
        assert_eq!(
            ElementPath::parse("a[0][1].b").unwrap().to_string(),
            "a[0][1].b"
        );
    }
}
