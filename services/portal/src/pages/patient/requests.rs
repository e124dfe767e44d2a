//! Authorization requests that wait for the patient: who, what, why, how long, how much; and the decision.

use contracts::ItemId;
use interfaces::authorization::{DecideItemAsPatient, ItemSummary};

use super::acting::{self, Acting};
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
    list_for(&visit, None).await
}

/// Where the list is.
fn list_path(acting: Option<&Acting>) -> String {
    acting.map_or_else(|| "/requests".to_owned(), |acting| acting.path("requests"))
}

/// The requests that wait for the patient, or for one for whom the patient acts.
pub(super) async fn list_for(visit: &Visit, acting: Option<&Acting>) -> Answer {
    let items = Items::of(visit, true, acting.map(Acting::patient)).await?;
    let words = visit.words.authorization;
    let path = list_path(acting);
    let cards = items.cards(visit, |usual, item| {
        let purpose = kinds::purpose(&visit.words, item.purpose);
        Some(Card {
            title: title_of(visit, item),
            path: Some(path_of(&path, &item.item)),
            tags: Vec::new(),
            text: text::paragraph(&format!("{purpose} · {}", usual.title)),
            ..usual
        })
    });
    let list = Listing {
        id: "requests",
        // What a guardian sees ends with the delegation, of which the contract of records decides.
        contracts: match acting {
            None => "authorization",
            Some(_) => "authorization records",
        },
        path: &path,
        empty: (words.no_requests, words.no_requests_text),
    };
    let list = list.html(visit, &cards, items.next);
    let done = just_done(visit, words.decided);
    Ok(visit.page(match acting {
        None => Page::new(
            words.requests,
            Html::join([done, text::lead(words.requests_lead), list]),
        ),
        Some(acting) => {
            let title = acting.titled(visit, visit.words.delegation.requests);
            acting.page(visit, &title, done.and(list))
        }
    }))
}

/// `GET /requests/{application}/{index}`
pub(crate) async fn show(
    visit: Visit,
    axum::extract::Path((application, index)): axum::extract::Path<(String, String)>,
) -> Answer {
    show_for(&visit, &application, &index, None).await
}

/// One request, for the patient or whoever acts for them.
pub(super) async fn show_for(
    visit: &Visit,
    application: &str,
    index: &str,
    acting: Option<&Acting>,
) -> Answer {
    let item = item_of(visit, application, index, acting.map(Acting::patient)).await?;
    let words = visit.words.authorization;
    let names = visit.hospital_names().await;
    let who = applicant(visit, &item);
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
        decisions(visit, &item, acting)
    } else {
        Html::none()
    };
    let facts = facts(visit, &item).await;
    let title = title_of(visit, &item);
    let page = match acting {
        None => Page::new(&title, Html::join([text::lead(&summary), facts, decisions])),
        Some(acting) => acting.page(visit, &title, facts.and(decisions)),
    };
    let list = list_path(acting);
    Ok(visit.page(page.below(&list, visit.words.patient.tab_requests)))
}

fn decisions(visit: &Visit, item: &ItemSummary, acting: Option<&Acting>) -> Html {
    let words = visit.words.authorization;
    let refuse = format!("{}/refuse", path_of(&list_path(acting), &item.item));
    Form {
        hidden: hidden(visit, &item.item, acting),
        busy: words.approving,
        cancel: Some((&refuse, words.refuse)),
        ..Form::new("/requests/decide", words.approve)
    }
    .html()
}

fn hidden<'a>(visit: &Visit, item: &ItemId, acting: Option<&Acting>) -> Vec<(&'a str, String)> {
    let mut hidden = visit.hidden();
    if let Some(acting) = acting {
        hidden.push(("hospital", acting.hospital.to_string()));
        hidden.push(("patient", acting.patient().to_string()));
    }
    hidden.push(("application", item.application.to_string()));
    hidden.push(("index", item.index.to_string()));
    hidden
}

/// `GET /requests/{application}/{index}/refuse`
pub(crate) async fn refuse(
    visit: Visit,
    axum::extract::Path((application, index)): axum::extract::Path<(String, String)>,
) -> Answer {
    refuse_for(&visit, &application, &index, None).await
}

/// Asks why, before the patient or whoever acts for them refuses.
pub(super) async fn refuse_for(
    visit: &Visit,
    application: &str,
    index: &str,
    acting: Option<&Acting>,
) -> Answer {
    let item = item_of(visit, application, index, acting.map(Acting::patient)).await?;
    let words = visit.words.authorization;
    let back = path_of(&list_path(acting), &item.item);
    let mut hidden = hidden(visit, &item.item, acting);
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
    let page = match acting {
        None => Page::new(words.refuse_title, content),
        Some(acting) => acting.page(visit, words.refuse_title, content),
    };
    Ok(visit.page(page.below(&back, words.request)))
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
    let list = match form.get("patient") {
        "" => "/requests".to_owned(),
        _ => acting::path_of(form.id("hospital")?, form.id("patient")?, "requests"),
    };
    form.once(async {
        let reply = visit.ask(&DecideItemAsPatient { item, refuse }).await?;
        let what = visit.words.authorization.request;
        sign::committed_or_sign(visit, reply, what, &list, &list)
    })
    .await
}
