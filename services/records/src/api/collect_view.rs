//! Collects the content of a view that the caller signed with the own key, within 30 s of its block time.

use std::sync::Arc;

use bus::Call;
use interfaces::records::{CollectView, ViewedRecords};

use crate::failure::{Failure, forbidden};
use crate::projections;
use crate::service::Records;
use crate::viewing::Permission;

pub(super) async fn collect_view(
    records: Arc<Records>,
    call: Call,
    request: CollectView,
) -> Result<ViewedRecords, Failure> {
    let caller = records.caller(&call)?;
    // Its receipt is in the outbox of this service, which prepared it.
    let committed = records
        .wait(request.transaction)
        .await
        .map_err(|_| forbidden())?;
    records.projected(&committed).await;
    let view = projections::view_of_transaction(records.reader(), &request.transaction)
        .await?
        .ok_or_else(forbidden)?;
    caller.require_owner(&view.viewer)?;
    // What a grant permits is in the authorization service's delivery store; it never leaves from here. A guardian's view
    // was answered at once, and the delegation may have ended since.
    if matches!(view.basis.as_str(), "grant" | "delegation") {
        return Err(forbidden());
    }
    records
        .show(
            committed,
            &Permission {
                records: view.records,
                time: view.time,
            },
        )
        .await
}
