//! Hands in the signature of a member who holds the own key. By the member for whom the transaction was prepared.

use std::sync::Arc;

use bus::Call;
use interfaces::{Committed, SubmitSignature};

use crate::failure::Failure;
use crate::service::Records;

pub(super) async fn submit_signature(
    records: Arc<Records>,
    call: Call,
    request: SubmitSignature,
) -> Result<Committed, Failure> {
    let caller = records.caller(&call)?;
    let committed = records.desk.submit_signature(&caller, request).await?;
    records.projected(&committed).await;
    Ok(committed)
}
