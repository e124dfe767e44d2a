//! Answers about certificates by OCSP, as fresh as the ledger's newest block here. Anyone may ask.

use std::sync::{Arc, OnceLock};

use bus::Call;
use chassis::metrics::{Counter, counter};
use interfaces::identity::{AnswerOcsp, OcspAnswer};
use interfaces::{Base64, Problem};
use keys::ocsp::{Questions, Standing, malformed_request};
use ledger::Timestamp;
use submission::row::database;

use crate::api::certificates::LIST_LIFE_US;
use crate::service::{Identity, now};

pub(crate) async fn answer_ocsp(
    identity: Arc<Identity>,
    _call: Call,
    request: AnswerOcsp,
) -> Result<OcspAnswer, Problem> {
    answers().add(1);
    let Some(questions) = Questions::read(&request.request.0) else {
        return Ok(OcspAnswer {
            answer: Base64(malformed_request()),
        });
    };
    identity.enter_issued_elsewhere().await?;
    let revoked = identity.revoked().await?;
    let mut standings = Vec::new();
    for serial in questions.serials() {
        let found = revoked.iter().find(|revoked| revoked.serial == serial);
        standings.push(match found {
            Some(revoked) => Standing::Revoked {
                since: revoked.since,
                reason: revoked.reason,
            },
            None if is_issued(&identity, &serial).await? => Standing::Good,
            None => Standing::Unknown,
        });
    }
    let now = now();
    let answer = identity
        .authority
        .answer(&questions, &standings, now, Timestamp(now.0 + LIST_LIFE_US))
        .map_err(|error| Problem::failure(error.to_string()))?;
    Ok(OcspAnswer {
        answer: Base64(answer),
    })
}

async fn is_issued(identity: &Identity, serial: &str) -> Result<bool, Problem> {
    sqlx::query("SELECT 1 FROM certificates WHERE serial = $1")
        .bind(serial)
        .fetch_optional(identity.store.reader())
        .await
        .map(|row| row.is_some())
        .map_err(database)
}

fn answers() -> &'static Counter {
    static COUNTER: OnceLock<Counter> = OnceLock::new();
    COUNTER.get_or_init(|| {
        counter(
            "ocsp_answers_total",
            "Questions about certificates answered",
        )
    })
}
