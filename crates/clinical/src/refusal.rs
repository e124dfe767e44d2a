//! Why input was turned down: which element, and what is wrong with it.

use std::fmt;

/// What is wrong with an element. Carries names of elements, types and limits, never values of the
/// input: a refusal may be logged and shown to anyone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes are not JSON (RFC 8259).
    #[error("is not JSON: {reason} at byte {offset}")]
    NotJson {
        /// Position in the input.
        offset: usize,
        /// What was met.
        reason: &'static str,
    },
    /// The input has more bytes than the limit.
    #[error("is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The input nests deeper than the limit.
    #[error("is nested deeper than {limit} levels")]
    TooDeep {
        /// The limit in levels.
        limit: usize,
    },
    /// The input holds more values than the limit.
    #[error("holds more than {limit} values")]
    TooManyValues {
        /// The limit in values.
        limit: usize,
    },
    /// The same property name occurs twice in one object.
    #[error("occurs twice")]
    DuplicateName,
    /// A required element is absent.
    #[error("is missing")]
    Missing,
    /// The element is empty, which FHIR forbids.
    #[error("is empty")]
    Empty,
    /// The element has another JSON type than FHIR R4 gives it.
    #[error("must be {expected}")]
    WrongType {
        /// The expected type in words.
        expected: &'static str,
    },
    /// The value does not have the form of its FHIR type, or is not among the closed list of codes.
    #[error("is not a valid {expected}")]
    InvalidValue {
        /// The FHIR type or the closed list of codes.
        expected: String,
    },
    /// The element does not exist in FHIR R4 (it may in another version).
    #[error("is no element of FHIR R4")]
    UnknownElement,
    /// The resource type does not exist in FHIR R4 (it may in another version).
    #[error("is no resource type of FHIR R4")]
    UnknownResourceType,
    /// Two forms of one choice (`value[x]`) are given.
    #[error("gives a second form of {choice}[x]")]
    SecondChoice {
        /// The choice's name without `[x]`.
        choice: String,
    },
    /// The Bundle is of a type that cannot be taken in.
    #[error("must be transaction, batch, collection, document or searchset")]
    BundleType,
    /// A transaction entry asks for something else than creating or updating a resource.
    #[error("must be POST or PUT")]
    RequestMethod,
    /// Two entries have the same full URL.
    #[error("is the full URL of an earlier entry too")]
    DuplicateFullUrl,
    /// The Bundle holds no Patient.
    #[error("holds no Patient")]
    NoPatient,
    /// The Bundle holds more than one Patient.
    #[error("is a second Patient; one Bundle holds one patient")]
    SecondPatient,
    /// A record holds more than one Encounter.
    #[error("is a second Encounter; one record holds one encounter")]
    SecondEncounter,
    /// The resource belongs to another patient than the Bundle's.
    #[error("refers to another patient than the Bundle's")]
    OtherPatient,
    /// A monetary amount is finer than a cent, or too large.
    #[error("is not a whole number of cents")]
    NotCents,
    /// An amount has another currency than expected.
    #[error("is in another currency than {expected}")]
    OtherCurrency {
        /// The expected ISO 4217 code.
        expected: String,
    },
}

/// Input turned down. Displays as `Bundle.entry[3].resource.subject: is missing`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{expression}: {fault}")]
pub struct Refusal {
    /// FHIRPath-like name of the element.
    pub expression: String,
    /// What is wrong with it.
    pub fault: Fault,
}

impl Refusal {
    /// A refusal of the element at `expression`.
    pub fn new(expression: impl Into<String>, fault: Fault) -> Self {
        Self {
            expression: expression.into(),
            fault,
        }
    }

    /// The FHIR issue type (`http://hl7.org/fhir/issue-type`).
    pub fn issue_code(&self) -> &'static str {
        match self.fault {
            Fault::NotJson { .. } | Fault::DuplicateName => "invalid",
            Fault::TooLarge { .. } | Fault::TooDeep { .. } | Fault::TooManyValues { .. } => {
                "too-long"
            }
            Fault::Missing | Fault::NoPatient => "required",
            Fault::Empty
            | Fault::WrongType { .. }
            | Fault::UnknownElement
            | Fault::SecondChoice { .. } => "structure",
            Fault::InvalidValue { .. } | Fault::NotCents => "value",
            Fault::UnknownResourceType
            | Fault::BundleType
            | Fault::RequestMethod
            | Fault::SecondPatient
            | Fault::SecondEncounter
            | Fault::OtherCurrency { .. } => "not-supported",
            Fault::DuplicateFullUrl => "duplicate",
            Fault::OtherPatient => "invariant",
        }
    }

    /// A FHIR R4 OperationOutcome with one issue that names the element.
    pub fn operation_outcome(&self) -> serde_json::Value {
        serde_json::json!({
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": "error",
                "code": self.issue_code(),
                "diagnostics": self.to_string(),
                "expression": [self.expression],
            }],
        })
    }
}

/// One step of the way to an element.
#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

/// The way from the root to an element, kept on the stack while walking; it becomes text only when
/// something is refused.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
}

impl<'a> Place<'a> {
    /// The root, named by its type (`Bundle`).
    pub fn root(name: &'a str) -> Self {
        Self {
            parent: None,
            step: Step::Name(name),
        }
    }

    /// The element `name` of this one.
    pub fn name(&'a self, name: &'a str) -> Self {
        Self {
            parent: Some(self),
            step: Step::Name(name),
        }
    }

    /// The element at `index` of this array.
    pub fn index(&'a self, index: usize) -> Self {
        Self {
            parent: Some(self),
            step: Step::Index(index),
        }
    }

    /// Refuses this element.
    pub fn refuse(&self, fault: Fault) -> Refusal {
        Refusal::new(self.to_string(), fault)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(formatter, "{parent}")?;
        }
        match (self.step, self.parent) {
            (Step::Index(index), _) => write!(formatter, "[{index}]"),
            (Step::Name(name), None) => formatter.write_str(name),
            // A name from the input is shown only if it looks like an element's name.
            (Step::Name(name), Some(_)) if is_element_name(name) => write!(formatter, ".{name}"),
            (Step::Name(_), Some(_)) => formatter.write_str(".?"),
        }
    }
}

/// Whether a property name looks like a FHIR element's (letters and digits, perhaps a leading `_`).
fn is_element_name(name: &str) -> bool {
    let bare = name.strip_prefix('_').unwrap_or(name);
    !bare.is_empty() && bare.len() <= 64 && bare.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_element_and_becomes_an_operation_outcome() {
        let root = Place::root("Bundle");
        let entry = root.name("entry");
        let third = entry.index(3);
        let resource = third.name("resource");
        let refusal = resource.name("subject").refuse(Fault::Missing);
        assert_eq!(
            refusal.to_string(),
            "Bundle.entry[3].resource.subject: is missing"
        );
        let outcome = refusal.operation_outcome();
        assert_eq!(
            outcome["issue"][0]["expression"][0],
            "Bundle.entry[3].resource.subject"
        );
        assert_eq!(outcome["issue"][0]["code"], "required");
    }

    #[test]
    fn a_property_name_that_is_no_element_name_is_not_repeated() {
        let root = Place::root("Bundle");
        assert_eq!(root.name("Jane Doe, 1 High Street").to_string(), "Bundle.?");
    }
}
