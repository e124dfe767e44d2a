//! Lists in pages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PageRequest {
    /// Where the page before ended ([`Page::next`]); empty for the first.
    #[serde(default)]
    pub after: Option<String>,
    /// At most how many, 1 to 500; 50 unless told.
    #[serde(default)]
    pub limit: Option<u32>,
}

impl PageRequest {
    /// The limit, within its bounds.
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(50).clamp(1, 500)
    }
}

/// Part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Give it back as [`PageRequest::after`] for more; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
