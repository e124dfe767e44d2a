//! Which member stands behind a hospital's patient number.

use std::time::Duration;

use bus::Bus;
use contracts::membership::command::MemberKind;
use interfaces::Problem;
use interfaces::identity::*;
use ledger::LedgerId;

use crate::consortium::Consortium;

async fn ask(
    consortium: &Consortium,
    service: &Bus,
    hospital: LedgerId,
    number: &str,
    identity_id: &str,
) -> Result<Option<PatientMatch>, Problem> {
    let request = MatchPatients {
        hospital,
        patients: vec![PatientToMatch {
            patient_number: number.to_owned(),
            identity_id: identity_id.to_owned(),
        }],
    };
    let mut matched = consortium.ask_by(service, None, request).await?;
    Ok(matched.matches.remove(0))
}

/// Asks until there is a match, endorsing the ledger id that first care makes.
pub async fn matched(
    consortium: &Consortium,
    service: &Bus,
    hospital: LedgerId,
    token: &str,
    number: &str,
    identity_id: &str,
) -> PatientMatch {
    loop {
        if let Some(found) = ask(consortium, service, hospital, number, identity_id)
            .await
            .unwrap()
        {
            return found;
        }
        let account = consortium.ask(Some(token), GetOwnAccount {}).await.unwrap();
        if let Some(id) = account.ledger_ids.get(&format!("hospital:{hospital}")) {
            let member = consortium.ask(None, GetMember { member: *id }).await;
            if member.is_ok_and(|member| member.status == "pending") {
                consortium.endorse(*id).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_is_found_by_the_identity_id_and_has_another_ledger_id_at_each_hospital() {
    let consortium = Consortium::start().await;
    let (north, south) = (
        consortium.hospital.ledger_id(),
        consortium.other_hospital.ledger_id(),
    );
    // Whoever has not enrolled is nobody; their records wait.
    let nobody = ask(&consortium, &consortium.north, north, "MR-1", "P-1").await;
    assert_eq!(nobody.unwrap(), None);
    let (registered, token) = consortium.enrol(MemberKind::Patient, "P-1").await;
    let here = matched(&consortium, &consortium.north, north, &token, "MR-1", "P-1").await;
    let there = matched(&consortium, &consortium.south, south, &token, "77", "P-1").await;
    assert_ne!(here.patient, there.patient);
    assert_eq!(here.person, there.person, "the index counts one person");
    assert_eq!(here.insured, registered.ledger_ids["insurance"]);
    let again = ask(&consortium, &consortium.north, north, "MR-1", "P-1").await;
    assert_eq!(again.unwrap(), Some(here));
    // A doctor's document matches no patient.
    consortium.enrol(MemberKind::Doctor, "D-1").await;
    let doctor = ask(&consortium, &consortium.north, north, "MR-2", "D-1").await;
    assert_eq!(doctor.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undone_match_stays_undone_and_another_number_still_matches() {
    let consortium = Consortium::start().await;
    let north = consortium.hospital.ledger_id();
    let (_, token) = consortium.enrol(MemberKind::Patient, "P-1").await;
    let found = matched(&consortium, &consortium.north, north, &token, "MR-1", "P-1").await;
    let undo = |number: &str| UndoMatch {
        hospital: north,
        patient_number: number.to_owned(),
    };
    consortium
        .ask_by(&consortium.north, None, undo("MR-1"))
        .await
        .unwrap();
    let undone = ask(&consortium, &consortium.north, north, "MR-1", "P-1").await;
    assert_eq!(undone.unwrap(), None);
    let twice = consortium
        .ask_by(&consortium.north, None, undo("MR-1"))
        .await
        .unwrap_err();
    assert_eq!(twice.status, 404);
    let right = ask(&consortium, &consortium.north, north, "MR-3", "P-1").await;
    assert_eq!(right.unwrap(), Some(found));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hospital_matches_and_undoes_for_itself_only_and_nobody_else_does() {
    let consortium = Consortium::start().await;
    let north = consortium.hospital.ledger_id();
    for service in [
        &consortium.south,
        &consortium.gateway,
        &consortium.settlement,
    ] {
        let refused = ask(&consortium, service, north, "MR-1", "P-1").await;
        assert_eq!(refused.unwrap_err().status, 403);
        let undo = UndoMatch {
            hospital: north,
            patient_number: "MR-1".into(),
        };
        let refused = consortium.ask_by(service, None, undo).await;
        assert_eq!(refused.unwrap_err().status, 403);
    }
}
