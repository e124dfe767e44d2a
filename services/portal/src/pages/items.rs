//! Items of applications, as applicants, hospitals and patients see them: one list, one card, one set of facts.

use std::collections::BTreeMap;

use contracts::{ApplicationId, ItemId};
use interfaces::authorization::{ItemSummary, ListItems};
use interfaces::{PageRequest, Problem};
use keys::token::Role;
use ledger::LedgerId;

use super::kinds;
use crate::answer::Refusal;
use crate::design::Html;
use crate::design::lists::{self, Card};
use crate::design::text;
use crate::visit::Visit;
use crate::words::fill;

/// The part of a list of items that the address names.
pub(crate) struct Items {
    entries: Vec<ItemSummary>,
    /// Where the next part begins.
    pub(crate) next: Option<String>,
    hospitals: BTreeMap<LedgerId, String>,
}

impl Items {
    /// The items of whoever is signed in, or of a patient for whom they act; those alone that wait for a decision, where
    /// that is asked.
    pub(crate) async fn of(
        visit: &Visit,
        waiting_for_me: bool,
        acting_for: Option<LedgerId>,
    ) -> Result<Items, Refusal> {
        visit.signed_in()?;
        let asked = ListItems {
            waiting_for_me,
            application: None,
            acting_for,
            page: visit.part(),
        };
        let page = visit.ask(&asked).await?;
        Ok(Items {
            entries: page.entries,
            next: page.next,
            hospitals: visit.hospital_names().await,
        })
    }

    /// A card of each item, from its deadline, hospital, state and price; `card` says what is different on it, and leaves
    /// it out with none.
    pub(crate) fn cards(
        &self,
        visit: &Visit,
        card: impl Fn(Card, &ItemSummary) -> Option<Card>,
    ) -> Vec<Card> {
        let words = &visit.words;
        let cards = self.entries.iter().filter_map(|item| {
            let hospital = self.hospitals.get(&item.hospital);
            let time = visit.locale.time(&item.deadline);
            let usual = Card {
                when: format!("{}: {time}", words.authorization.deadline),
                title: hospital.cloned().unwrap_or_default(),
                path: None,
                tags: vec![kinds::item_state(words, &item.state, item.grant_withdrawn)],
                text: text::paragraph(kinds::purpose(words, item.purpose)),
                side: text::span("medshare-amount", &visit.locale.money(item.price)),
            };
            card(usual, item)
        });
        cards.collect()
    }
}

/// What an item is called for those who decide it: who asks.
pub(crate) fn title_of(visit: &Visit, item: &ItemSummary) -> String {
    let who = applicant(visit, item);
    fill(visit.words.authorization.request_title, &[("who", &who)])
}

/// The path of an item's page below a list.
pub(crate) fn path_of(list: &str, item: &ItemId) -> String {
    format!("{list}/{}/{}", item.application, item.index)
}

/// The applicant's name.
pub(crate) fn applicant(visit: &Visit, item: &ItemSummary) -> String {
    item.applicant_name
        .clone()
        .unwrap_or_else(|| visit.words.authorization.somebody.to_owned())
}

/// The item in a path, for whom it concerns, or who acts for them.
pub(crate) async fn item_of(
    visit: &Visit,
    application: &str,
    index: &str,
    acting_for: Option<LedgerId>,
) -> Result<ItemSummary, Refusal> {
    let unknown = || Problem::not_found("no such request");
    visit.signed_in()?;
    let application: ApplicationId = application.parse().map_err(|_| unknown())?;
    let index: u16 = index.parse().map_err(|_| unknown())?;
    let asked = ListItems {
        waiting_for_me: false,
        application: Some(application),
        acting_for,
        page: PageRequest {
            after: None,
            limit: Some(500),
        },
    };
    let page = visit.ask(&asked).await?;
    page.entries
        .into_iter()
        .find(|item| item.item.index == index)
        .ok_or_else(|| unknown().into())
}

/// The whole of an item, in words and as facts.
pub(crate) async fn facts(visit: &Visit, item: &ItemSummary) -> Html {
    let words = visit.words.authorization;
    let names = visit.hospital_names().await;
    let hospital = names.get(&item.hospital).map_or("", String::as_str);
    let (what, price) = match visit.is(Role::Patient) {
        true => (words.what_text, words.price),
        false => (words.what_text_others, words.price_others),
    };
    lists::summary(vec![
        (words.who, Html::text(applicant(visit, item))),
        (
            words.why,
            Html::text(kinds::purpose(&visit.words, item.purpose)),
        ),
        (words.statement, Html::text(&item.statement)),
        (
            words.what,
            Html::text(fill(what, &[("hospital", hospital)])),
        ),
        (words.until, Html::text(visit.locale.day(&item.until))),
        (
            price,
            text::span("medshare-amount", &visit.locale.money(item.price)),
        ),
        (
            words.deadline,
            Html::text(visit.locale.time(&item.deadline)),
        ),
        (
            words.status,
            kinds::item_state(&visit.words, &item.state, item.grant_withdrawn),
        ),
        (
            visit.words.delegation.decided_by,
            match item.decided_by {
                Some(guardian) => Html::text(visit.words.delegation.decided_by_guardian)
                    .and(Html::text(" "))
                    .and(text::number(guardian)),
                None => Html::none(),
            },
        ),
    ])
}
