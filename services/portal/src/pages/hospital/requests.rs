//! Applications that wait for the hospital, and its decision.

use axum::extract::Path;
use contracts::ItemId;
use interfaces::records::DecideItemAsHospital;
use ledger::LedgerId;

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::lists::{self, Card};
use crate::design::text;
use crate::pages::items::{Items, facts, item_of, path_of, title_of};
use crate::pages::kinds;
use crate::pages::listing::Listing;
use crate::pages::receipts::just_done;
use crate::visit::{Page, Submitted, Visit, done};

const LIST: &str = "/hospital/requests";
const ALL: &str = "/hospital/requests?all=yes";

/// `GET /hospital/requests`
pub(crate) async fn list(visit: Visit) -> Answer {
    let all = visit.query("all").is_some();
    let items = Items::of(&visit, !all, None).await?;
    let words = visit.words.staff;
    let cards = items.cards(&visit, |usual, item| {
        Some(Card {
            title: title_of(&visit, item),
            path: Some(path_of(LIST, &item.item)),
            ..usual
        })
    });
    let (path, filter) = match all {
        true => (ALL, text::link(LIST, words.waiting_requests)),
        false => (LIST, text::link(ALL, words.all_requests)),
    };
    let list = Listing {
        id: "requests",
        contracts: "authorization",
        path,
        empty: (words.no_requests, words.no_requests_text),
    };
    let content = Html::join([
        just_done(&visit, words.decided),
        text::lead(words.requests_lead),
        text::paragraph_of(filter),
        list.html(&visit, &cards, items.next),
    ]);
    Ok(visit.page(Page::new(words.requests, content)))
}

fn hidden<'a>(visit: &Visit, item: &ItemId, hospital: LedgerId) -> Vec<(&'a str, String)> {
    let mut hidden = visit.hidden();
    hidden.push(("application", item.application.to_string()));
    hidden.push(("index", item.index.to_string()));
    hidden.push(("hospital", hospital.to_string()));
    hidden
}

/// `GET /hospital/requests/{application}/{index}`
pub(crate) async fn show(
    visit: Visit,
    Path((application, index)): Path<(String, String)>,
) -> Answer {
    let item = item_of(&visit, &application, &index, None).await?;
    let words = visit.words.staff;
    let refuse = format!("{}/refuse", path_of(LIST, &item.item));
    let form = if item.state == "hospital_pending" {
        Form {
            hidden: hidden(&visit, &item.item, item.hospital),
            busy: words.approving,
            cancel: Some((&refuse, words.refuse)),
            ..Form::new("/hospital/requests/decide", words.approve)
        }
        .html()
    } else {
        Html::none()
    };
    let content = Html::join([
        facts(&visit, &item).await,
        lists::summary(vec![(
            visit.words.patient.record_number,
            text::number(item.record),
        )]),
        form,
    ]);
    let title = title_of(&visit, &item);
    Ok(visit.page(Page::new(&title, content).below(LIST, words.tab_requests)))
}

/// `GET /hospital/requests/{application}/{index}/refuse`
pub(crate) async fn refuse(
    visit: Visit,
    Path((application, index)): Path<(String, String)>,
) -> Answer {
    let item = item_of(&visit, &application, &index, None).await?;
    let words = visit.words.staff;
    let back = path_of(LIST, &item.item);
    let mut hidden = hidden(&visit, &item.item, item.hospital);
    hidden.push(("decision", "refuse".to_owned()));
    let form = Form {
        hidden,
        fields: vec![
            Field::new(
                "reason",
                visit.words.authorization.why,
                Control::Radios(kinds::refusal_reasons(&visit.words)),
            )
            .value("Unstated"),
        ],
        busy: words.approving,
        look: " nhsuk-button--warning",
        cancel: Some((&back, visit.words.frame.cancel)),
        ..Form::new("/hospital/requests/decide", words.refuse)
    };
    let content = text::paragraph(words.refuse_lead).and(form.html());
    Ok(visit.page(
        Page::new(words.refuse_title, content).below(&back, visit.words.authorization.request),
    ))
}

/// `POST /hospital/requests/decide`
pub(crate) async fn decide(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let hospital: LedgerId = form.id("hospital")?;
    let item = ItemId {
        application: form.id("application")?,
        index: form.id("index")?,
    };
    let refuse =
        (form.get("decision") == "refuse").then(|| kinds::refusal_reason(form.get("reason")));
    form.once(async {
        let committed = visit
            .ask_hospital(hospital, &DecideItemAsHospital { item, refuse })
            .await?;
        Ok(done(LIST, committed.transaction))
    })
    .await
}
