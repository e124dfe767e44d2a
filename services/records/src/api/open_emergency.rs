//! Opens emergency access to one patient. By a doctor who acts for a hospital.

use std::sync::Arc;

use bus::Call;
use contracts::EmergencyId;
use contracts::records::command::Command;
use interfaces::Problem;
use interfaces::records::{OpenEmergency, OpenedEmergency};
use ledger::{Commitment, DigestAlgorithm};

use crate::failure::{Failure, forbidden};
use crate::projections;
use crate::service::{Records, now_us};

const REASON_BYTES_MAX: usize = 2_000;
const REASON: &str = "medshare/records/emergency-reason/v1";

pub(super) async fn open_emergency(
    records: Arc<Records>,
    call: Call,
    request: OpenEmergency,
) -> Result<OpenedEmergency, Failure> {
    let caller = records.caller(&call)?;
    let doctor = records.doctor_id(&caller)?;
    let reason = request.reason.trim();
    if reason.is_empty() || reason.len() > REASON_BYTES_MAX {
        return Err(Problem::bad_input(
            "reason",
            format!("must have 1 to {REASON_BYTES_MAX} bytes"),
        )
        .into());
    }
    let acts_for = projections::affiliations(records.reader(), &doctor, now_us()).await?;
    let own = acts_for
        .iter()
        .find(|hospital| **hospital == records.hospital);
    let hospital = *own.or(acts_for.first()).ok_or_else(forbidden)?;
    let viewer = records
        .sealed_viewer(&caller, &request.patient, Some(reason))
        .await?;
    let emergency = EmergencyId(keys::secret::random());
    let salt: [u8; 32] = keys::secret::random();
    let commitment = Commitment::new(DigestAlgorithm::Sha256, &salt, &[reason.as_bytes()]);
    let context = format!("{REASON}/{emergency}");
    let sealed = records.vault.seal_own(&context, &(salt, reason.to_owned()));
    let command = Command::OpenEmergency {
        emergency,
        patient: request.patient,
        hospital,
        reason: commitment,
        viewer,
    };
    let facts: submission::Facts<'_> = Box::new(move |transaction, _| {
        Box::pin(async move {
            sqlx::query("INSERT INTO emergencies (emergency, sealed) VALUES ($1, $2)")
                .bind(emergency.to_string())
                .bind(sealed)
                .execute(&mut **transaction)
                .await?;
            Ok(())
        })
    });
    let committed = records
        .desk
        .commit_with_custody(&caller, doctor, command, facts)
        .await?;
    records.projected(&committed).await;
    Ok(OpenedEmergency {
        emergency,
        committed,
    })
}
