//! The real name of whoever is signed in, to be sealed into a view's trace. For services, with the member's token.

use std::sync::Arc;

use bus::Call;
use interfaces::identity::{GetViewerName, ViewerName};
use interfaces::{Base64, Problem};
use submission::row::database;

use crate::service::Identity;

pub(crate) async fn get_viewer_name(
    identity: Arc<Identity>,
    call: Call,
    _request: GetViewerName,
) -> Result<ViewerName, Problem> {
    if !call.caller.starts_with("records-") && call.caller != "authorization" {
        return Err(Problem::forbidden(
            "this is for the services that log views",
        ));
    }
    let caller = identity.caller(&call).await?;
    let name = if caller.has_custodial_keys() {
        identity.person(&caller.session().subject).await?.real_name
    } else {
        let name: Option<(Option<String>,)> =
            sqlx::query_as("SELECT name FROM members WHERE member = $1")
                .bind(caller.member()?.to_string())
                .fetch_optional(identity.store.reader())
                .await
                .map_err(database)?;
        name.and_then(|(name,)| name).unwrap_or_default()
    };
    Ok(ViewerName {
        name,
        regulator_sealing_key: Base64(identity.regulator.0.to_vec()),
    })
}
