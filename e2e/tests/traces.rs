//! Observability: one trace, from the HTTP request at the gateway through the owning service, all four replicas and every
//! phase of ordering, to projections.

use std::collections::BTreeSet;

use e2e::canary::{Search, canaries};
use e2e::cast::{Cast, made_up, until_some};
use e2e::system::Setup;
use e2e::traces::{Receiver, Trace};

/// What each replica says of a transaction.
const PHASES: [&str; 5] = [
    "ordering.pre_prepare",
    "ordering.prepare",
    "ordering.await_execution",
    "ordering.execute",
    "ordering.commit",
];

/// A caller's own trace, as a partner system sends it.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A03, A50. Fault: a message, a block or a spawned task goes on without the trace context.
#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_from_the_http_request_through_every_replica_to_the_projections() {
    let receiver = Receiver::start().await;
    let system = Setup::new().traces(&receiver.endpoint()).start();
    let cast = Cast::gather(&system).await;
    let patients = made_up(2);
    for patient in &patients {
        cast.patient(patient).await;
    }
    // The first import makes the patient's id at the hospital; records register themselves once it is endorsed. What is
    // traced is the second one, with one record changed.
    let bundle = &patients[0].bundle;
    until_some(async || {
        let report = cast.hospitals[0].import(bundle).await.unwrap();
        (report.unchanged.len() == patients[0].records).then_some(())
    })
    .await;
    let changed = bundle.replacen("\"status\":\"finished\"", "\"status\":\"cancelled\"", 1);
    assert_ne!(*bundle, changed);
    import_traced(&system, &cast, &changed).await;

    let trace = until_some(async || {
        let trace = receiver.trace(TRACE);
        is_whole(&trace).then_some(trace)
    })
    .await;
    let gaps = trace.gaps(CALLER);
    assert!(gaps.is_empty(), "spans without a parent: {gaps:#?}");
    let request = trace.named("http_request").next().unwrap();
    assert_eq!(
        (request.process.as_str(), request.parent.as_deref()),
        ("gateway", Some(CALLER))
    );
    assert_eq!(
        request.attributes["http.route"],
        "/v1/hospitals/{hospital}/records/import"
    );
    // Each replica's part of a transaction hangs on the submission of the service that owns it.
    for replica in 0..4 {
        let process = format!("replica-{replica}");
        let whole = trace
            .named("ordering.transaction")
            .find(|span| span.process == process)
            .unwrap();
        assert_eq!(
            trace.way_up(whole)[1..],
            [
                "records-lakeside/submit",
                "records-lakeside/serve",
                "gateway/request",
                "gateway/http_request"
            ]
        );
        let children: Vec<_> = trace
            .spans()
            .filter(|span| span.parent.as_deref() == Some(&whole.id))
            .collect();
        for phase in PHASES {
            let found = children.iter().filter(|span| span.name == phase).count();
            assert_eq!(found, 1, "{process} has {found} spans {phase}");
        }
        assert!(
            children
                .iter()
                .filter(|span| span.name.starts_with("ordering."))
                .all(|span| span.start_ns >= whole.start_ns && span.end_ns <= whole.end_ns),
            "a phase lies outside of its transaction"
        );
    }
    let project = trace
        .named("project")
        .find(|span| span.process == "index")
        .unwrap();
    assert!(trace.way_up(project)[1].ends_with("/ordering.transaction"));

    // Nothing of the people in them is in any span of any process.
    let mut strings = canaries(2);
    strings.extend(patients.into_iter().map(|patient| patient.identity_id));
    let search = Search::new(strings);
    let bytes = receiver.bytes();
    assert!(bytes.len() > 100_000, "only {} bytes came", bytes.len());
    assert_eq!(search.find(&bytes), BTreeSet::new());
}

/// Whether every part of the story of one transaction has come; spans come in batches, each process in its own time.
fn is_whole(trace: &Trace) -> bool {
    let processes = trace.processes();
    let replicas = (0..4).all(|replica| {
        let process = format!("replica-{replica}");
        trace
            .named("ordering.commit")
            .any(|span| span.process == process)
    });
    let projected = ["index", "settlement", "records-lakeside", "identity"]
        .iter()
        .all(|process| trace.named("project").any(|span| span.process == **process));
    replicas
        && projected
        && processes.contains("gateway")
        && trace.named("http_request").next().is_some()
        && trace.gaps(CALLER).is_empty()
}

/// Imports a Bundle at Lakeside, within a trace of the caller's own.
async fn import_traced(system: &e2e::system::RunningSystem, cast: &Cast, bundle: &str) {
    let hospital = &cast.hospitals[0];
    let url = format!(
        "http://{}{}",
        system.address("gateway", "rest"),
        hospital.path("records/import")
    );
    keys::tls::use_ring();
    let answer = reqwest::Client::new()
        .post(url)
        .bearer_auth(hospital.member.token())
        .header("content-type", "application/fhir+json")
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
        .body(bundle.to_owned())
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    assert_eq!(answer.headers()["x-trace-id"], TRACE);
}
