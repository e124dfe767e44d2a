//! The access matrix (`e2e/access-matrix.toml`), walked whole: 0 unexpected allows, 0 unexpected denials.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use e2e::attacked::Attacked;
use e2e::story::workspace;
use keys::certificate::{CertificateRequest, LeafKind};
use serde::Deserialize;
use serde_json::Value;

use crate::{attacked, name_guardian, patient_at};

const ANONYMOUS: &str = "anonymous";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Matrix {
    request: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    to: String,
    body: Option<String>,
    allow: Vec<String>,
    #[serde(default)]
    answer: Vec<u16>,
    /// Walked at the end, one after another: it ends sessions.
    #[serde(default)]
    last: bool,
    #[serde(default, rename = "note")]
    _note: Option<String>,
}

/// Who asks, by their token, and what the placeholders stand for.
struct World {
    tokens: BTreeMap<&'static str, Option<String>>,
    values: BTreeMap<&'static str, String>,
}

impl World {
    async fn of(system: &Attacked) -> World {
        let (number, owner, record) = patient_at(system, "lakeside", 0).await;
        let (next, patient, _) = patient_at(system, "lakeside", number + 1).await;
        let (_, delegate, _) = patient_at(system, "lakeside", next + 1).await;
        let lakeside = system.hospital("lakeside");
        let (owner_id, _) =
            name_guardian(system, &owner, &delegate, lakeside, "ReadAndDecide").await;
        let doctor = system.doctor("lakeside").await.member;
        let me: Value = doctor.get("/v1/me").await.expect("the doctor's ids");
        let doctor_id = me["ledger_ids"]["self"].as_str().expect("an id").to_owned();
        let me: Value = owner.member.get("/v1/me").await.expect("the owner's ids");
        let insured = me["ledger_ids"]["insurance"]
            .as_str()
            .expect("an id")
            .to_owned();
        let other_doctor = system.doctor("hillcrest").await.member;
        let clerk = system.clerk("lakeside").await.member;
        let other_clerk = system.clerk("hillcrest").await.member;
        let mut tokens = BTreeMap::from([
            (ANONYMOUS, None),
            ("owner", Some(owner.member.token().to_owned())),
            ("patient", Some(patient.member.token().to_owned())),
            ("delegate", Some(delegate.member.token().to_owned())),
            ("doctor", Some(doctor.token().to_owned())),
            ("other_doctor", Some(other_doctor.token().to_owned())),
            ("clerk", Some(clerk.token().to_owned())),
            ("other_clerk", Some(other_clerk.token().to_owned())),
        ]);
        for (name, slug, file) in [
            ("hospital", "lakeside", "member.json"),
            ("other_hospital", "hillcrest", "member.json"),
            ("third_party", "institute", "member.json"),
            ("insurer", "mutual", "member.json"),
            ("regulator", "regulator", "member.json"),
            ("treasurer", "treasury", "member.json"),
            ("operator", "authority", "operator.json"),
        ] {
            let member = system.organisation(slug, file).await;
            tokens.insert(name, Some(member.token().to_owned()));
        }
        let request = CertificateRequest::new("nobody", LeafKind::Device).expect("a request");
        let values = BTreeMap::from([
            ("hospital", system.hospital("lakeside").to_string()),
            ("record", record),
            ("owner", owner_id),
            ("doctor", doctor_id),
            ("insured", insured),
            ("unknown16", "ab".repeat(16)),
            ("unknown32", "ab".repeat(32)),
            ("base64_32", data_encoding::BASE64URL_NOPAD.encode(&[7; 32])),
            ("base64_64", data_encoding::BASE64URL_NOPAD.encode(&[7; 64])),
            (
                "certificate_request",
                request.request_pem.replace('\n', "\\n"),
            ),
        ]);
        World { tokens, values }
    }

    fn filled(&self, text: &str) -> String {
        let random = data_encoding::HEXLOWER.encode(&keys::secret::random::<16>());
        let mut text = text.replace("{random16}", &random);
        for (name, value) in &self.values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }
}

/// A path of the matrix as the OpenAPI document writes it.
fn is_of(path: &str, template: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (path, template): (Vec<_>, Vec<_>) =
        (path.split('/').collect(), template.split('/').collect());
    path.len() == template.len()
        && path
            .iter()
            .zip(&template)
            .all(|(part, of)| of.starts_with('{') || part == of)
}

fn matrix() -> Matrix {
    let file = workspace().join("e2e/access-matrix.toml");
    let text = std::fs::read_to_string(file).expect("the matrix");
    toml::from_str(&text).expect("the matrix is TOML")
}

