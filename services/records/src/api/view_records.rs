//! Views records: the view is committed before the content leaves. By the patient, a guardian who may read, a doctor of this
//! hospital, or a doctor with an opened emergency.

use std::sync::Arc;

use bus::Call;
use contracts::RecordNumber;
use contracts::records::command::{Basis, Command, RECORDS_PER_ACCESS_MAX};
use interfaces::Problem;
use interfaces::records::{ViewRecords, ViewedRecords};
use keys::Role;
use ledger::LedgerId;
use submission::Caller;

use crate::failure::{Failure, forbidden};
use crate::projections;
use crate::service::{Records, now_us};

pub(super) async fn view_records(
    records: Arc<Records>,
    call: Call,
    request: ViewRecords,
) -> Result<ViewedRecords, Failure> {
    let caller = records.caller(&call)?;
    let asked = ascending(&request.records)?;
    let mut patient = None;
    for record in &asked {
        let owner = records.standing_record(record).await?.patient;
        if patient.is_some_and(|first| first != owner) {
            // Said only to those who may see each of them: everybody else learns nothing of whose they are.
            viewer_and_basis(&records, &caller, &request, &owner).await?;
            return Err(Problem::bad_input("records", "must be records of one patient").into());
        }
        patient = Some(owner);
    }
    let patient = patient.ok_or_else(forbidden)?;
    let (viewer, basis) = viewer_and_basis(&records, &caller, &request, &patient).await?;
    let name = records.sealed_viewer(&caller, &patient, None).await?;
    let command = Command::LogAccess {
        records: asked,
        basis,
        purpose: request.purpose,
        viewer: name,
    };
    let committed = records
        .desk
        .commit_with_custody(&caller, viewer, command, submission::no_facts())
        .await?;
    records.content_of(committed).await
}

/// Who views, and on what basis; refused early where the contract would refuse.
async fn viewer_and_basis(
    records: &Records,
    caller: &Caller,
    request: &ViewRecords,
    patient: &LedgerId,
) -> Result<(LedgerId, Basis), Failure> {
    if caller.session().has_role(Role::Patient) {
        if let Ok(own) = records.own_patient_id(caller).await
            && own == *patient
        {
            return Ok((own, Basis::Owner));
        }
        let guardian = records.reading_guardian(caller, patient).await?;
        return Ok((guardian, Basis::Delegation));
    }
    if let Some(emergency) = request.emergency {
        let doctor = records.doctor_id(caller)?;
        let opened = projections::emergency(records.reader(), &emergency)
            .await?
            .ok_or_else(forbidden)?;
        let holds =
            opened.doctor == doctor && opened.patient == *patient && now_us() < opened.until;
        return if holds {
            Ok((doctor, Basis::Emergency { emergency }))
        } else {
            Err(forbidden())
        };
    }
    let doctor = records.own_doctor_id(caller).await?;
    Ok((
        doctor,
        Basis::OwnHospital {
            hospital: records.hospital,
        },
    ))
}

/// The records, ascending and once each, as the contract wants them.
pub(super) fn ascending(asked: &[RecordNumber]) -> Result<Vec<RecordNumber>, Failure> {
    let mut asked = asked.to_vec();
    asked.sort();
    asked.dedup();
    if asked.is_empty() || asked.len() > RECORDS_PER_ACCESS_MAX {
        return Err(Problem::bad_input(
            "records",
            format!("must be 1 to {RECORDS_PER_ACCESS_MAX} records"),
        )
        .into());
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_asked_for_in_order_and_once_each() {
        let (one, two) = (RecordNumber([1; 16]), RecordNumber([2; 16]));
        assert_eq!(ascending(&[two, one, two]).unwrap(), vec![one, two]);
        assert!(ascending(&[]).is_err());
        let many: Vec<RecordNumber> = (0..=256u16)
            .map(|number| {
                let mut bytes = [0; 16];
                bytes[..2].copy_from_slice(&number.to_be_bytes());
                RecordNumber(bytes)
            })
            .collect();
        assert!(ascending(&many).is_err());
        assert!(ascending(&many[..256]).is_ok());
    }
}
