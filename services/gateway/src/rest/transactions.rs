//! Transactions: handing in signatures and signed transactions, and looking up what became of them.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bus::{SubmitError, Target};
use hospitals::is_records_service;
use interfaces::{Base64, Committed, Problem, SubmitSignature};
use ledger::{Digest, Receipt, SignedTransaction};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::{ContentBuilder, ObjectBuilder, ResponseBuilder, schema::Schema};

use super::answer::{Answer, Refusal};
use super::api::{Api, Route, Shared, answer, ask, id_of, take_apart};
use super::document::{json_body, json_response, own_operation};
use super::input::{from_slice, unsupported};
use super::parts::ContentType;
use crate::service::Gateway;
use ledger_view::{TransactionView, outcome_name, rejection_text};

const TAG: &str = "ledger";
/// Services that wait for signatures, besides those of records.
const SIGNED_AT: [&str; 4] = ["identity", "authorization", "settlement", "iot"];

const SUBMIT: Route = Route::post(
    "/v1/transactions",
    "Submits a signed transaction (canonical bytes) and waits for its receipt",
)
.tag(TAG)
.by_anyone();
const SIGN: Route = Route::post(
    "/v1/transactions/{transaction}/signature",
    "Hands in the signature of a command that waits for it (`signature_needed`)",
)
.tag(TAG)
.by("The member who asked for the command.")
.slow();
const LOOK_UP: Route = Route::get(
    "/v1/transactions/{transaction}",
    "A transaction with its outcome, events and receipt",
)
.tag(TAG)
.by_anyone();
const DOWNLOAD: Route = Route::get(
    "/v1/receipts/{transaction}",
    "A transaction's receipt as a file, for `medshare verify receipt`",
)
.tag(TAG)
.by_anyone();

/// A signed transaction.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransactionToSubmit {
    /// Canonical bytes of the signed transaction, at most 64 KiB.
    #[schema(value_type = String)]
    transaction: Base64,
}

/// A transaction that was ordered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubmittedTransaction {
    /// Its id.
    #[schema(value_type = String)]
    transaction: Digest,
    /// The block's height.
    height: u64,
    /// Its place in the block, from 0.
    index: u32,
    /// `accepted` or `rejected`.
    outcome: String,
    /// The contract and number of a rejection, for example `records:7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<String>,
    /// The receipt: canonical bytes.
    #[schema(value_type = String)]
    receipt: Base64,
}

/// A signature, and where it is waited for.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignatureToSubmit {
    /// The service that waits, as `service` of the unsigned command.
    service: String,
    /// The Ed25519 signature, 64 bytes.
    #[schema(value_type = String)]
    signature: Base64,
}

/// A transaction with its receipt.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundTransaction {
    /// What was asked, and what became of it.
    #[serde(flatten)]
    transaction: TransactionView,
    /// The receipt: canonical bytes.
    #[schema(value_type = String)]
    receipt: Base64,
}

pub(crate) fn routes(api: Api) -> Api {
    let mut body = json_body::<TransactionToSubmit>();
    body = body.content("application/octet-stream", ContentBuilder::new().build());
    let submit = own_operation(&SUBMIT, "submit_transaction")
        .request_body(Some(body.build()))
        .response(
            "200",
            json_response::<SubmittedTransaction>("Ordered; its contract accepted or rejected it."),
        );
    let sign = own_operation(&SIGN, "submit_signature")
        .request_body(Some(json_body::<SignatureToSubmit>().build()))
        .response("200", json_response::<Committed>("Committed."));
    let look_up = own_operation(&LOOK_UP, "get_transaction")
        .response("200", json_response::<FoundTransaction>("The transaction."));
    let file = Schema::Object(
        ObjectBuilder::new()
            .description(Some("A receipt file (docs/ledger-format.md)."))
            .build(),
    );
    let file = ContentBuilder::new().schema(Some(file)).build();
    let download = own_operation(&DOWNLOAD, "get_receipt").response(
        "200",
        ResponseBuilder::new()
            .description("The receipt file.")
            .content("application/json", file),
    );
    api.schema::<TransactionToSubmit>()
        .schema::<SubmittedTransaction>()
        .schema::<SignatureToSubmit>()
        .schema::<Committed>()
        .schema::<FoundTransaction>()
        .own(SUBMIT, submit, submit_transaction)
        .own(SIGN, sign, submit_signature)
        .own(LOOK_UP, look_up, get_transaction)
        .own(DOWNLOAD, download, get_receipt)
}

