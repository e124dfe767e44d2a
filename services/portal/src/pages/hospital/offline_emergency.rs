//! Records in an emergency while the ledger does not answer: signed and in the hospital's journal before they are shown, told
//! to the ledger as soon as it answers, always reviewed (`docs/decisions/0018-emergencies-without-the-ledger.md`).

use axum::extract::Path;
use interfaces::Problem;
use interfaces::records::{ListOfflineEmergencies, OfflineEmergency, ViewInOfflineEmergency};
use ledger::LedgerId;

use super::emergency::{self, Case, Checked};
use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::forms::Form;
use crate::design::lists::{self, Card, Task};
use crate::design::text::{self, Colour};
use crate::language::Locale;
use crate::pages::form_page::FormPage;
use crate::pages::viewed;
use crate::viewed::PutDown;
use crate::visit::{Page, Submitted, Visit};
use crate::words::{Words, fill};

pub(super) const HERE: &str = "/hospital/emergency/offline";

/// `GET /hospital/emergency/offline`
pub(crate) async fn show(visit: Visit) -> Answer {
    visit.signed_in()?;
    let case = Case::of(&visit);
    Ok(page(&visit, &case, &[]).await)
}

async fn page(visit: &Visit, case: &Case, errors: &[(&str, &str)]) -> axum::response::Response {
    let words = visit.words.emergency;
    let form = Form {
        hidden: visit.hidden(),
        fields: case.fields(visit, errors).await,
        busy: words.writing,
        look: " nhsuk-button--warning",
        cancel: Some((emergency::HERE, visit.words.frame.cancel)),
        ..Form::new(HERE, words.without_open)
    };
    let happens = [
        words.without_step_signed,
        words.without_step_told,
        words.without_step_reviewed,
    ];
    FormPage {
        lead: text::warning_of(
            visit.words.frame.important,
            text::paragraph(words.without_lead).and(text::steps(&happens)),
        ),
        errors,
        below: Some((emergency::HERE, words.title)),
        ..FormPage::new(words.without, "", form)
    }
    .answer(visit)
}

/// `POST /hospital/emergency/offline`
pub(crate) async fn submit(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let words = visit.words.emergency;
    let case = Case::typed(&form);
    let checked = match case.checked(visit, true) {
        Ok(checked) => checked,
        Err(errors) => return Ok(page(visit, &case, &errors).await),
    };
    match form.once(view(visit, checked, &case.reason)).await {
        Err(Refusal(problem)) if problem.kind.ends_with(":ledger-answers") => {
            Ok(usual_way(visit, &case))
        }
        Err(Refusal(problem)) if matches!(problem.status, 400 | 403 | 404) => {
            let errors = [("records", words.records_not)];
            Ok(page(visit, &case, &errors).await)
        }
        other => other,
    }
}

async fn view(visit: &Visit, case: Checked, reason: &str) -> Result<String, Refusal> {
    let question = ViewInOfflineEmergency {
        patient: case.patient,
        records: case.records,
        reason: reason.to_owned(),
    };
    let shown = visit.ask_hospital(case.hospital, &question).await?;
    viewed::keep(visit, "/hospital/records", case.hospital, shown)
}

/// The ledger answers: nothing goes round it.
fn usual_way(visit: &Visit, case: &Case) -> axum::response::Response {
    let words = visit.words.emergency;
    let path = case.at(visit, emergency::HERE);
    let content = text::paragraph(words.answers).and(text::button(&path, words.title));
    let page = Page::new(words.answers_title, content);
    visit.page_with(axum::http::StatusCode::CONFLICT, page)
}

/// What is said above records that were shown without the ledger.
pub(crate) fn notice(visit: &Visit, hospital: LedgerId, put_down: &PutDown) -> Html {
    let words = visit.words.emergency;
    match put_down {
        PutDown::Committed(_) => Html::none(),
        PutDown::Journaled(emergency) => {
            let path = format!("{HERE}/{hospital}/{emergency}");
            text::warning_of(
                words.journaled,
                text::paragraph(words.journaled_text)
                    .and(text::paragraph_of(text::link(&path, words.see_state))),
            )
        }
    }
}

