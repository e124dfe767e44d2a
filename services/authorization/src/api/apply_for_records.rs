//! Applies for records. By a third party or an insurer, who holds the own key and signs what this prepares (A54).

use std::sync::Arc;

use bus::Call;
use contracts::authorization::command::{Command, ITEMS_PER_APPLICATION_MAX, ItemOffer};
use contracts::{ApplicationId, RecordNumber};
use interfaces::Problem;
use interfaces::authorization::{ApplicationItem, ApplicationPrepared, ApplyForRecords};
use interfaces::index::ResolveHandles;
use keys::token::Role;
use ledger::{Commitment, Digest, DigestAlgorithm, Timestamp};

use crate::service::Authorization;

const STATEMENT_CHARACTERS_MAX: usize = 2_000;
const DAYS_MAX: u32 = 3_650;
const DAY_US: u64 = 86_400_000_000;

pub(crate) async fn apply_for_records(
    authorization: Arc<Authorization>,
    call: Call,
    request: ApplyForRecords,
) -> Result<ApplicationPrepared, Problem> {
    let caller = authorization.sessions.caller(&call)?;
    caller.require_any(&[Role::ThirdParty, Role::Insurer])?;
    check(&request)?;
    let applicant = caller.member()?;
    let handles = request.items.iter().map(|item| item.handle).collect();
    let resolved = authorization
        .ask_index(&ResolveHandles { applicant, handles })
        .await?;
    let items = offers(&request, &resolved.records)?;
    let application = ApplicationId(keys::secret::random());
    let salt = Digest(keys::secret::random());
    let statement = Commitment::new(
        DigestAlgorithm::Sha256,
        &salt.0,
        &[&application.0, request.statement.as_bytes()],
    );
    let until = Timestamp(chassis::clock::now() + u64::from(request.days) * DAY_US);
    let command = Command::ApplyForRecords {
        application,
        purpose: request.purpose,
        until,
        statement,
        items,
    };
    let text = request.statement;
    let facts: submission::Facts<'_> = Box::new(move |transaction, _| {
        Box::pin(async move {
            sqlx::query("INSERT INTO statements (application, statement, salt) VALUES ($1, $2, $3)")
                .bind(application.to_string())
                .bind(text)
                .bind(salt.to_string())
                .execute(&mut **transaction)
                .await
                .map(|_| ())
        })
    });
    let unsigned = authorization
        .desk
        .prepare(applicant, command, facts)
        .await?;
    Ok(ApplicationPrepared {
        application,
        unsigned,
    })
}

fn check(request: &ApplyForRecords) -> Result<(), Problem> {
    if request.items.is_empty() || request.items.len() > ITEMS_PER_APPLICATION_MAX {
        return Err(Problem::bad_input(
            "/items",
            format!("an application has 1 to {ITEMS_PER_APPLICATION_MAX} items"),
        ));
    }
    if request.statement.trim().is_empty()
        || request.statement.chars().count() > STATEMENT_CHARACTERS_MAX
    {
        return Err(Problem::bad_input(
            "/statement",
            format!("say in 1 to {STATEMENT_CHARACTERS_MAX} characters what the records are for"),
        ));
    }
    if request.days == 0 || request.days > DAYS_MAX {
        return Err(Problem::bad_input(
            "/days",
            format!("a grant lasts 1 to {DAYS_MAX} days"),
        ));
    }
    Ok(())
}

fn offers(
    request: &ApplyForRecords,
    records: &[Option<RecordNumber>],
) -> Result<Vec<ItemOffer>, Problem> {
    let offer = |(place, (item, record)): (usize, (&ApplicationItem, &Option<RecordNumber>))| {
        let item_key = <[u8; 32]>::try_from(item.item_key.0.as_slice()).map_err(|_| {
            Problem::bad_input(
                &format!("/items/{place}/item_key"),
                "an X25519 key has 32 bytes",
            )
        })?;
        let record = record.ok_or_else(|| {
            Problem::bad_input(
                &format!("/items/{place}/handle"),
                "no search answer of yours had this handle",
            )
        })?;
        Ok(ItemOffer {
            record,
            price: item.price,
            item_key,
        })
    };
    request
        .items
        .iter()
        .zip(records)
        .enumerate()
        .map(offer)
        .collect()
}
