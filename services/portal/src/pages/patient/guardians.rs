//! Guardians: those whom the patient named, naming one, ending it; and those for whom the patient acts.

use std::collections::BTreeMap;

use contracts::records::command::DelegationScope;
use interfaces::identity::GetOwnAccount;
use interfaces::records::{Delegation, Delegations, EndDelegation, ListDelegations, NameGuardian};
use ledger::LedgerId;

use super::merged::{missing_part, own_hospitals};
use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::lists::{self, Card};
use crate::design::text::{self, Colour};
use crate::pages::form_page::{FormPage, mistakes};
use crate::pages::receipts::just_done;
use crate::visit::{Page, Submitted, Visit, done};
use crate::words::fill;

/// How long a delegation may be chosen to last, in days.
const DAYS: [u32; 3] = [30, 365, 1826];

/// `GET /guardians`
pub(crate) async fn list(visit: Visit) -> Answer {
    let hospitals = hospitals(&visit).await?;
    let names = visit.hospital_names().await;
    let asked = hospitals
        .iter()
        .map(|hospital| visit.ask_hospital(*hospital, &ListDelegations {}));
    let answers = futures::future::join_all(asked).await;
    let (mut given, mut held, mut away) = (Vec::new(), Vec::new(), Vec::new());
    for (hospital, answer) in hospitals.iter().zip(answers) {
        let name = names.get(hospital).map_or("", String::as_str);
        match answer {
            Ok(Delegations {
                given: theirs,
                held: ours,
            }) => {
                let cards = theirs
                    .iter()
                    .map(|one| given_card(&visit, *hospital, name, one));
                given.extend(cards);
                held.extend(
                    ours.iter()
                        .map(|one| held_card(&visit, *hospital, name, one)),
                );
            }
            Err(problem) if problem.status == 401 => return Err(problem.into()),
            Err(problem) => away.push((*hospital, problem)),
        }
    }
    let words = visit.words.delegation;
    let done_text = match visit.query("ended") {
        Some(_) => words.ended,
        None => words.named,
    };
    let yours = match given.is_empty() {
        true => text::empty(words.none, words.none_text),
        false => lists::cards_in_section(&given),
    };
    let for_others = match held.is_empty() {
        true => Html::none(),
        false => text::section(words.held).and(lists::cards_in_section(&held)),
    };
    let content = Html::join([
        just_done(&visit, done_text),
        text::lead(words.lead),
        missing_part(&visit, &away).await,
        for_others,
        text::section(words.yours),
        yours,
        text::button("/guardians/name", words.give),
    ]);
    Ok(visit
        .page(Page::new(words.title, content).below("/settings", visit.words.patient.tab_settings)))
}

/// Hospitals where the person is a patient, or acts for one.
async fn hospitals(visit: &Visit) -> Result<Vec<LedgerId>, Refusal> {
    visit.signed_in()?;
    let account = visit.ask(&GetOwnAccount {}).await?;
    let mut found: Vec<LedgerId> = account
        .ledger_ids
        .keys()
        .filter_map(|context| {
            let mut parts = context.split(':');
            let is_hospitals = matches!(parts.next(), Some("hospital" | "guardian"));
            parts.next().filter(|_| is_hospitals)?.parse().ok()
        })
        .collect();
    found.sort();
    found.dedup();
    Ok(found)
}

fn given_card(visit: &Visit, hospital: LedgerId, place: &str, given: &Delegation) -> Card {
    let words = visit.words.delegation;
    let (colour, state) = match given.state.as_str() {
        "holds" => (Colour::Green, words.state_holds),
        "waiting" => (Colour::Yellow, words.state_waiting),
        "ended" => (Colour::Grey, words.state_ended),
        _ => (Colour::Grey, words.state_over),
    };
    let name = name_of(visit, given);
    let stands = matches!(given.state.as_str(), "holds" | "waiting");
    Card {
        side: match stands {
            true => end_button(visit, hospital, given, &name, words.end),
            false => Html::none(),
        },
        tags: vec![text::tag(colour, state)],
        ..card(visit, place, given, name)
    }
}

fn held_card(visit: &Visit, hospital: LedgerId, place: &str, held: &Delegation) -> Card {
    let words = visit.words.delegation;
    let name = name_of(visit, held);
    let usual = card(visit, place, held, name.clone());
    let path = |list: &str| format!("/acting/{hospital}/{}/{list}", held.patient);
    let mut links = usual.text.clone();
    if held.scope.reads() {
        links = links
            .and(text::paragraph_of(text::link(
                &path("records"),
                &fill(words.records, &[("name", &name)]),
            )))
            .and(text::paragraph_of(text::link(
                &path("views"),
                &fill(words.views, &[("name", &name)]),
            )));
    }
    if held.scope.decides() {
        links = links.and(text::paragraph_of(text::link(
            &path("requests"),
            &fill(words.requests, &[("name", &name)]),
        )));
    }
    Card {
        text: links,
        side: end_button(visit, hospital, held, &name, words.give_back),
        ..usual
    }
}

fn card(visit: &Visit, place: &str, delegation: &Delegation, name: String) -> Card {
    let words = visit.words.delegation;
    let until = fill(
        words.until,
        &[("time", &visit.locale.time(&delegation.until))],
    );
    let scope = scope_text(visit, delegation.scope);
    Card {
        when: format!("{place} · {until}"),
        title: name,
        text: text::paragraph(scope),
        ..Card::default()
    }
}

fn name_of(visit: &Visit, delegation: &Delegation) -> String {
    let name = delegation.name.clone();
    name.unwrap_or_else(|| visit.words.delegation.unnamed.to_owned())
}

