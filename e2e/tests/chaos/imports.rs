//! Services are killed in the middle of an import.

use std::time::Duration;

use client::ClientError;
use contracts::Event;
use contracts::records::event::Event as Records;
use contracts::settlement::event::Event as Settlement;
use e2e::cast::{Cast, Hospital, MadeUp, Registered, made_up, until_some};
use e2e::chain::{events, recount};
use e2e::invariants;
use e2e::system::{RunningSystem, Setup};
use interfaces::Page;
use interfaces::records::{ImportReport, RecordSummary};
use interfaces::settlement::ClaimSummary;
use serde_json::json;

/// Everybody who takes part in an import, and everybody who must not be harmed by it.
const VICTIMS: [&str; 13] = [
    "gateway",
    "identity",
    "records-lakeside",
    "records-hillcrest",
    "index",
    "authorization",
    "settlement",
    "iot",
    "replica-0",
    "replica-1",
    "replica-2",
    "replica-3",
    "nats-1",
];

/// A01, A30, A41. Fault: a fact is written in another database transaction than the outbox row that announces it.
#[tokio::test(flavor = "multi_thread")]
async fn killing_any_process_in_the_middle_of_an_import_loses_nothing_and_doubles_nothing() {
    let mut system = Setup::new().start();
    let cast = Cast::gather(&system).await;
    let people = made_up(2 * VICTIMS.len());
    let mut patients = Vec::new();
    for (victim, pair) in VICTIMS.iter().zip(people.chunks(2)) {
        patients.push(cast.patient(&pair[0]).await);
        patients.push(cast.patient(&pair[1]).await);
        // A first import gives the patients their ids at the hospitals; its records come by themselves.
        let (one, other, ()) = tokio::join!(
            import_until_taken(&cast.hospitals[0], &pair[0]),
            import_until_taken(&cast.hospitals[1], &pair[1]),
            kill_in_the_middle(&system, &cast, victim),
        );
        assert!(
            one.refused.is_empty() && other.refused.is_empty(),
            "{victim}: {:?} {:?}",
            one.refused,
            other.refused
        );
    }
    let records: usize = people.iter().map(|person| person.records).sum();
    let claims: usize = people.iter().map(|person| person.claims).sum();
    everything_is_shown(&cast, &people, &patients).await;
    let receipts = cast.client.receipts().all();
    drop(cast);
    system.stop();

    invariants::check(&system, &receipts);
    let (mut registered, mut decided) = (0, 0);
    for event in events(&system.blocks(0)) {
        match event.event {
            Event::Records(Records::RecordRegistered { .. }) => registered += 1,
            Event::Settlement(
                Settlement::ClaimAdjudicated { .. } | Settlement::ClaimPended { .. },
            ) => decided += 1,
            _ => {}
        }
    }
    assert_eq!((registered, decided), (records, claims));
    let recounted = recount(&system.blocks(0), &system.genesis()).unwrap();
    assert_eq!(recounted["records"], records);
}

/// Imports, and again whatever goes wrong, as a hospital's own system would, until everything is on the ledger.
pub async fn import_until_taken(hospital: &Hospital, person: &MadeUp) -> ImportReport {
    loop {
        match hospital.import(&person.bundle).await {
            Ok(report) if report.unchanged.len() == person.records => return report,
            Ok(report) => assert!(report.refused.is_empty(), "{:?}", report.refused),
            Err(ClientError::Problem(problem)) => assert!(
                problem.status >= 500,
                "an import that is run again is refused: {problem:?}"
            ),
            // The gateway is away.
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Kills a process once the import has begun to reach the ledger, and waits until the supervisor has it back.
async fn kill_in_the_middle(system: &RunningSystem, cast: &Cast, victim: &str) {
    let began = cast.height().await;
    while cast.height().await < began + 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let restarts = system.restarts(victim);
    system.crash(victim);
    system.until_ready(victim, restarts + 1).await;
}

/// What the services show after all this is everything, once.
pub async fn everything_is_shown(cast: &Cast, people: &[MadeUp], patients: &[Registered]) {
    for (place, hospital) in cast.hospitals.iter().enumerate() {
        let expected: usize = people
            .iter()
            .skip(place)
            .step_by(2)
            .map(|it| it.records)
            .sum();
        let mut found = 0;
        let mut after = None;
        loop {
            let asked = json!({ "page": { "limit": 500, "after": after } });
            // A service that has not read up to what its caller has seen says that it is busy.
            let page: Page<RecordSummary> = until_some(async || {
                let path = hospital.path("records/search");
                hospital.member.post(&path, &asked).await.ok()
            })
            .await;
            found += page.entries.len();
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "records found at hospital {place}");
    }
    for (person, patient) in people.iter().zip(patients) {
        // A patient has seen nothing of the ledger's end, and may be shown less at first.
        let claims = until_some(async || {
            let page: Page<ClaimSummary> = patient.member.get("/v1/claims?limit=500").await.ok()?;
            (page.entries.len() >= person.claims).then_some(page.entries.len())
        })
        .await;
        assert_eq!(claims, person.claims, "claims of a patient");
    }
}
