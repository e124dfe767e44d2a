//! Commands of members who hold their own key: the browser signs them on a page of their own.

use axum::extract::Path;
use bus::Target;
use interfaces::{Base64, CommandReply, Problem, SubmitSignature};
use ledger::{Digest, TransactionBody, canonical};

use contracts::{Command, Contract};

use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::lists;
use crate::design::text;
use crate::pages::receipts::command_name;
use crate::unsigned::Waiting;
use crate::visit::{Page, Submitted, Visit, done};

/// Where a command's reply leads: to `then` with its receipt, or to the page on which it is signed first.
pub(crate) fn committed_or_sign(
    visit: &Visit,
    reply: CommandReply,
    what: &str,
    then: &str,
    back: &str,
) -> Result<String, Refusal> {
    match reply {
        CommandReply::Committed(committed) => Ok(done(then, committed.transaction)),
        CommandReply::SignatureNeeded(command) => {
            let waiting = Waiting {
                command,
                what: what.to_owned(),
                then: then.to_owned(),
                back: back.to_owned(),
            };
            let session = &visit.signed_in()?.session.session;
            Ok(visit.portal.unsigned.keep(session, waiting))
        }
    }
}

fn waiting(visit: &Visit, transaction: &str) -> Result<Waiting, Refusal> {
    let gone = || Problem::conflict("the command has expired; it waits a minute for its signature");
    let session = &visit.signed_in()?.session.session;
    let id: Digest = transaction.parse().map_err(|_| gone())?;
    visit
        .portal
        .unsigned
        .get(session, &id)
        .ok_or_else(|| gone().into())
}

/// The page's form: what the script in `assets/source/keys.js` needs to sign, and nothing secret.
#[derive(askama::Template)]
#[template(
    ext = "html",
    source = r#"<form action="/sign/{{ transaction }}" method="post" data-sign data-transaction="{{ transaction }}" data-unsigned="{{ unsigned }}" data-member="{{ member }}" data-chain="{{ chain }}" data-contract="{{ contract }}" data-command="{{ command }}" data-no-key="{{ no_key }}"><input type="hidden" name="csrf" value="{{ csrf }}"><input type="hidden" name="key" value="{{ key }}"><input type="hidden" name="signature" value=""><p class="nhsuk-error-message" role="alert" data-problem></p><div class="medshare-buttons"><button class="nhsuk-button" type="submit" data-busy="{{ busy }}">{{ button }}</button><a class="nhsuk-button nhsuk-button--secondary" href="{{ back }}" role="button" draggable="false">{{ cancel }}</a></div></form><noscript><p>{{ needs_script }}</p></noscript>"#
)]
struct SignForm<'a> {
    transaction: Digest,
    unsigned: String,
    member: String,
    chain: Digest,
    contract: &'a str,
    command: &'a str,
    csrf: &'a str,
    key: &'a str,
    busy: &'a str,
    button: &'a str,
    back: &'a str,
    cancel: &'a str,
    no_key: &'a str,
    needs_script: &'a str,
}

/// `GET /sign/{transaction}`
pub(crate) async fn show(visit: Visit, Path(transaction): Path<String>) -> Answer {
    let waiting = waiting(&visit, &transaction)?;
    let session = visit.signed_in()?;
    let words = &visit.words;
    let body: TransactionBody = canonical::decode(&waiting.command.unsigned.0)
        .map_err(|_| Problem::failure("a prepared command can't be read"))?;
    let contract = Contract::from_id(body.contract).map_or_else(
        || body.contract.to_string(),
        |contract| format!("{contract:?}").to_ascii_lowercase(),
    );
    let command = Command::from_bytes(body.contract, &body.command)
        .map(|command| command_name(&command))
        .unwrap_or_default();
    let key = data_encoding::HEXLOWER.encode(&keys::secret::random::<16>());
    let form = SignForm {
        transaction: waiting.command.transaction,
        unsigned: data_encoding::BASE64URL_NOPAD.encode(&waiting.command.unsigned.0),
        member: body.submitter.to_string(),
        chain: body.chain,
        contract: &contract,
        command: &command,
        csrf: &session.csrf,
        key: &key,
        busy: words.people.signing,
        button: words.people.sign,
        back: &waiting.back,
        cancel: words.frame.cancel,
        no_key: words.people.no_key,
        needs_script: words.people.key_needs_script,
    };
    let content = Html::join([
        text::lead(&waiting.what),
        text::paragraph(words.people.sign_lead),
        lists::summary(vec![
            (words.frame.command, Html::text(&command)),
            (words.frame.contract, Html::text(&contract)),
            (
                words.frame.transaction,
                text::number(waiting.command.transaction),
            ),
        ]),
        Html::of(&form),
    ]);
    let mut page = Page::new(words.people.sign_title, content);
    page.scripts.push("keys.js");
    Ok(visit.page(page))
}

/// `POST /sign/{transaction}`
pub(crate) async fn submit(Path(transaction): Path<String>, form: Submitted) -> Answer {
    let visit = &form.visit;
    let waiting = waiting(visit, &transaction)?;
    let signature = data_encoding::BASE64URL_NOPAD
        .decode(form.get("signature").as_bytes())
        .ok()
        .filter(|bytes| bytes.len() == 64)
        .ok_or_else(|| Problem::bad_input("signature", "expected 64 bytes"))?;
    form.once(async {
        let question = SubmitSignature {
            transaction: waiting.command.transaction,
            signature: Base64(signature),
        };
        let target = Target::service(&waiting.command.service);
        let committed = visit.ask_at(&target, &question).await?;
        Ok(done(&waiting.then, committed.transaction))
    })
    .await
}
