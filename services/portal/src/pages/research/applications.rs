//! Every record that was applied for, and where it is on its way.

use contracts::{ApplicationId, ItemId};
use interfaces::authorization::{ItemSummary, WithdrawItem};

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::Form;
use crate::design::lists::Card;
use crate::design::text;
use crate::pages::items::Items;
use crate::pages::listing::Listing;
use crate::pages::receipts::just_done;
use crate::pages::sign;
use crate::visit::{Page, Submitted, Visit};

/// `GET /research/applications`
pub(super) async fn list(visit: Visit) -> Answer {
    let items = Items::of(&visit, false, None).await?;
    let words = visit.words.organisations;
    let cards = items.cards(&visit, |usual, item| {
        Some(Card {
            text: text::paragraph(&item.statement),
            side: usual.side.and(take_back(&visit, item)),
            ..usual
        })
    });
    let list = Listing {
        id: "applications",
        contracts: "authorization",
        path: "/research/applications",
        empty: (words.no_applications, words.no_applications_text),
    };
    let content = Html::join([
        just_done(&visit, words.applied),
        text::lead(words.applications_lead),
        list.html(&visit, &cards, items.next),
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
