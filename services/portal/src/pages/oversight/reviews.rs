//! Emergency accesses, each of which a regulator reviews and closes.

use interfaces::records::{EmergencySummary, ListEmergencies, ReviewEmergency};
use ledger::LedgerId;

use super::{chosen_hospital, hospital_form};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::lists::Card;
use crate::design::text::{self, Colour};
use crate::pages::listing::Listing;
use crate::pages::receipts::just_done;
use crate::pages::sign;
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

/// `GET /reviews`
pub(super) async fn list(visit: Visit) -> Answer {
    visit.signed_in()?;
    let (hospital, hospitals) = chosen_hospital(&visit).await?;
    let all = visit.query("which").as_deref() == Some("all");
    let asked = ListEmergencies {
        unreviewed: !all,
        page: visit.part(),
    };
    let page = visit.ask_hospital(hospital, &asked).await?;
    let words = visit.words.organisations;
    let cards: Vec<Card> = page
        .entries
        .iter()
        .map(|emergency| card(&visit, hospital, emergency))
        .collect();
    let which = if all { "all" } else { "open" };
    let choices = [("open", words.reviews_open), ("all", words.all)]
        .map(|(value, name)| (value.to_owned(), name.to_owned()))
        .into();
    let of_state = Field::new("which", words.reviews_which, Control::Select(choices)).value(which);
    let list = Listing {
        id: "reviews",
        contracts: "records",
        path: &format!("/reviews?hospital={hospital}&which={which}"),
        empty: (words.no_reviews, words.no_reviews_text),
    };
    let content = Html::join([
        just_done(&visit, words.done),
        text::lead(words.reviews_lead),
        hospital_form(&visit, "/reviews", hospital, hospitals, vec![of_state]),
        list.html(&visit, &cards, page.next),
    ]);
    Ok(visit.page(Page::new(words.reviews, content)))
}

fn card(visit: &Visit, hospital: LedgerId, emergency: &EmergencySummary) -> Card {
    let words = visit.words.organisations;
    let (colour, state) = match emergency.justified {
        None => (Colour::Yellow, words.review_open),
        Some(true) => (Colour::Green, words.review_justified),
        Some(false) => (Colour::Red, words.review_unjustified),
    };
    let button = |justified: &str, text: &str, look: &str| {
        let mut hidden = visit.hidden();
        hidden.push(("hospital", hospital.to_string()));
        hidden.push(("emergency", emergency.emergency.to_string()));
        hidden.push(("justified", justified.to_owned()));
        Form {
            hidden,
            look,
            about: &emergency.reason,
            ..Form::new("/reviews/close", text)
        }
        .html()
    };
    let small = " nhsuk-button--secondary nhsuk-button--small";
    let side = match emergency.justified {
        None => button("yes", words.review_was_justified, small).and(button(
            "no",
            words.review_was_not,
            small,
        )),
        Some(_) => Html::none(),
    };
    let until = visit.locale.time(&emergency.until);
    let mut tags = vec![text::tag(colour, state)];
    let access = match emergency.without_ledger {
        true => {
            tags.push(text::tag(Colour::Orange, words.review_without_ledger));
            words.review_journaled
        }
        false => words.review_until,
    };
    let doctor = Html::text(format!("{} ", visit.words.kinds.role_doctor))
        .and(text::number(emergency.doctor));
    let patient = Html::text(format!("{} ", visit.words.kinds.role_patient))
        .and(text::number(emergency.patient));
    let receipt = format!("/receipts/{}", emergency.transaction);
    Card {
        when: format!(
            "{} · {}",
            visit.locale.time(&emergency.time),
            fill(access, &[("time", &until)])
        ),
        title: emergency.reason.clone(),
        tags,
        text: Html::join([
            text::paragraph_of(doctor),
            text::paragraph_of(patient),
            text::paragraph_of(text::link(&receipt, visit.words.frame.see_receipt)),
        ]),
        side,
        ..Card::default()
    }
}

/// `POST /reviews/close`
pub(super) async fn close(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let hospital: LedgerId = form.id("hospital")?;
    let justified = form.get("justified") == "yes";
    let question = ReviewEmergency {
        emergency: form.id("emergency")?,
        justified,
    };
    form.once(async {
        let reply = visit.ask_hospital(hospital, &question).await?;
        let words = visit.words.organisations;
        let what = if justified {
            words.review_justified_what
        } else {
            words.review_unjustified_what
        };
        let list = format!("/reviews?hospital={hospital}&which=open");
        sign::committed_or_sign(visit, reply, what, &list, &list)
    })
    .await
}
