//! Authorization requests that wait for the patient: who, what, why, how long, how much; and the decision.

use contracts::{ApplicationId, ItemId};
use interfaces::authorization::{DecideItemAsPatient, ItemSummary, ListItems};
use interfaces::{PageRequest, Problem};

use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::lists::{self, Card};
use crate::design::text;
use crate::pages::listing::Listing;
use crate::pages::receipts::just_done;
use crate::pages::{kinds, sign};
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

/// `GET /requests`
pub(crate) async fn list(visit: Visit) -> Answer {
    visit.signed_in()?;
    let asked = ListItems {
        waiting_for_me: true,
        application: None,
        page: visit.part(),
    };
    let page = visit.ask(&asked).await?;
    let words = visit.words.authorization;
    let names = visit.hospital_names().await;
    let cards: Vec<Card> = page
        .entries
        .iter()
        .map(|item| Card {
            when: fill(
                "{label}: {time}",
                &[
                    ("label", words.deadline),
                    ("time", &visit.locale.time(&item.deadline)),
                ],
            ),
            title: fill(words.request_title, &[("who", &applicant(&visit, item))]),
            path: Some(path_of("/requests", &item.item)),
            text: text::paragraph(&format!(
                "{} · {}",
                kinds::purpose(&visit.words, item.purpose),
                names.get(&item.hospital).map_or("", String::as_str)
            )),
            side: text::span("medshare-amount", &visit.locale.money(item.price)),
            ..Card::default()
        })
        .collect();
    let list = Listing {
        id: "requests",
        contracts: "authorization",
        path: "/requests",
        empty: (words.no_requests, words.no_requests_text),
    };
    let content = Html::join([
        just_done(&visit, words.decided),
        text::lead(words.requests_lead),
        list.html(&visit, &cards, page.next),
    ]);
    Ok(visit.page(Page::new(words.requests, content)))
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

/// The item in a path, for whom it concerns.
pub(crate) async fn item_of(
    visit: &Visit,
    application: &str,
    index: &str,
) -> Result<ItemSummary, Refusal> {
    let unknown = || Problem::not_found("no such request");
    visit.signed_in()?;
    let application: ApplicationId = application.parse().map_err(|_| unknown())?;
    let index: u16 = index.parse().map_err(|_| unknown())?;
    let asked = ListItems {
        waiting_for_me: false,
        application: Some(application),
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
    lists::summary(vec![
        (words.who, Html::text(applicant(visit, item))),
        (
            words.why,
            Html::text(kinds::purpose(&visit.words, item.purpose)),
        ),
        (words.statement, Html::text(&item.statement)),
        (
            words.what,
            Html::text(fill(words.what_text, &[("hospital", hospital)])),
        ),
        (words.until, Html::text(visit.locale.day(&item.until))),
        (
            words.price,
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
    ])
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
    let title = fill(words.request_title, &[("who", &who)]);
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
