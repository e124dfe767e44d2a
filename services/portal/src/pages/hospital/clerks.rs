//! The hospital's clerks: who they are, inviting another, ending an account.

use axum::extract::Path;
use interfaces::staff::{ClerkSummary, EndClerk, InvitedKind, ListClerks};

use super::desk::{handed_over, invited};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Field, Form, error_summary};
use crate::design::lists::{self, Card};
use crate::design::text::{self, Colour};
use crate::pages::form_page::borrowed;
use crate::pages::listing::Listing;
use crate::pages::sign_in::BAD_INPUT;
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

const HERE: &str = "/hospital/clerks";

/// `GET /hospital/clerks`
pub(crate) async fn list(visit: Visit) -> Answer {
    Ok(visit.page(page(&visit, ("", ""), &[]).await?))
}

async fn page(
    visit: &Visit,
    (name, number): (&str, &str),
    errors: &[(&str, &str)],
) -> Result<Page, crate::answer::Refusal> {
    visit.signed_in()?;
    let found = visit.ask(&ListClerks { page: visit.part() }).await?;
    let words = visit.words.desk;
    let cards: Vec<Card> = found
        .entries
        .iter()
        .map(|clerk| card(visit, clerk))
        .collect();
    let listing = Listing {
        id: "clerks",
        contracts: "",
        path: HERE,
        empty: (words.no_clerks, words.no_clerks_text),
    };
    let list = match cards.is_empty() {
        true => text::empty(words.no_clerks, words.no_clerks_text),
        false => lists::cards(&cards),
    };
    let ended = match visit.query("ended") {
        Some(_) => text::inset(visit.words.frame.done, text::paragraph(words.end_done)),
        None => Html::none(),
    };
    let form = Form {
        hidden: visit.hidden(),
        fields: vec![
            Field::line("real_name", words.clerk_name)
                .value(name)
                .error(errors),
            Field::line("identity_id", words.staff_number)
                .width(20)
                .value(number)
                .error(errors),
        ],
        ..Form::new(HERE, words.invite_clerk)
    };
    Ok(Page {
        title: words.clerks.to_owned(),
        content: Html::join([
            error_summary(visit.words.problems.check, errors),
            ended,
            text::title(words.clerks),
            text::lead(words.clerks_lead),
            list,
            listing.paging(visit, found.next),
            text::section(words.invite_clerk),
            form.html(),
        ]),
        ..Page::default()
    })
}

fn card(visit: &Visit, clerk: &ClerkSummary) -> Card {
    let words = visit.words.desk;
    let kinds = visit.words.kinds;
    let (tags, side, when) = match &clerk.ended {
        Some(ended) => (
            vec![text::tag(Colour::Grey, kinds.status_ended)],
            Html::none(),
            fill(words.ended, &[("day", &visit.locale.day(ended))]),
        ),
        None => (
            vec![text::tag(Colour::Green, kinds.status_active)],
            text::link(&format!("{HERE}/{}/end", clerk.account), words.end),
            fill(words.since, &[("day", &visit.locale.day(&clerk.since))]),
        ),
    };
    Card {
        when,
        title: clerk.real_name.clone(),
        text: text::aside(&format!("{} {}", words.staff_number, clerk.staff_number)),
        tags,
        side,
        ..Card::default()
    }
}

/// `POST /hospital/clerks`: the code is in this answer and nowhere else.
pub(crate) async fn invite(submitted: Submitted) -> Answer {
    let visit = &submitted.visit;
    let words = visit.words.desk;
    let (name, number) = (submitted.get("real_name"), submitted.get("identity_id"));
    match invited(&submitted, InvitedKind::Clerk).await? {
        Ok(invitation) => {
            let next = text::action_link(HERE, words.back_to_clerks);
            Ok(handed_over(
                visit,
                name,
                &invitation,
                next,
                HERE,
                words.tab_clerks,
            ))
        }
        Err(errors) => {
            let errors = borrowed(&errors);
            let page = page(visit, (name, number), &errors).await?;
            Ok(visit.page_with(BAD_INPUT, page))
        }
    }
}

/// `GET /hospital/clerks/{account}/end`
pub(crate) async fn ask_to_end(visit: Visit, Path(account): Path<String>) -> Answer {
    visit.signed_in()?;
    let words = visit.words.desk;
    let mut hidden = visit.hidden();
    hidden.push(("account", account));
    let form = Form {
        hidden,
        look: " nhsuk-button--warning",
        cancel: Some((HERE, visit.words.frame.cancel)),
        ..Form::new("/hospital/clerks/end", words.end)
    };
    let content = text::paragraph(words.end_text).and(form.html());
    Ok(visit.page(Page::new(words.end_title, content).below(HERE, words.tab_clerks)))
}

/// `POST /hospital/clerks/end`
pub(crate) async fn end(submitted: Submitted) -> Answer {
    let visit = &submitted.visit;
    visit.signed_in()?;
    let account = submitted.get("account").to_owned();
    submitted
        .once(async {
            visit.ask(&EndClerk { account }).await?;
            Ok(format!("{HERE}?ended=yes"))
        })
        .await
}