fn scope_text(visit: &Visit, scope: DelegationScope) -> &'static str {
    let words = visit.words.delegation;
    match scope {
        DelegationScope::Read => words.scope_read,
        DelegationScope::Decide => words.scope_decide,
        DelegationScope::ReadAndDecide => words.scope_both,
    }
}

fn end_button(
    visit: &Visit,
    hospital: LedgerId,
    delegation: &Delegation,
    name: &str,
    button: &str,
) -> Html {
    let mut hidden = visit.hidden();
    hidden.push(("hospital", hospital.to_string()));
    hidden.push(("patient", delegation.patient.to_string()));
    hidden.push(("guardian", delegation.guardian.to_string()));
    Form {
        hidden,
        busy: visit.words.authorization.approving,
        look: " nhsuk-button--secondary nhsuk-button--small",
        about: name,
        ..Form::new("/guardians/end", button)
    }
    .html()
}

/// `POST /guardians/end`
pub(crate) async fn end(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let hospital: LedgerId = form.id("hospital")?;
    let question = EndDelegation {
        patient: form.id("patient")?,
        guardian: form.id("guardian")?,
    };
    form.once(async {
        let committed = visit.ask_hospital(hospital, &question).await?;
        Ok(done("/guardians?ended=yes", committed.transaction))
    })
    .await
}

/// What was entered to name a guardian.
#[derive(Default)]
struct Entered {
    patient_id: String,
    name: String,
    hospital: String,
    scope: String,
    days: String,
}

/// `GET /guardians/name`
pub(crate) async fn ask(visit: Visit) -> Answer {
    visit.signed_in()?;
    page(&visit, Entered::default(), &[]).await
}

async fn page(visit: &Visit, entered: Entered, errors: &[(&str, &str)]) -> Answer {
    let words = visit.words.delegation;
    let names: BTreeMap<LedgerId, String> = visit.hospital_names().await;
    let choice = |value: &str, text: &str| (value.to_owned(), text.to_owned(), String::new());
    let places = own_hospitals(visit).await?;
    let places = places.iter().map(|(hospital, _)| {
        let name = names.get(hospital).map_or("", String::as_str);
        choice(&hospital.to_string(), name)
    });
    let scopes = [
        ("Read", words.scope_read),
        ("Decide", words.scope_decide),
        ("ReadAndDecide", words.scope_both),
    ];
    let days = DAYS
        .iter()
        .zip([words.days_30, words.days_365, words.days_1826]);
    let form = Form {
        hidden: visit.hidden(),
        fields: vec![
            Field::line("patient_id", words.patient_id)
                .value(entered.patient_id)
                .width(20)
                .error(errors),
            Field::line("name", words.name)
                .value(entered.name)
                .error(errors),
            Field::new(
                "hospital",
                words.hospital,
                Control::Radios(places.collect()),
            )
            .value(entered.hospital)
            .error(errors),
            Field::new(
                "scope",
                words.scope,
                Control::Radios(scopes.map(|(value, text)| choice(value, text)).into()),
            )
            .value(entered.scope)
            .error(errors),
            Field::new(
                "days",
                words.end_date,
                Control::Radios(
                    days.map(|(days, text)| choice(&days.to_string(), text))
                        .collect(),
                ),
            )
            .value(entered.days)
            .error(errors),
        ],
        busy: visit.words.authorization.approving,
        cancel: Some(("/guardians", visit.words.frame.cancel)),
        ..Form::new("/guardians/name", words.give)
    };
    Ok(FormPage {
        errors,
        below: Some(("/guardians", words.title)),
        ..FormPage::new(words.give, words.give_lead, form)
    }
    .answer(visit))
}

/// `POST /guardians/name`
pub(crate) async fn name(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let words = visit.words.delegation;
    let entered = || Entered {
        patient_id: form.get("patient_id").to_owned(),
        name: form.get("name").to_owned(),
        hospital: form.get("hospital").to_owned(),
        scope: form.get("scope").to_owned(),
        days: form.get("days").to_owned(),
    };
    let digits = form.get("patient_id").chars();
    let digits = digits.filter(char::is_ascii_digit).count();
    let hospital = form.get("hospital").parse::<LedgerId>();
    let scope = DelegationScope::ALL
        .into_iter()
        .find(|scope| format!("{scope:?}") == form.get("scope"));
    let days = DAYS
        .into_iter()
        .find(|days| days.to_string() == form.get("days"));
    let wrong = mistakes(&[
        ("patient_id", digits != 10, words.patient_id_bad),
        ("name", form.get("name").is_empty(), words.name_bad),
        ("hospital", hospital.is_err(), words.hospital_bad),
        ("scope", scope.is_none(), words.scope_bad),
        ("days", days.is_none(), words.days_bad),
    ]);
    let (Ok(hospital), Some(scope), Some(days), true) = (hospital, scope, days, wrong.is_empty())
    else {
        return page(visit, entered(), &wrong).await;
    };
    let question = NameGuardian {
        patient_id: form.get("patient_id").to_owned(),
        name: form.get("name").to_owned(),
        scope,
        days,
    };
    let answer = form
        .once(async {
            let committed = visit.ask_hospital(hospital, &question).await?;
            Ok(done("/guardians", committed.transaction))
        })
        .await;
    match answer {
        Err(Refusal(problem)) if problem.status == 400 => {
            page(visit, entered(), &[("patient_id", words.nobody)]).await
        }
        answer => answer,
    }
}
