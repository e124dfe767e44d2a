//! Opens emergency access to one patient. By a doctor who acts for a hospital.

use std::sync::Arc;

use bus::Call;
use contracts::EmergencyId;
use contracts::records::command::Command;
use interfaces::Problem;
use interfaces::records::{OpenEmergency, OpenedEmergency};
use ledger::{Commitment, DigestAlgorithm, LedgerId};
use submission::Caller;

use crate::facts::Connection;
use crate::failure::{Failure, forbidden};
use crate::projections;
use crate::service::{Records, now_us};

const REASON_BYTES_MAX: usize = 2_000;
const REASON: &str = "medshare/records/emergency-reason/v1";

/// What a written reason is sealed as.
pub(super) fn reason_context(emergency: &EmergencyId) -> String {
    format!("{REASON}/{emergency}")
}

pub(super) async fn open_emergency(
    records: Arc<Records>,
    call: Call,
    request: OpenEmergency,
) -> Result<OpenedEmergency, Failure> {
    let caller = records.caller(&call)?;
    let (doctor, hospital) = doctor_and_hospital(&records, &caller).await?;
    let reason = Reason::new(&records, &request.reason)?;
    let viewer = records
        .sealed_viewer(&caller, &request.patient, Some(reason.text()))
        .await?;
    let emergency = EmergencyId(keys::secret::random());
    let command = Command::OpenEmergency {
        emergency,
        patient: request.patient,
        hospital,
        reason: reason.commitment(),
        viewer,
    };
    let facts: submission::Facts<'_> = Box::new(move |transaction, _| {
        Box::pin(async move { reason.keep(&mut *transaction, &emergency).await })
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

/// The calling doctor, and the hospital they act for now: this one if it is among them.
pub(super) async fn doctor_and_hospital(
    records: &Records,
    caller: &Caller,
) -> Result<(LedgerId, LedgerId), Failure> {
    let doctor = records.doctor_id(caller)?;
    let acts_for = projections::affiliations(records.reader(), &doctor, now_us()).await?;
    let own = acts_for
        .iter()
        .find(|hospital| **hospital == records.hospital);
    let hospital = *own.or(acts_for.first()).ok_or_else(forbidden)?;
    Ok((doctor, hospital))
}

/// Why an emergency is one, in words: committed to on the ledger, kept sealed here.
pub(super) struct Reason {
    records: Arc<Records>,
    text: String,
    salt: [u8; 32],
}

impl Reason {
    /// # Errors
    /// Bad input: none, or too long.
    pub(super) fn new(records: &Arc<Records>, text: &str) -> Result<Reason, Failure> {
        let text = text.trim();
        if text.is_empty() || text.len() > REASON_BYTES_MAX {
            return Err(Problem::bad_input(
                "reason",
                format!("must have 1 to {REASON_BYTES_MAX} bytes"),
            )
            .into());
        }
        Ok(Reason {
            records: records.clone(),
            text: text.to_owned(),
            salt: keys::secret::random(),
        })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn commitment(&self) -> Commitment {
        Commitment::new(DigestAlgorithm::Sha256, &self.salt, &[self.text.as_bytes()])
    }

    /// Keeps what opens the commitment.
    pub(super) async fn keep(
        &self,
        connection: &mut Connection,
        emergency: &EmergencyId,
    ) -> Result<(), sqlx::Error> {
        let context = reason_context(emergency);
        let sealed = self
            .records
            .vault
            .seal_own(&context, &(self.salt, &self.text));
        sqlx::query("INSERT INTO emergencies (emergency, sealed) VALUES ($1, $2)")
            .bind(emergency.to_string())
            .bind(sealed)
            .execute(connection)
            .await?;
        Ok(())
    }
}
