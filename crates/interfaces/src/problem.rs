//! Errors as their callers see them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A refusal, rejection or failure (RFC 9457 problem details).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What went wrong, as a stable name, for example `unknown-member`; the URI is `urn:medshare:problem:<name>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short title for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What to do about it, with ids only, never personal data.
    pub detail: String,
    /// The offending field, as a JSON pointer or FHIRPath, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The contract and code of a rejection that was committed to the ledger, for example `records:7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<String>,
    /// The transaction that was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
}

impl Problem {
    /// A problem with a name, a status and an explanation.
    pub fn new(status: u16, kind: &str, title: &str, detail: impl Into<String>) -> Problem {
        Problem {
            kind: format!("urn:medshare:problem:{kind}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            field: None,
            rejection: None,
            transaction: None,
        }
    }

    /// Bad input (400); `field` names the offending part.
    pub fn bad_input(field: &str, detail: impl Into<String>) -> Problem {
        Problem {
            field: Some(field.to_owned()),
            ..Problem::new(400, "bad-input", "The request can't be understood", detail)
        }
    }

    /// Nobody is signed in, or the session has ended (401).
    pub fn unauthenticated(detail: impl Into<String>) -> Problem {
        Problem::new(401, "unauthenticated", "Sign in first", detail)
    }

    /// The one who is signed in may not (403). The same answer whether the thing exists or not.
    pub fn forbidden(detail: impl Into<String>) -> Problem {
        Problem::new(403, "forbidden", "Not permitted", detail)
    }

    /// There is no such thing, for this caller (404).
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(404, "not-found", "Not found", detail)
    }

    /// The thing is in another state (409).
    pub fn conflict(detail: impl Into<String>) -> Problem {
        Problem::new(409, "conflict", "Not in this state", detail)
    }

    /// What the hospital keeps of the record no longer matches the ledger, so it is not given away (409).
    pub fn altered_record() -> Problem {
        Problem::new(
            409,
            "altered-record",
            "The record was altered",
            "what the hospital keeps of the record does not match the ledger, so it can't be released",
        )
    }

    /// The contract said no; the rejection is on the ledger (409).
    pub fn rejected(
        transaction: impl Into<String>,
        rejection: impl Into<String>,
        detail: impl Into<String>,
    ) -> Problem {
        Problem {
            rejection: Some(rejection.into()),
            transaction: Some(transaction.into()),
            ..Problem::new(409, "rejected", "Rejected by the contract", detail)
        }
    }

    /// Too much to do right now (503): try again.
    pub fn busy(detail: impl Into<String>) -> Problem {
        Problem::new(503, "busy", "Busy, try again", detail)
    }

    /// Something broke (500): it may be tried again; details are in the service's log under the trace id.
    pub fn failure(detail: impl Into<String>) -> Problem {
        Problem::new(500, "failure", "Something broke", detail)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} ({}): {}",
            self.title, self.status, self.detail
        )?;
        if let Some(field) = &self.field {
            write!(formatter, " at {field}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
