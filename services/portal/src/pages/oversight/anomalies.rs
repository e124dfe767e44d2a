//! What stands out in the use of a hospital's records.

use interfaces::records::{Anomaly, ListAnomalies};
use ledger::LedgerId;

use super::{chosen_hospital, hospital_form};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::lists::{self, Card};
use crate::design::text::{self, Colour};
use crate::visit::{Page, Visit};
use crate::words::fill;

/// `GET /anomalies`
pub(super) async fn list(visit: Visit) -> Answer {
    visit.signed_in()?;
    let (hospital, hospitals) = chosen_hospital(&visit).await?;
    let found = visit.ask_hospital(hospital, &ListAnomalies {}).await?;
    let words = visit.words.organisations;
    let cards: Vec<Card> = found
        .iter()
        .map(|anomaly| card(&visit, hospital, anomaly))
        .collect();
    let list = if cards.is_empty() {
        text::empty(words.no_anomalies, words.no_anomalies_text)
    } else {
        lists::cards(&cards)
    };
    let content = Html::join([
        text::lead(words.anomalies_lead),
        hospital_form(&visit, "/anomalies", hospital, hospitals, Vec::new()),
        text::live(
            "anomalies",
            "records",
            &visit.path,
            visit.words.frame.live,
            list,
        ),
    ]);
    Ok(visit.page(Page::new(words.anomalies, content)))
}

fn card(visit: &Visit, hospital: LedgerId, anomaly: &Anomaly) -> Card {
    let words = visit.words.organisations;
    let (colour, what) = match anomaly.rule.as_str() {
        "many_patients" => (Colour::Orange, words.anomaly_many_patients),
        "many_emergencies" => (Colour::Red, words.anomaly_many_emergencies),
        _ => (Colour::Yellow, words.anomaly_wrong_codes),
    };
    let count = visit.locale.number(anomaly.count);
    let member = anomaly.member.map_or_else(Html::none, |member| {
        let path = format!("/use?hospital={hospital}&viewer={member}");
        text::paragraph_of(text::number(member))
            .and(text::paragraph_of(text::link(&path, words.views_of_member)))
    });
    let record = anomaly.record.map_or_else(Html::none, |record| {
        let path = format!("/explorer/records/{record}");
        text::paragraph_of(text::link(&path, &record.to_string()))
    });
    Card {
        when: anomaly
            .time
            .as_deref()
            .map_or_else(String::new, |time| visit.locale.time(time)),
        title: fill(what, &[("count", &count)]),
        tags: vec![text::tag(colour, words.to_look_at)],
        text: member.and(record),
        ..Card::default()
    }
}