async fn submit_transaction(
    State(gateway): State<Shared>,
    request: Request,
) -> Answer<SubmittedTransaction> {
    let parts = take_apart(&gateway, &SUBMIT, request).await?;
    let (bytes, field) = match parts.content_type {
        ContentType::Bytes => (parts.body.to_vec(), ""),
        ContentType::Json => (
            from_slice::<TransactionToSubmit>(&parts.body)?
                .transaction
                .0,
            "/transaction",
        ),
        _ => return Err(unsupported("application/octet-stream or application/json").into()),
    };
    let transaction = SignedTransaction::from_bytes(&bytes)
        .map_err(|error| Problem::bad_input(field, error.to_string()))?;
    let receipt = gateway
        .bus
        .submit(&transaction)
        .await
        .map_err(|error| refused(&error, field))?;
    answer(SubmittedTransaction {
        transaction: transaction.id(),
        height: receipt.header.height.0,
        index: receipt.index,
        outcome: outcome_name(receipt.leaf.outcome).to_owned(),
        rejection: rejection_text(receipt.leaf.outcome),
        receipt: Base64(receipt.to_bytes()),
    })
}

/// Why there is no receipt, as the caller sees it.
fn refused(error: &SubmitError, field: &str) -> Problem {
    let text = error.to_string();
    match error {
        SubmitError::Busy => Problem::busy(text),
        SubmitError::Expired => Problem::new(409, "expired", "Expired", text),
        SubmitError::Refused { .. } | SubmitError::Invalid(_) => Problem::bad_input(field, text),
        SubmitError::Unanswered => Problem::new(504, "timeout", "No answer in time", text),
        SubmitError::Denied => Problem::failure(text),
    }
}

async fn submit_signature(State(gateway): State<Shared>, request: Request) -> Answer<Committed> {
    let parts = take_apart(&gateway, &SIGN, request).await?;
    parts.require_json()?;
    let handed: SignatureToSubmit = from_slice(&parts.body)?;
    if handed.signature.0.len() != 64 {
        return Err(Problem::bad_input("/signature", "expected 64 bytes").into());
    }
    if !SIGNED_AT.contains(&handed.service.as_str()) && !is_records_service(&handed.service) {
        return Err(
            Problem::bad_input("/service", "no service of this name waits for signatures").into(),
        );
    }
    if gateway.bus.directory().get(&handed.service).is_none() {
        return Err(Problem::bad_input("/service", "no such service takes part").into());
    }
    let question = SubmitSignature {
        transaction: id_of(&parts, "transaction")?,
        signature: handed.signature,
    };
    ask(
        &gateway,
        &SIGN,
        &Target::service(&handed.service),
        parts.authorization.as_deref(),
        &question,
    )
    .await
}

/// The receipt of the transaction in the path.
async fn receipt(gateway: &Gateway, route: &Route, request: Request) -> Result<Receipt, Refusal> {
    let parts = take_apart(gateway, route, request).await?;
    let id: Digest = id_of(&parts, "transaction")?;
    match gateway.bus.receipt(&id).await {
        Ok(Some(receipt)) => Ok(receipt),
        Ok(None) => {
            Err(Problem::not_found("no transaction with this id is on the ledger (yet)").into())
        }
        Err(error) => Err(Problem::busy(error.to_string()).into()),
    }
}

async fn get_transaction(
    State(gateway): State<Shared>,
    request: Request,
) -> Answer<FoundTransaction> {
    let receipt = receipt(&gateway, &LOOK_UP, request).await?;
    answer(FoundTransaction {
        transaction: TransactionView::of_receipt(&receipt),
        receipt: Base64(receipt.to_bytes()),
    })
}

async fn get_receipt(State(gateway): State<Shared>, request: Request) -> Result<Response, Refusal> {
    let receipt = receipt(&gateway, &DOWNLOAD, request).await?;
    let name = format!(
        "attachment; filename=\"receipt-{}.json\"",
        receipt.transaction.id()
    );
    let mut response = (
        [(header::CONTENT_TYPE, "application/json")],
        receipt.to_file(),
    )
        .into_response();
    if let Ok(name) = HeaderValue::from_str(&name) {
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
