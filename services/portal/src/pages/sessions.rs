//! Where somebody is signed in, and ending one of these sessions. For every role.

use interfaces::identity::{EndSession, ListSessions};
use keys::token::Role;

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::Form;
use crate::design::lists::{self, Card};
use crate::design::text::{self, Colour};
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

/// `GET /sessions`
pub(crate) async fn list(visit: Visit) -> Answer {
    visit.signed_in()?;
    let sessions = visit.ask(&ListSessions {}).await?;
    let words = visit.words.people;
    let cards: Vec<Card> = sessions
        .iter()
        .map(|session| {
            let time = visit.locale.time(&session.started);
            let title = fill(words.session_since, &[("time", &time)]);
            let end = visit.locale.time(&session.expires);
            let side = if session.current {
                Html::none()
            } else {
                let mut hidden = visit.hidden();
                hidden.push(("session", session.session.clone()));
                Form {
                    hidden,
                    look: " nhsuk-button--secondary nhsuk-button--small",
                    about: &title,
                    ..Form::new("/sessions/end", words.session_end)
                }
                .html()
            };
            Card {
                tags: match session.current {
                    true => vec![text::tag(Colour::Green, words.session_current)],
                    false => Vec::new(),
                },
                text: text::aside(&fill(words.session_until, &[("time", &end)])),
                title,
                side,
                ..Card::default()
            }
        })
        .collect();
    let ended = match visit.query("ended") {
        Some(_) => text::inset(visit.words.frame.done, text::paragraph(words.session_ended)),
        None => Html::none(),
    };
    let content = Html::join([ended, text::lead(words.sessions_lead), lists::cards(&cards)]);
    let (above, name) = match visit.is(Role::Patient) {
        true => ("/settings", visit.words.patient.tab_settings),
        false => ("/me", words.me),
    };
    Ok(visit.page(Page::new(words.sessions, content).below(above, name)))
}

/// `POST /sessions/end`
pub(crate) async fn end(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let session = form.get("session").to_owned();
    form.once(async {
        let question = EndSession {
            session: session.clone(),
        };
        visit.ask(&question).await?;
        visit.portal.viewed.forget(&session);
        Ok("/sessions?ended=yes".to_owned())
    })
    .await
}