/// Fault: an endpoint is added without a row.
#[test]
fn every_endpoint_has_a_row_in_the_access_matrix() {
    let text = std::fs::read(workspace().join("proto/openapi.json")).unwrap();
    let document: Value = serde_json::from_slice(&text).unwrap();
    let matrix = matrix();
    let mut missing = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let covered = matrix.request.iter().any(|row| {
                let (of_row, to) = row.to.split_once(' ').expect("METHOD /path");
                of_row.eq_ignore_ascii_case(method) && is_of(to, path)
            });
            // The stream of events is for anyone, and never ends.
            if !covered && path != "/v1/events" {
                missing.push(format!("{method} {path}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// Fault: a role check is missing, or asks for the wrong role; identity is taken from anything but the verified token.
#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_answered_to_exactly_those_whom_the_access_matrix_names() {
    let system = attacked();
    let world = World::of(&system).await;
    let tls = system.identity("organisations/authority/tls.pem");
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls.client_config().unwrap())
        .build()
        .unwrap();
    let base = format!("https://{}", system.address("gateway", "rest"));
    let (mut wrong, mut asked) = (String::new(), 0);
    let mut rows = matrix().request;
    rows.sort_by_key(|row| row.last);
    for row in rows {
        let (method, path) = row.to.split_once(' ').expect("METHOD /path");
        let allowed: BTreeSet<&str> = row.allow.iter().map(String::as_str).collect();
        for (who, token) in &world.tokens {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = http.request(method, format!("{base}{}", world.filled(path)));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            if let Some(body) = &row.body {
                request = request
                    .header("content-type", "application/json")
                    .body(world.filled(body));
            }
            let answer = request.send().await.expect("an answer");
            let status = answer.status().as_u16();
            let text = answer.text().await.unwrap_or_default();
            asked += 1;
            let expected = match row.answer.as_slice() {
                [] => (200..300).contains(&status),
                listed => listed.contains(&status),
            };
            let refused = matches!(status, 401 | 403 | 404)
                || (status == 409 && text.contains("\"rejection\""));
            let fine = match allowed.contains(who) {
                true => expected,
                false if row.allow.is_empty() => !(200..300).contains(&status) && status < 500,
                false => refused && (!expected || *who == ANONYMOUS),
            };
            if !fine {
                let kind = if allowed.contains(who) {
                    "denied"
                } else {
                    "allowed"
                };
                let text: String = text.chars().take(160).collect();
                let _ = writeln!(
                    wrong,
                    "unexpectedly {kind}: {who}: {} -> {status} {text}",
                    row.to
                );
            }
        }
    }
    println!("{asked} requests walked");
    assert!(wrong.is_empty(), "\n{wrong}");
    // A token that identity did not sign, or that was changed, is nobody's.
    let owner = world.tokens["owner"].clone().unwrap();
    let middle = owner.len() / 2;
    let changed = format!(
        "{}{}{}",
        &owner[..middle],
        if &owner[middle..=middle] == "A" {
            "B"
        } else {
            "A"
        },
        &owner[middle + 1..]
    );
    for token in [changed, "v4.public.AAAA".to_owned(), String::new()] {
        let answer = http
            .get(format!("{base}/v1/me"))
            .bearer_auth(token)
            .header("x-member", "regulator")
            .header("x-forwarded-user", "regulator")
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status().as_u16(), 401);
    }
}

/// Fault: a port lets somebody in without a certificate of the consortium, or speaks without TLS.
#[tokio::test(flavor = "multi_thread")]
async fn no_port_answers_without_a_certificate_of_the_consortium() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let system = attacked();
    let plain = [
        ("gateway", "rest"),
        ("gateway", "grpc"),
        ("nats-1", "mqtt"),
        ("portal", "web"),
    ];
    for (process, listener) in plain {
        let mut plain = tokio::net::TcpStream::connect(system.address(process, listener))
            .await
            .unwrap();
        plain
            .write_all(b"GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        let _ = plain.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer);
        assert!(
            !text.contains("HTTP/1.1 200"),
            "{process} {listener}: {text}"
        );
    }
    // TLS with the right root, and no certificate; then with one of another consortium's.
    let root = std::fs::read(system.folder.join("root.pem")).unwrap();
    let base = format!("https://{}", system.address("gateway", "rest"));
    let anonymous = keys::tls::trusting(&root).unwrap();
    let strangers = foreign(&root);
    for config in [anonymous, strangers] {
        for (process, listener) in [("gateway", "rest"), ("gateway", "grpc"), ("nats-1", "mqtt")] {
            let address = system.address(process, listener);
            let config = config.clone();
            let heard = tokio::task::spawn_blocking(move || heard_over_tls(address, config));
            let heard = heard.await.unwrap();
            assert!(heard.is_none(), "{process} {listener} answers: {heard:?}");
        }
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .build()
            .unwrap();
        let answer = http.get(format!("{base}/v1/status")).send().await;
        assert!(
            answer.is_err(),
            "somebody without a certificate is answered"
        );
    }
}

/// What a port says over TLS to whoever begins to speak; nothing if it breaks off.
fn heard_over_tls(address: std::net::SocketAddr, config: rustls::ClientConfig) -> Option<Vec<u8>> {
    use std::io::{Read as _, Write as _};
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut tls = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut connection = std::net::TcpStream::connect(address).unwrap();
    let mut stream = rustls::Stream::new(&mut tls, &mut connection);
    stream
        .write_all(b"GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n")
        .ok()?;
    let mut heard = vec![0; 1_024];
    let bytes = stream.read(&mut heard).ok().filter(|bytes| *bytes > 0)?;
    heard.truncate(bytes);
    Some(heard)
}

/// A certificate by an authority of the attacker's own, which trusts the system's root.
fn foreign(root: &[u8]) -> rustls::ClientConfig {
    use keys::certificate::{Authority, LeafKey, LeafRequest};
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64;
    let (begin, end) = (
        ledger::Timestamp(now - 1_000_000),
        ledger::Timestamp(now + 3_600_000_000),
    );
    let own = Authority::root("medshare", begin, end).unwrap();
    let issuing = own.issuing("medshare", &[], begin, end).unwrap();
    let leaf = issuing
        .issue(&LeafRequest {
            kind: LeafKind::Organisation,
            subject: "authority".into(),
            names: Vec::new(),
            not_before: begin,
            not_after: end,
            key: LeafKey::NewEd25519,
        })
        .unwrap();
    let identity = format!(
        "{}{}{}",
        *leaf.key_pem.unwrap(),
        leaf.certificate_pem,
        issuing.certificate_pem()
    );
    keys::tls::TlsIdentity::from_pem(&identity, root)
        .unwrap()
        .client_config()
        .unwrap()
}
