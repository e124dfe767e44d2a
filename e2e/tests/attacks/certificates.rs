//! Certificates as others see them (openssl), and their renewal while everything runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use e2e::attacked::{Attacked, eventually};
use e2e::story::{medshare, program, skipped};
use interfaces::identity::Authority;
use keys::tls::TlsFiles;

use crate::attacked;
use crate::codes::guesser;
use crate::edges::{newcomer, set_status};

/// What openssl says of a leaf under the authority and its revocation list.
fn openssl(folder: &Path, authority: &Authority, chain: &str) -> Result<(), String> {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let output = Command::new("openssl")
        .args(["verify", "-crl_check", "-x509_strict", "-CAfile"])
        .arg(file("root.pem", &authority.root))
        .arg("-untrusted")
        .arg(file("issuing.pem", &authority.issuing))
        .arg("-CRLfile")
        .arg(file("list.pem", &authority.revocations))
        .arg(file("leaf.pem", chain))
        .output()
        .expect("openssl runs");
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// What openssl says of the online answer (OCSP) about a leaf, asked over REST; the folder has the authority's files.
async fn online(system: &Attacked, folder: &Path, chain: &str) -> String {
    std::fs::write(folder.join("own.pem"), chain).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new("openssl")
            .arg("ocsp")
            .args(arguments)
            .current_dir(folder)
            .output()
            .expect("openssl runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let own = ["-issuer", "issuing.pem", "-cert", "own.pem"];
    run(&[&own[..], &["-reqout", "request.der"]].concat());
    let answer = guesser(system, 99)
        .post(format!(
            "https://{}/v1/ocsp",
            system.address("gateway", "rest")
        ))
        .header("content-type", "application/ocsp-request")
        .body(std::fs::read(folder.join("request.der")).expect("a request"))
        .send()
        .await
        .expect("an answer");
    let kind = answer.headers()["content-type"].clone();
    assert_eq!(kind, "application/ocsp-response");
    let answer = answer.bytes().await.expect("an answer");
    std::fs::write(folder.join("answer.der"), answer).unwrap();
    let trusted = [
        "-CAfile",
        "root.pem",
        "-verify_other",
        "issuing.pem",
        "-respin",
        "answer.der",
    ];
    let nonce = run(&[&trusted[..], &["-reqin", "request.der"]].concat());
    assert!(!nonce.contains("Nonce Verify error"), "{nonce}");
    run(&[&trusted[..], &own[..], &["-no_nonce"]].concat())
}

/// Fault: a certificate that only our own code takes for good, or a list that only our own code reads.
#[tokio::test(flavor = "multi_thread")]
async fn openssl_accepts_every_chain_and_refuses_a_revoked_one() {
    if Command::new("openssl").arg("version").output().is_err() {
        skipped(
            "openssl_accepts_every_chain_and_refuses_a_revoked_one",
            "openssl is missing",
        );
        return;
    }
    let system = attacked();
    let folder = tempfile::tempdir().unwrap();
    let (key, identity) = newcomer(&system).await;
    let mut chains = vec![("a partner system's".to_owned(), identity.chain_pem())];
    let processes = std::fs::read_dir(system.folder.join("processes")).unwrap();
    for process in processes.flatten() {
        let name = process.file_name().to_string_lossy().into_owned();
        let own = system.identity(&format!("processes/{name}/keys/tls.pem"));
        chains.push((name, own.chain_pem()));
    }
    assert!(chains.len() > 12);
    let authority: Authority = system
        .client
        .get("/v1/certificates/authority")
        .await
        .expect("the authority");
    for (name, chain) in &chains {
        let said = openssl(folder.path(), &authority, chain);
        assert_eq!(said, Ok(()), "{name}");
    }
    let said = online(&system, folder.path(), &chains[0].1).await;
    assert!(said.contains("Response verify OK"), "{said}");
    assert!(said.contains("own.pem: good"), "{said}");
    for (change, refused) in [("suspend", true), ("reinstate", false), ("revoke", true)] {
        set_status(&system, &key, change).await;
        let said = eventually("the list says so", async || {
            let authority: Authority =
                system.client.get("/v1/certificates/authority").await.ok()?;
            let said = openssl(folder.path(), &authority, &chains[0].1);
            (said.is_err() == refused).then_some(said)
        })
        .await;
        if let Err(text) = said {
            assert!(text.contains("certificate revoked"), "{text}");
        }
        let standing = match refused {
            true => "own.pem: revoked",
            false => "own.pem: good",
        };
        let said = online(&system, folder.path(), &chains[0].1).await;
        assert!(said.contains("Response verify OK"), "{said}");
        assert!(said.contains(standing), "{said}");
    }
}

/// Fault: a process keeps its certificate until it ends, or the broker goes on showing the old one.
#[test]
fn processes_renew_their_certificates_while_they_run() {
    let folder = tempfile::tempdir().unwrap();
    let system = folder.path().join("system");
    let description = medshare(&["init", "--print-config", "--tls", "mutual"]);
    let description = String::from_utf8(description.stdout).unwrap();
    // Three minutes: renewed after two.
    let short = description.replace("certificate_hours = 72.0", "certificate_hours = 0.05");
    assert_ne!(short, description);
    let config = folder.path().join("consortium.toml");
    std::fs::write(&config, short).unwrap();
    let made = medshare(&[
        "init",
        "--config",
        config.to_str().unwrap(),
        "--dir",
        system.to_str().unwrap(),
    ]);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let mut up = Command::new(program())
        .args(["up", "--json", "--dir"])
        .arg(&system)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !system.join("run/control.json").exists() {
        assert!(
            up.try_wait().unwrap().is_none(),
            "the system does not start"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let first = serials(&system);
    loop {
        let now = serials(&system);
        if now.iter().all(|(name, serial)| first[name] != *serial) {
            break;
        }
        assert!(up.try_wait().unwrap().is_none(), "the system ended");
        std::thread::sleep(Duration::from_millis(500));
    }
    // Past the end of the first ones, everything still connects: a process that is started anew does.
    let restarted = medshare(&[
        "admin",
        "restart",
        "index",
        "--dir",
        system.to_str().unwrap(),
    ]);
    assert!(
        restarted.status.success(),
        "{}",
        String::from_utf8_lossy(&restarted.stderr)
    );
    let _ = Command::new("kill")
        .args(["-INT", &up.id().to_string()])
        .status();
    up.wait().unwrap();
}

fn serials(system: &Path) -> BTreeMap<String, String> {
    let processes = std::fs::read_dir(system.join("processes")).unwrap();
    processes
        .flatten()
        .map(|process| {
            let files = TlsFiles {
                identity_file: process.path().join("keys/tls.pem"),
                root_file: system.join("root.pem"),
            };
            let identity = files.load().unwrap();
            let name = process.file_name().to_string_lossy().into_owned();
            (name, identity.leaf().serial.clone())
        })
        .collect()
}
