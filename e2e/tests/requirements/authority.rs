//! The authority, its certificates, and what nodes and regulators can do about members.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use contracts::Event;
use contracts::membership::command::MemberKind;
use contracts::records::event::Event as Records;
use e2e::cast::{Cast, made_up, until_some};
use e2e::chain::events;
use e2e::system::Setup;
use interfaces::Page;
use interfaces::identity::{Authority, IssuedCertificate};
use interfaces::records::{RecordSummary, ViewedRecords};
use ledger::GenesisFile;
use serde_json::json;

/// Files in a folder of their own, for OpenSSL.
struct Files(tempfile::TempDir);

impl Files {
    fn keep(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::File::create(&path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        path
    }

    /// `openssl verify` of a chain, against the authority's root and its revocation list.
    fn verify(&self, authority: &Authority, chain: &str) -> Output {
        let root = self.keep("root.pem", &authority.root);
        let issuing = self.keep("issuing.pem", &authority.issuing);
        let list = self.keep("list.pem", &authority.revocations);
        let leaf = self.keep("leaf.pem", chain);
        Command::new("openssl")
            .arg("verify")
            .arg("-crl_check")
            .args([PathBuf::from("-CAfile"), root])
            .args([PathBuf::from("-untrusted"), issuing])
            .args([PathBuf::from("-CRLfile"), list])
            .arg(leaf)
            .output()
            .expect("openssl runs")
    }
}

/// A13, A28. Fault: a suspended or revoked member's session goes on, or a revoked certificate is still good.
#[tokio::test(flavor = "multi_thread")]
async fn the_authority_certifies_members_and_suspension_and_revocation_take_effect() {
    let system = Setup::new().start();
    let cast = Cast::gather(&system).await;
    let institute = cast
        .organisation(MemberKind::ThirdParty, "Institute of Tests")
        .await;
    let key = institute.key().unwrap().clone();
    let id = key.ledger_id();

    // The authority is the one that the genesis file names, and certifies the key that the ledger knows.
    let authority: Authority = cast.client.get("/v1/certificates/authority").await.unwrap();
    let genesis = std::fs::read_to_string(system.genesis()).unwrap();
    let genesis = GenesisFile::from_json(&genesis).unwrap();
    assert_eq!(
        keys::certificate::certificate_digest(&authority.root).unwrap(),
        genesis.certificate_authority
    );
    let wanted = json!({ "public_key": key.public_key() });
    let issued: IssuedCertificate = institute.post("/v1/certificates", &wanted).await.unwrap();
    let files = Files(tempfile::tempdir().unwrap());
    let verified = files.verify(&authority, &issued.chain);
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );
    let foreign = json!({ "public_key": keys::MemberKey::random().public_key() });
    let refused = institute
        .post::<_, IssuedCertificate>("/v1/certificates", &foreign)
        .await
        .unwrap_err();
    assert!(refused.is_status(400), "{refused}");

    // Suspended: neither the session nor a new one is good for anything; reinstated, both are.
    let change = async |to: &str| {
        let path = format!("/v1/members/{id}/status");
        cast.regulator
            .command(&path, &json!({ "change": to }))
            .await
            .unwrap();
    };
    let searches = json!({ "disease": "40055000" });
    let search = async || {
        institute
            .post::<_, serde_json::Value>("/v1/searches", &searches)
            .await
    };
    change("suspend").await;
    assert_eq!(cast.member(&id).await.unwrap().status, "suspended");
    let refused = cast
        .client
        .sign_in_with_key(key.clone())
        .await
        .err()
        .unwrap();
    assert!(
        refused.is_status(401) || refused.is_status(403),
        "{refused}"
    );
    let refused = institute
        .post::<_, IssuedCertificate>("/v1/certificates", &wanted)
        .await
        .unwrap_err();
    assert!(
        refused.is_status(401) || refused.is_status(403),
        "{refused}"
    );
    change("reinstate").await;
    let back = cast.client.sign_in_with_key(key.clone()).await.unwrap();
    back.post::<_, IssuedCertificate>("/v1/certificates", &wanted)
        .await
        .unwrap();
    search().await.unwrap();

    // Revoked: for good, and so is its certificate.
    change("revoke").await;
    let refused = cast.client.sign_in_with_key(key).await.err().unwrap();
    assert!(
        refused.is_status(401) || refused.is_status(403),
        "{refused}"
    );
    let authority: Authority = cast.client.get("/v1/certificates/authority").await.unwrap();
    let verified = files.verify(&authority, &issued.chain);
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(
        !verified.status.success() && said.contains("revoked"),
        "{said}"
    );
    let refused = cast
        .regulator
        .command(
            &format!("/v1/members/{id}/status"),
            &json!({ "change": "reinstate" }),
        )
        .await
        .unwrap_err();
    assert!(
        refused.problem().unwrap().rejection.is_some(),
        "a revoked member was reinstated"
    );
}

/// A29. Fault: a viewer's name is sealed to the patient alone, or to everybody.
#[tokio::test(flavor = "multi_thread")]
async fn the_regulator_reads_from_the_ledger_who_viewed_what_and_others_do_not() {
    let system = Setup::new().start();
    let cast = Cast::gather(&system).await;
    let person = made_up(1).remove(0);
    let patient = cast.patient(&person).await;
    let hospital = &cast.hospitals[0];
    let doctor = cast.doctor(0, "Dr. Watched").await;
    until_some(async || {
        let report = hospital.import(&person.bundle).await.unwrap();
        (report.unchanged.len() == person.records).then_some(())
    })
    .await;
    let found: Page<RecordSummary> = doctor
        .member
        .post(&hospital.path("records/search"), &json!({}))
        .await
        .unwrap();
    let record = found.entries[0].record.unwrap();
    let asked = json!({ "records": [record], "purpose": contracts::Purpose::Treatment });
    let viewed: ViewedRecords = doctor
        .member
        .post(&hospital.path("records/views"), &asked)
        .await
        .unwrap();
    assert!(viewed.records[0].content.is_some());

    // From a node's own files: the view is there, and the regulator's key opens whose it was.
    let logged = events(&system.blocks(2))
        .into_iter()
        .find_map(|decided| match decided.event {
            Event::Records(Records::AccessLogged {
                records,
                viewer,
                viewer_name,
                ..
            }) => Some((records, viewer, viewer_name)),
            _ => None,
        });
    let (records, viewer, name) = logged.unwrap();
    assert_eq!(records, [(record, 1)]);
    assert_eq!(viewer, doctor.account.ledger_ids["self"]);
    let opened_by =
        |member: &client::Member| keys::viewer_name::open(member.key().unwrap().sealing(), &name.0);
    assert_eq!(opened_by(&cast.regulator).unwrap(), "Dr. Watched");
    for other in [&cast.insurer, &cast.treasurer, &cast.operators[2]] {
        assert!(opened_by(other).is_err());
    }
    drop(patient);
}
