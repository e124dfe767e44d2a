//! Opens what was sealed to a ledger id of whoever is signed in. For services, with the member's token.

use std::sync::Arc;

use bus::Call;
use interfaces::identity::{OpenSealed, OpenedSealed};
use interfaces::{Base64, Problem};

use crate::custody::CustodyKey;
use crate::service::Identity;

pub(crate) async fn open_sealed(
    identity: Arc<Identity>,
    call: Call,
    request: OpenSealed,
) -> Result<OpenedSealed, Problem> {
    let caller = identity.caller(&call).await?;
    let owned = identity
        .owner_of(&request.member)
        .await?
        .filter(|owned| owned.account == caller.session().subject);
    let owned =
        owned.ok_or_else(|| Problem::forbidden("this was not sealed to a ledger id of yours"))?;
    let sealed = caller
        .session()
        .sealed_secret
        .as_deref()
        .ok_or_else(|| Problem::forbidden("you hold your own key"))?;
    let key = CustodyKey::open_from_session(&identity.session, &caller.session().session, sealed)
        .and_then(|custody| custody.open_seed(&owned.account, owned.ledger_id, &owned.sealed_seed))
        .map_err(|error| Problem::unauthenticated(error.to_string()))?;
    let opened = request
        .sealed
        .iter()
        .map(|sealed| {
            keys::viewer_name::open(key.sealing(), &sealed.0)
                .map(|text| Base64(text.into_bytes()))
                .ok()
        })
        .collect();
    Ok(OpenedSealed { opened })
}
