//! Every record that was applied for, and where it is on its way.

use contracts::{ApplicationId, ItemId};
use interfaces::authorization::{ItemSummary, ListItems, WithdrawItem};

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::Form;
use crate::design::lists::Card;
use crate::design::text;
use crate::pages::listing::Listing;
use crate::pages::receipts::just_done;
use crate::pages::{kinds, sign};
use crate::visit::{Page, Submitted, Visit};

/// `GET /research/applications`
pub(super) async fn list(visit: Visit) -> Answer {
    visit.signed_in()?;
    let asked = ListItems {
        waiting_for_me: false,
        application: None,
        page: visit.part(),
    };
    let page = visit.ask(&asked).await?;
    let words = visit.words.organisations;
    let names = visit.hospital_names().await;
    let cards: Vec<Card> = page
        .entries
        .iter()
        .map(|item| Card {
            when: format!(
                "{}: {}",
                visit.words.authorization.deadline,
                visit.locale.time(&item.deadline)
            ),
            title: names.get(&item.hospital).cloned().unwrap_or_default(),
            path: None,
            tags: vec![kinds::item_state(
                &visit.words,
                &item.state,
                item.grant_withdrawn,
            )],
            text: text::paragraph(&item.statement),
            side: text::span("medshare-amount", &visit.locale.money(item.price))
                .and(take_back(&visit, item)),
        })
        .collect();
    let list = Listing {
        id: "applications",
        contracts: "authorization",
        path: "/research/applications",
        empty: (words.no_applications, words.no_applications_text),
    };
    let content = Html::join([
        just_done(&visit, words.applied),
        text::lead(words.applications_lead),
        list.html(&visit, &cards, page.next),
    ]);
    Ok(visit.page(Page::new(words.applications, content)))
}

fn take_back(visit: &Visit, item: &ItemSummary) -> Html {
    if !matches!(item.state.as_str(), "hospital_pending" | "patient_pending") {
        return Html::none();
    }
    let mut hidden = visit.hidden();
    hidden.push(("application", item.item.application.to_string()));
    hidden.push(("index", item.item.index.to_string()));
    Form {
        hidden,
        look: " nhsuk-button--secondary nhsuk-button--small",
        ..Form::new(
            "/research/applications/withdraw",
            visit.words.organisations.take_back,
        )
    }
    .html()
}

/// `POST /research/applications/withdraw`
pub(super) async fn withdraw(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let application: ApplicationId = form.id("application")?;
    let item = ItemId {
        application,
        index: form.id("index")?,
    };
    form.once(async {
        let reply = visit.ask(&WithdrawItem { item }).await?;
        let list = "/research/applications";
        sign::committed_or_sign(
            visit,
            reply,
            visit.words.organisations.take_back_what,
            list,
            list,
        )
    })
    .await
}
