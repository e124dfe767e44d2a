//! A list that is paged in its service's database: living, with what it says while nothing is in it.

use interfaces::PageRequest;

use crate::design::Html;
use crate::design::lists::{self, Card};
use crate::design::text;
use crate::visit::Visit;

/// Entries a page.
pub(crate) const PAGE: u32 = 25;

/// A list of cards, right below the page's title.
pub(crate) struct Listing<'a> {
    /// The region's id.
    pub(crate) id: &'a str,
    /// The contracts that concern it.
    pub(crate) contracts: &'a str,
    /// Its path, with what is filtered and without the part.
    pub(crate) path: &'a str,
    /// What it says while nothing is in it: title, text.
    pub(crate) empty: (&'a str, &'a str),
}

impl Listing<'_> {
    /// The list, with links to its next part and back to the newest.
    pub(crate) fn html(&self, visit: &Visit, cards: &[Card], next: Option<String>) -> Html {
        let list = if cards.is_empty() {
            text::empty(self.empty.0, self.empty.1)
        } else {
            lists::cards(cards)
        };
        self.living(visit, list).and(self.paging(visit, next))
    }

    /// Content that follows the ledger.
    pub(crate) fn living(&self, visit: &Visit, content: Html) -> Html {
        let mark = visit.words.frame.live;
        text::live(self.id, self.contracts, &visit.path, mark, content)
    }

    /// Links to the next part and back to the newest.
    pub(crate) fn paging(&self, visit: &Visit, next: Option<String>) -> Html {
        let joint = if self.path.contains('?') { '&' } else { '?' };
        let next = next.map(|next| {
            let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
            format!("{}{joint}after={next}", self.path)
        });
        let words = visit.words.frame;
        lists::paging(
            visit.query("after").map(|_| (self.path, words.first)),
            next.as_deref().map(|path| (path, words.more)),
        )
    }
}

impl Visit {
    /// The part of a list that the address names.
    pub(crate) fn part(&self) -> PageRequest {
        PageRequest {
            after: self.query("after"),
            limit: Some(PAGE),
        }
    }
}
