//! The patient's standing consents at this hospital, as they are. By the patient.

use std::sync::Arc;

use bus::Call;
use interfaces::records::{Consent, GetConsent};

use crate::failure::Failure;
use crate::projections;
use crate::service::Records;

pub(super) async fn get_consent(
    records: Arc<Records>,
    call: Call,
    _request: GetConsent,
) -> Result<Consent, Failure> {
    let caller = records.caller(&call)?;
    let patient = records.own_patient_id(&caller).await?;
    projections::consent(records.reader(), &patient).await
}
