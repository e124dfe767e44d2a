//! Who viewed the patient's records, at all hospitals.

use interfaces::records::{ListViewsOfOwnRecords, ViewTrace};

use super::{from_all_hospitals, missing_part};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::lists::{self, Card};
use crate::design::text::{self, Colour};
use crate::pages::kinds;
use crate::visit::{Page, Visit};
use crate::words::fill;

const PAGE: usize = 25;

/// `GET /views`
pub(crate) async fn list(visit: Visit) -> Answer {
    let (mut views, away) =
        from_all_hospitals(&visit, |page| ListViewsOfOwnRecords { page }).await?;
    views.sort_by(|one, other| (&other.time, other.transaction).cmp(&(&one.time, one.transaction)));
    let words = visit.words.patient;
    let others_only = visit.query("all").is_none();
    if others_only {
        views.retain(|view| view.basis != "owner");
    }
    let filter = if others_only {
        text::link("/views?all=yes", words.filter_all)
    } else {
        text::link("/views", words.filter_others)
    };
    let content = Html::join([
        text::lead(words.views_lead),
        missing_part(&visit, &away).await,
        text::paragraph_of(filter),
        text::live(
            "views",
            "records",
            &visit.path,
            visit.words.frame.live,
            shown(&visit, &views, others_only),
        ),
    ]);
    Ok(visit.page(Page::new(words.views, content)))
}

fn shown(visit: &Visit, views: &[ViewTrace], others_only: bool) -> Html {
    let words = visit.words.patient;
    if views.is_empty() {
        return text::empty(words.no_views, words.no_views_text);
    }
    let from: usize = visit
        .query("from")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
        .min(views.len());
    let until = (from + PAGE).min(views.len());
    let cards: Vec<Card> = views[from..until]
        .iter()
        .map(|view| card(visit, view))
        .collect();
    let all = if others_only { "" } else { "all=yes&" };
    let next = (until < views.len()).then(|| format!("/views?{all}from={until}"));
    let first = format!("/views?{all}");
    lists::cards(&cards).and(lists::paging(
        (from > 0).then_some((first.as_str(), visit.words.frame.first)),
        next.as_deref().map(|path| (path, visit.words.frame.more)),
    ))
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
    let colour = match view.basis.as_str() {
        "emergency" => Colour::Red,
        "owner" => Colour::Grey,
        _ => Colour::Blue,
    };
    let receipt = format!("/receipts/{}", view.transaction);
    Card {
        when: visit.locale.time(&view.time),
        title: who,
        path: None,
        tags: vec![text::tag(colour, &kinds::basis(&visit.words, &view.basis))],
        text: text::paragraph(&format!(
            "{} · {count}",
            kinds::purpose(&visit.words, view.purpose)
        )),
        side: text::link(&receipt, visit.words.frame.receipt),
    }
}