/// `GET /hospital/emergency/offline/{hospital}/{emergency}`: what becomes of a view without the ledger.
pub(crate) async fn state(
    visit: Visit,
    Path((hospital, emergency)): Path<(String, String)>,
) -> Answer {
    let session = &visit.signed_in()?.session.session;
    let unknown = || Problem::not_found("no such view without the ledger");
    let hospital: LedgerId = hospital.parse().map_err(|_| unknown())?;
    let question = ListOfflineEmergencies {
        emergency: Some(emergency.parse().map_err(|_| unknown())?),
        ..ListOfflineEmergencies::default()
    };
    let found = visit.ask_hospital(hospital, &question).await?;
    let found = found.entries.into_iter().next().ok_or_else(unknown)?;
    let words = visit.words.emergency;
    let put_down = PutDown::Journaled(found.emergency);
    let again = match visit.portal.viewed.get(session, &put_down) {
        Some(_) => text::action_link(
            &format!("/hospital/records/viewed/{hospital}/{put_down}"),
            words.again,
        ),
        None => Html::none(),
    };
    let steps = lists::tasks(&steps(&visit.words, visit.locale, &found));
    let numbers: Vec<Html> = found
        .records
        .iter()
        .map(|record| text::paragraph_of(text::number(record)))
        .collect();
    let names = visit.hospital_names().await;
    let hospital_name = names.get(&hospital).map_or("", String::as_str);
    let content = Html::join([
        text::lead(words.state_lead),
        text::live(
            "state",
            "records",
            &visit.path,
            visit.words.frame.live,
            steps,
        ),
        lists::summary(vec![
            (visit.words.staff.which_hospital, Html::text(hospital_name)),
            (words.reason, Html::text(&found.reason)),
            (words.records, Html::join(numbers)),
        ]),
        again,
    ]);
    let page = Page::new(words.state, content);
    Ok(visit.page(page.below(emergency::HERE, words.title)))
}

/// The way of a view: journal, ledger, review.
fn steps<'a>(words: &Words, locale: Locale, view: &OfflineEmergency) -> Vec<Task<'a>> {
    let (frame, reviews) = (words.frame, words.organisations);
    let words = words.emergency;
    let time = locale.time(&view.journaled);
    let signed = fill(words.state_journal_text, &[("time", &time)]);
    let (told, told_hint) = match &view.transaction {
        Some(transaction) => {
            let receipt = format!("/receipts/{transaction}");
            let hint = Html::text(words.state_ledger_told)
                .and(Html::text(" · "))
                .and(text::link(&receipt, frame.see_receipt));
            (text::tag(Colour::Green, words.state_told), hint)
        }
        None => (
            text::tag(Colour::Yellow, words.state_waits),
            Html::text(words.state_ledger_waits),
        ),
    };
    let reviewed = match view.justified {
        None if view.transaction.is_none() => text::tag(Colour::Grey, words.state_later),
        None => text::tag(Colour::Yellow, reviews.review_open),
        Some(true) => text::tag(Colour::Green, reviews.review_justified),
        Some(false) => text::tag(Colour::Red, reviews.review_unjustified),
    };
    vec![
        Task {
            name: words.state_journal,
            hint: Html::text(signed),
            status: text::tag(Colour::Green, words.state_signed),
        },
        Task {
            name: words.state_ledger,
            hint: told_hint,
            status: told,
        },
        Task {
            name: words.state_review,
            hint: Html::text(words.state_review_text),
            status: reviewed,
        },
    ]
}

