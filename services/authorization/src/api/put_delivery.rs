//! Takes an item's ciphertext into the delivery store, which can't read it. By hospitals' records services, before
//! they approve; the approval on the ledger names the ciphertext's digest.

use std::sync::Arc;

use bus::Call;
use interfaces::Problem;
use interfaces::authorization::PutDelivery;
use interfaces::identity::Done;
use ledger::DigestAlgorithm;
use submission::row::database;

use crate::service::Authorization;

pub(crate) async fn put_delivery(
    authorization: Arc<Authorization>,
    call: Call,
    request: PutDelivery,
) -> Result<Done, Problem> {
    if !call.caller.starts_with("records-") {
        return Err(Problem::forbidden(
            "this is for hospitals' records services",
        ));
    }
    let digest = DigestAlgorithm::Sha256.digest(&request.ciphertext.0);
    let mut transaction = authorization.store.begin().await.map_err(database)?;
    sqlx::query("INSERT INTO deliveries (application, item_index, digest, ciphertext) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
        .bind(request.item.application.to_string())
        .bind(i64::from(request.item.index))
        .bind(digest.to_string())
        .bind(request.ciphertext.0)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    Ok(Done {})
}
