//! One file a use case; each says first who may call it.

mod acknowledge_warning;
mod get_readings_key;
mod list_devices;
mod list_readings;
mod list_warnings;
mod register_device;
mod set_limit;
mod share_warnings;

use std::sync::Arc;

use bus::{Call, Router};
use interfaces::{Committed, Problem, SubmitSignature};

use crate::service::Iot;

/// All use cases of this service.
pub(crate) fn router(router: Router, iot: Arc<Iot>) -> Router {
    router
        .over(&iot)
        .on(get_readings_key::get_readings_key)
        .on(register_device::register_device)
        .on(register_device::unregister_device)
        .on(list_devices::list_devices)
        .on(share_warnings::share_warnings)
        .on(set_limit::set_limit)
        .on(list_readings::list_readings)
        .on(list_warnings::list_warnings)
        .on(acknowledge_warning::acknowledge_warning)
        .on(submit_signature)
        .into_router()
}

/// By the member who asked for the command and holds the own key.
async fn submit_signature(
    iot: Arc<Iot>,
    call: Call,
    request: SubmitSignature,
) -> Result<Committed, Problem> {
    let caller = iot.sessions.caller(&call)?;
    iot.desk.submit_signature(&caller, request).await
}
