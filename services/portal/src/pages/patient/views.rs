//! Who viewed the patient's records, at all hospitals.

use interfaces::records::{ListViewsOfOwnRecords, ViewTrace};
use ledger::LedgerId;

use super::merged::{merged, missing_part, sealed_next};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::lists::Card;
use crate::design::text::{self, Colour};
use crate::pages::kinds;
use crate::pages::listing::Listing;
use crate::visit::{Page, Visit};
use crate::words::fill;

/// `GET /views`
pub(crate) async fn list(visit: Visit) -> Answer {
    let by_others = visit.query("all").is_none();
    let page = merged(
        &visit,
        |page| ListViewsOfOwnRecords {
            acting_for: None,
            by_others,
            page,
        },
        |view: &ViewTrace| (view.time.clone(), view.transaction),
    )
    .await?;
    let words = visit.words.patient;
    let (path, filter) = match by_others {
        true => ("/views", text::link("/views?all=yes", words.filter_all)),
        false => ("/views?all=yes", text::link("/views", words.filter_others)),
    };
    let list = Listing {
        id: "views",
        contracts: "records",
        path,
        empty: (words.no_views, words.no_views_text),
    };
    let cards: Vec<Card> = page.entries.iter().map(|view| card(&visit, view)).collect();
    let content = Html::join([
        text::lead(words.views_lead),
        missing_part(&visit, &page.away).await,
        text::paragraph_of(filter),
        list.html(&visit, &cards, sealed_next(&visit, &page)),
    ]);
    Ok(visit.page(Page::new(words.views, content)))
}

/// As a guardian sees it, to whom names are not sealed.
pub(super) fn card_for_guardian(visit: &Visit, view: &ViewTrace, own: LedgerId) -> Card {
    let words = visit.words;
    let usual = card(visit, view);
    let (title, who) = match view.basis.as_str() {
        _ if view.viewer == own => (words.patient.viewed_by_you, Html::none()),
        "owner" => (words.kinds.role_patient, Html::none()),
        _ => (
            words.patient.viewer_unknown,
            text::paragraph_of(text::number(view.viewer)),
        ),
    };
    let basis = kinds::basis_of_others(&words, &view.basis);
    Card {
        title: title.to_owned(),
        text: usual.text.clone().and(who),
        tags: vec![text::tag(colour(view), &basis)],
        ..usual
    }
}

fn card(visit: &Visit, view: &ViewTrace) -> Card {
    let words = visit.words.patient;
    let who = match (&view.viewer_name, view.basis.as_str()) {
        (_, "owner") => words.viewed_by_you.to_owned(),
        (Some(name), _) => name.clone(),
        (None, _) => words.viewer_unknown.to_owned(),
    };
    let count = match view.records.len() {
        1 => words.record_one.to_owned(),
        count => fill(words.records_count, &[("count", &count.to_string())]),
    };
    let receipt = format!("/receipts/{}", view.transaction);
    Card {
        when: visit.locale.time(&view.time),
        title: who,
        path: None,
        tags: vec![text::tag(
            colour(view),
            &kinds::basis(&visit.words, &view.basis),
        )],
        text: text::paragraph(&format!(
            "{} · {count}",
            kinds::purpose(&visit.words, view.purpose)
        )),
        side: text::link(&receipt, visit.words.frame.receipt),
    }
}

/// What should catch the eye does.
fn colour(view: &ViewTrace) -> Colour {
    match view.basis.as_str() {
        "emergency" | "offline_emergency" => Colour::Red,
        "owner" => Colour::Grey,
        _ => Colour::Blue,
    }
}
