//! Authorization requests that wait for the patient: who, what, why, how long, how much; and the decision.

use contracts::ItemId;
use interfaces::authorization::{DecideItemAsPatient, ItemSummary};

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::lists::Card;
use crate::design::text;
use crate::pages::items::{Items, applicant, facts, item_of, path_of, title_of};
use crate::pages::listing::Listing;
use crate::pages::receipts::just_done;
use crate::pages::{kinds, sign};
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

/// `GET /requests`
pub(crate) async fn list(visit: Visit) -> Answer {
    let items = Items::of(&visit, true).await?;
    let words = visit.words.authorization;
    let cards = items.cards(&visit, |usual, item| {
        let purpose = kinds::purpose(&visit.words, item.purpose);
        Some(Card {
            title: title_of(&visit, item),
            path: Some(path_of("/requests", &item.item)),
            tags: Vec::new(),
            text: text::paragraph(&format!("{purpose} · {}", usual.title)),
            ..usual
        })
    });
    let list = Listing {
        id: "requests",
        contracts: "authorization",
        path: "/requests",
        empty: (words.no_requests, words.no_requests_text),
    };
    let content = Html::join([
        just_done(&visit, words.decided),
        text::lead(words.requests_lead),
        list.html(&visit, &cards, items.next),
    ]);
    Ok(visit.page(Page::new(words.requests, content)))
}

/// `GET /requests/{application}/{index}`
pub(crate) async fn show(
    visit: Visit,
    axum::extract::Path((application, index)): axum::extract::Path<(String, String)>,
) -> Answer {
    let item = item_of(&visit, &application, &index).await?;
    let words = visit.words.authorization;
    let names = visit.hospital_names().await;
    let who = applicant(&visit, &item);
    let summary = fill(
        words.summary,
        &[
            ("who", &who),
            (
                "hospital",
                names.get(&item.hospital).map_or("", String::as_str),
            ),
            ("purpose", kinds::purpose(&visit.words, item.purpose)),
            ("until", &visit.locale.day(&item.until)),
            ("price", &visit.locale.money(item.price)),
        ],
    );
    let decisions = if item.state == "patient_pending" {
        decisions(&visit, &item)
    } else {
        Html::none()
    };
    let content = Html::join([text::lead(&summary), facts(&visit, &item).await, decisions]);
    let title = title_of(&visit, &item);
    Ok(visit.page(Page::new(&title, content).below("/requests", visit.words.patient.tab_requests)))
}

fn decisions(visit: &Visit, item: &ItemSummary) -> Html {
    let words = visit.words.authorization;
    let refuse = format!("{}/refuse", path_of("/requests", &item.item));
    Form {
        hidden: hidden(visit, &item.item),
        busy: words.approving,
        cancel: Some((&refuse, words.refuse)),
        ..Form::new("/requests/decide", words.approve)
    }
    .html()
}

fn hidden<'a>(visit: &Visit, item: &ItemId) -> Vec<(&'a str, String)> {
    let mut hidden = visit.hidden();
    hidden.push(("application", item.application.to_string()));
    hidden.push(("index", item.index.to_string()));
    hidden
}

/// `GET /requests/{application}/{index}/refuse`
pub(crate) async fn refuse(
    visit: Visit,
    axum::extract::Path((application, index)): axum::extract::Path<(String, String)>,
) -> Answer {
    let item = item_of(&visit, &application, &index).await?;
    let words = visit.words.authorization;
    let back = path_of("/requests", &item.item);
    let mut hidden = hidden(&visit, &item.item);
    hidden.push(("decision", "refuse".to_owned()));
    let form = Form {
        hidden,
        fields: vec![
            Field::new(
                "reason",
                words.why,
                Control::Radios(kinds::refusal_reasons(&visit.words)),
            )
            .value("Unstated"),
        ],
        busy: words.approving,
        look: " nhsuk-button--warning",
        cancel: Some((&back, visit.words.frame.cancel)),
        ..Form::new("/requests/decide", words.refuse)
    };
    let content = text::paragraph(words.refuse_lead).and(form.html());
    Ok(visit.page(Page::new(words.refuse_title, content).below(&back, words.request)))
}

/// `POST /requests/decide`
pub(crate) async fn decide(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let item = ItemId {
        application: form.id("application")?,
        index: form.id("index")?,
    };
    let refuse =
        (form.get("decision") == "refuse").then(|| kinds::refusal_reason(form.get("reason")));
    form.once(async {
        let reply = visit.ask(&DecideItemAsPatient { item, refuse }).await?;
        sign::committed_or_sign(
            visit,
            reply,
            visit.words.authorization.request,
            "/requests",
            "/requests",
        )
    })
    .await
}
