//! One file a use case; each says first who may call it.

mod acknowledge_warning;
mod get_readings_key;
mod list_readings;
mod list_warnings;
mod register_device;
mod set_limit;
mod share_warnings;

use std::sync::Arc;

use bus::{Call, Router};
use interfaces::iot as requests;
use interfaces::{Committed, Problem, SubmitSignature};

use crate::service::{Iot, answer};

/// All use cases of this service.
pub(crate) fn router(router: Router, iot: Arc<Iot>) -> Router {
    let it = &iot;
    let router =
        answer::<requests::GetReadingsKey, _, _>(router, it, get_readings_key::get_readings_key);
    let router =
        answer::<requests::RegisterDevice, _, _>(router, it, register_device::register_device);
    let router =
        answer::<requests::UnregisterDevice, _, _>(router, it, register_device::unregister_device);
    let router =
        answer::<requests::ShareWarnings, _, _>(router, it, share_warnings::share_warnings);
    let router = answer::<requests::SetLimit, _, _>(router, it, set_limit::set_limit);
    let router = answer::<requests::ListReadings, _, _>(router, it, list_readings::list_readings);
    let router = answer::<requests::ListWarnings, _, _>(router, it, list_warnings::list_warnings);
    let router = answer::<requests::AcknowledgeWarning, _, _>(
        router,
        it,
        acknowledge_warning::acknowledge_warning,
    );
    answer::<SubmitSignature, _, _>(router, it, submit_signature)
}

/// By the member who asked for the command and holds the own key.
async fn submit_signature(
    iot: Arc<Iot>,
    call: Call,
    request: SubmitSignature,
) -> Result<Committed, Problem> {
    let caller = iot.caller(&call)?;
    iot.desk.submit_signature(&caller, request).await
}
