//! Sets the patient's standing consents at this hospital. By the patient.

use std::sync::Arc;

use bus::Call;
use contracts::records::command::Command;
use interfaces::Committed;
use interfaces::records::SetConsent;

use crate::failure::Failure;
use crate::service::Records;

pub(super) async fn set_consent(
    records: Arc<Records>,
    call: Call,
    request: SetConsent,
) -> Result<Committed, Failure> {
    let caller = records.caller(&call)?;
    let patient = records.own_patient_id(&caller).await?;
    let command = Command::SetConsent {
        share_for_treatment: request.share_for_treatment,
        research: request.research,
    };
    records.commit(&caller, patient, command).await
}
