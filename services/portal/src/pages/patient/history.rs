//! Authorization history: every request that reached the patient, what became of it, and the end of a permission.

use axum::extract::Path;
use contracts::GrantId;
use interfaces::authorization::WithdrawGrant;

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::Form;
use crate::design::lists::{self, Card};
use crate::design::text;
use crate::pages::items::{Items, applicant, facts, item_of, path_of, title_of};
use crate::pages::listing::Listing;
use crate::pages::receipts::just_done;
use crate::pages::sign;
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

/// `GET /history`
pub(crate) async fn list(visit: Visit) -> Answer {
    let items = Items::of(&visit, false, None).await?;
    let words = visit.words.authorization;
    let cards = items.cards(&visit, |usual, item| {
        Some(Card {
            when: usual.title,
            title: applicant(&visit, item),
            path: Some(path_of("/history", &item.item)),
            ..usual
        })
    });
    let list = Listing {
        id: "history",
        contracts: "authorization",
        path: "/history",
        empty: (words.no_history, words.no_history_text),
    };
    let content = Html::join([
        just_done(&visit, words.decided),
        text::lead(words.history_lead),
        list.html(&visit, &cards, items.next),
    ]);
    Ok(visit.page(Page::new(words.history, content)))
}

/// `GET /history/{application}/{index}`
pub(crate) async fn show(
    visit: Visit,
    Path((application, index)): Path<(String, String)>,
) -> Answer {
    let item = item_of(&visit, &application, &index, None).await?;
    let words = visit.words.authorization;
    let steps: Vec<Vec<Html>> = item
        .transactions
        .iter()
        .zip(1..)
        .map(|(transaction, number): (_, u32)| {
            let step = fill(words.step, &[("number", &number.to_string())]);
            let path = format!("/receipts/{transaction}");
            vec![
                Html::text(step),
                text::link(&path, visit.words.frame.see_receipt),
            ]
        })
        .collect();
    let ending = match item.grant {
        Some(_) if item.state == "released" && !item.grant_withdrawn => {
            let path = format!("{}/end", path_of("/history", &item.item));
            text::secondary_button(&path, words.end)
        }
        _ => Html::none(),
    };
    let content = Html::join([
        facts(&visit, &item).await,
        ending,
        lists::table(
            words.transactions,
            &[words.request, visit.words.frame.receipt],
            &steps,
        ),
    ]);
    let title = title_of(&visit, &item);
    Ok(visit.page(Page::new(&title, content).below("/history", visit.words.patient.tab_history)))
}

/// `GET /history/{application}/{index}/end`
pub(crate) async fn ask_to_end(
    visit: Visit,
    Path((application, index)): Path<(String, String)>,
) -> Answer {
    let item = item_of(&visit, &application, &index, None).await?;
    let words = visit.words.authorization;
    let back = path_of("/history", &item.item);
    let mut hidden = visit.hidden();
    let grant = item
        .grant
        .map(|grant| grant.to_string())
        .unwrap_or_default();
    hidden.push(("grant", grant));
    let form = Form {
        hidden,
        busy: words.approving,
        look: " nhsuk-button--warning",
        cancel: Some((&back, visit.words.frame.cancel)),
        ..Form::new("/history/end", words.end)
    };
    let content = text::paragraph(words.end_text).and(form.html());
    Ok(visit.page(Page::new(words.end_ask, content).below(&back, words.request)))
}

/// `POST /history/end`
pub(crate) async fn end(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let grant: GrantId = form.id("grant")?;
    form.once(async {
        let reply = visit.ask(&WithdrawGrant { grant }).await?;
        sign::committed_or_sign(
            visit,
            reply,
            visit.words.authorization.end,
            "/history",
            "/history",
        )
    })
    .await
}