/// The own views without the ledger at the hospitals one acts for; nothing where there are none.
pub(super) async fn own(visit: &Visit) -> Html {
    let Ok(workplaces) = super::workplaces(visit).await else {
        return Html::none();
    };
    let question = ListOfflineEmergencies {
        page: visit.part(),
        ..ListOfflineEmergencies::default()
    };
    let answers = workplaces
        .iter()
        .map(|(hospital, _)| visit.ask_hospital(*hospital, &question));
    let answers = futures::future::join_all(answers).await;
    let mut views: Vec<(&str, LedgerId, OfflineEmergency)> = Vec::new();
    for ((hospital, name), answer) in workplaces.iter().zip(answers) {
        // A hospital that does not answer leaves its part out: the form above matters more.
        let entries = answer.map(|page| page.entries).unwrap_or_default();
        views.extend(
            entries
                .into_iter()
                .map(|view| (name.as_str(), *hospital, view)),
        );
    }
    if views.is_empty() {
        return Html::none();
    }
    views.sort_by(|one, other| other.2.journaled.cmp(&one.2.journaled));
    let cards: Vec<Card> = views
        .iter()
        .map(|(name, hospital, view)| card(visit, name, *hospital, view))
        .collect();
    text::section(visit.words.emergency.own).and(lists::cards_in_section(&cards))
}

fn card(visit: &Visit, name: &str, hospital: LedgerId, view: &OfflineEmergency) -> Card {
    let words = visit.words.emergency;
    let reviews = visit.words.organisations;
    let (colour, state) = match (&view.transaction, view.justified) {
        (None, _) => (Colour::Yellow, words.not_on_ledger),
        (Some(_), None) => (Colour::Yellow, reviews.review_open),
        (Some(_), Some(true)) => (Colour::Green, reviews.review_justified),
        (Some(_), Some(false)) => (Colour::Red, reviews.review_unjustified),
    };
    Card {
        when: format!("{} · {name}", visit.locale.time(&view.journaled)),
        title: view.reason.clone(),
        path: Some(format!("{HERE}/{hospital}/{}", view.emergency)),
        tags: vec![text::tag(colour, state)],
        ..Card::default()
    }
}

#[cfg(test)]
mod tests {
    use contracts::{EmergencyId, RecordNumber};
    use ledger::Digest;

    use super::*;
    use crate::language::{Currency, Language};

    fn shown(language: Language, transaction: Option<Digest>, justified: Option<bool>) -> String {
        let locale = Locale {
            language,
            offset: chrono::FixedOffset::east_opt(0).unwrap(),
            currency: Currency::CNY,
        };
        let view = OfflineEmergency {
            emergency: EmergencyId([1; 16]),
            doctor: LedgerId([2; 16]),
            records: vec![RecordNumber([3; 16])],
            reason: "unconscious".into(),
            journaled: "2026-11-20T10:00:00Z".into(),
            transaction,
            justified,
        };
        lists::tasks(&steps(&Words::of(language), locale, &view)).to_string()
    }

    #[test]
    fn a_view_without_the_ledger_says_where_it_is_on_its_way_in_both_languages() {
        let transaction = Digest([4; 32]);
        for language in [Language::English, Language::Chinese] {
            let words = Words::of(language);
            let (own, reviews) = (words.emergency, words.organisations);
            let journaled = shown(language, None, None);
            assert!(journaled.contains(own.state_waits) && journaled.contains(own.state_later));
            assert!(!journaled.contains("/receipts/"), "{journaled}");
            let told = shown(language, Some(transaction), None);
            assert!(told.contains(&format!("/receipts/{transaction}")), "{told}");
            assert!(told.contains(own.state_told) && told.contains(reviews.review_open));
            let justified = shown(language, Some(transaction), Some(true));
            assert!(justified.contains(reviews.review_justified), "{justified}");
            let not = shown(language, Some(transaction), Some(false));
            assert!(not.contains(reviews.review_unjustified), "{not}");
        }
    }
}
