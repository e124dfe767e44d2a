//! A hospital that signs, past every service, for what another one holds.

use contracts::records::Rejection as Refused;
use contracts::records::command::{
    Code, CodeHolder, Command, RegisterRecord, ReportOfflineEmergency, TamperingKind,
};
use contracts::{EmergencyId, RecordNumber, Rejection, Sealed};
use e2e::chain::events;
use keys::AuthorizationCode;
use ledger::{Commitment, DigestAlgorithm, LedgerId, Timestamp};
use serde_json::Value;

use crate::records::submit;
use crate::{attacked, patient_at, records_of, still_commits};

fn commitment() -> Commitment {
    let salt = keys::secret::random::<32>();
    Commitment::new(DigestAlgorithm::Sha256, &salt, &[b"made up"])
}

fn code(record: &RecordNumber) -> Code {
    Code {
        key: AuthorizationCode::random().key(&record.0).public_key(),
        uses: u32::MAX,
        until: Timestamp(chassis::clock::now() + 3_600_000_000),
    }
}

/// Fault: whoever is a hospital may sign for any record, or what it anchors under somebody's pseudonym reaches that patient.
#[tokio::test(flavor = "multi_thread")]
async fn attack_23_a_hospital_anchors_outside_its_namespace() {
    let system = attacked();
    let (_, victim, record) = patient_at(&system, "lakeside", 0).await;
    let record: RecordNumber = record.parse().unwrap();
    let (lakeside, hillcrest) = (system.hospital("lakeside"), system.hospital("hillcrest"));
    let attacker = system.key("hillcrest", "member.json");
    let me: Value = victim.member.get("/v1/me").await.unwrap();
    let pseudonym = me["ledger_ids"][format!("hospital:{lakeside}")].as_str();
    let patient: LedgerId = pseudonym.unwrap().parse().unwrap();
    let own = records_of(&victim.member, lakeside).await;

    // What is lakeside's: versions, code, erasure, integrity, and the number itself.
    let another = RegisterRecord {
        record,
        patient,
        content: commitment(),
        index: commitment(),
        patient_code: code(&record),
        hospital_code: code(&record),
    };
    let now = Timestamp(chassis::clock::now());
    let commands = [
        (
            Command::AmendRecord {
                record,
                version: 2,
                content: commitment(),
                index: commitment(),
            },
            Refused::NotTheHospital,
        ),
        (
            Command::SetCode {
                record,
                holder: CodeHolder::Hospital,
                code: code(&record),
            },
            Refused::NotTheCodeHolder,
        ),
        (
            Command::SetCode {
                record,
                holder: CodeHolder::Patient,
                code: code(&record),
            },
            Refused::NotTheCodeHolder,
        ),
        (
            Command::WithdrawCode {
                record,
                holder: CodeHolder::Hospital,
            },
            Refused::NotTheCodeHolder,
        ),
        (
            Command::ReportTampering {
                record,
                version: 1,
                kind: TamperingKind::Deleted,
            },
            Refused::MayNotReport,
        ),
        (Command::EraseRecord { record }, Refused::NotTheOwner),
        (Command::CertifyErasure { record }, Refused::NotTheHospital),
        (
            Command::ReportOfflineEmergency(ReportOfflineEmergency {
                emergency: EmergencyId(keys::secret::random()),
                doctor: attacker.ledger_id(),
                hospital: hillcrest,
                records: vec![(record, 1)],
                viewed_at: now,
                reason: commitment(),
                viewer: Sealed(vec![1; 80]),
            }),
            Refused::NotTheHospital,
        ),
        (
            Command::RegisterRecord(another.clone()),
            Refused::RecordExists,
        ),
    ];
    for (command, expected) in commands {
        let (_, rejection) = submit(&system, &attacker, command.clone()).await;
        assert_eq!(rejection, Some(Rejection::Records(expected)), "{command:?}");
    }

    // A record of its own under the pseudonym that the patient has at lakeside: the ledger says whose it is, nobody shows it
    // to the patient as lakeside's, and it opens nothing of lakeside's.
    let stray = RecordNumber(keys::secret::random());
    let (anchored, _) = submit(
        &system,
        &attacker,
        Command::RegisterRecord(RegisterRecord {
            record: stray,
            ..another
        }),
    )
    .await;
    still_commits(&system).await;
    let registered = events(&system.process("replica-0").join("data/blocks"));
    let registered = registered
        .into_iter()
        .find_map(|decided| match decided.event {
            contracts::Event::Records(contracts::records::event::Event::RecordRegistered {
                record,
                hospital,
                ..
            }) if record == stray => Some((decided.transaction, hospital)),
            _ => None,
        });
    assert_eq!(registered, Some((Some(anchored), hillcrest)));
    assert_eq!(records_of(&victim.member, lakeside).await, own);
    for hospital in [lakeside, hillcrest] {
        let listed = records_of(&victim.member, hospital).await;
        assert!(!listed.contains(&stray.to_string()), "{hospital}");
    }
}
