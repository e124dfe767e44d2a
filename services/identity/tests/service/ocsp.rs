//! Online answers about certificates, as OpenSSL asks for them and judges them.

use std::path::PathBuf;
use std::process::Command;

use contracts::membership::command::Command as Membership;
use interfaces::Base64;
use interfaces::identity::*;
use keys::certificate::{CertificateRequest, LeafKind, request_digest};

use crate::consortium::Consortium;

/// OpenSSL, in a folder with the authority's certificates.
struct OpenSsl(tempfile::TempDir);

impl OpenSsl {
    fn with(authority: &Authority) -> OpenSsl {
        let openssl = OpenSsl(tempfile::tempdir().unwrap());
        openssl.keep("root.pem", authority.root.as_bytes());
        openssl.keep("issuing.pem", authority.issuing.as_bytes());
        openssl
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn keep(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Success, and all it says.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let run = Command::new("openssl")
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .expect("openssl runs");
        let said = [run.stdout, run.stderr].concat();
        (
            run.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    /// A request about a certificate, with a nonce.
    fn question(&self, certificate: &str) -> Vec<u8> {
        let (made, said) = self.run(&[
            "ocsp",
            "-issuer",
            "issuing.pem",
            "-cert",
            certificate,
            "-reqout",
            "request.der",
        ]);
        assert!(made, "{said}");
        std::fs::read(self.path("request.der")).unwrap()
    }

    /// What it says of an answer: to its last question (nonce, signature, times), and about the certificate.
    fn judge(&self, certificate: &str, answer: &[u8]) -> (bool, String) {
        self.keep("answer.der", answer);
        let trusted = ["-CAfile", "root.pem", "-verify_other", "issuing.pem"];
        let (asked, first) = self.run(
            &[
                &["ocsp", "-reqin", "request.der", "-respin", "answer.der"],
                &trusted[..],
            ]
            .concat(),
        );
        // With a certificate it draws a nonce of its own, unless told not to.
        let (about, second) = self.run(
            &[
                &[
                    "ocsp",
                    "-issuer",
                    "issuing.pem",
                    "-cert",
                    certificate,
                    "-no_nonce",
                    "-respin",
                    "answer.der",
                ],
                &trusted[..],
            ]
            .concat(),
        );
        (asked && about, first + &second)
    }
}

async fn asked(consortium: &Consortium, request: Vec<u8>) -> Vec<u8> {
    let request = AnswerOcsp {
        request: Base64(request),
    };
    consortium.ask(None, request).await.unwrap().answer.0
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_is_told_online_whether_a_certificate_counts_and_believes_nothing_altered() {
    let consortium = Consortium::start().await;
    let authority = consortium.ask(None, GetAuthority {}).await.unwrap();
    let openssl = OpenSsl::with(&authority);
    let key = &consortium.other_hospital;
    let own =
        CertificateRequest::new(&key.ledger_id().to_string(), LeafKind::Organisation).unwrap();
    let message = certificate_request_message(
        &consortium.gateway.chain(),
        &key.ledger_id(),
        &request_digest(&own.request_pem).unwrap(),
    );
    let signature = key.sign_message(CERTIFICATE_REQUEST_DOMAIN, &message);
    let request = RequestCertificate {
        member: key.ledger_id(),
        request: own.request_pem,
        signature: Base64(signature.0.to_vec()),
    };
    let issued = consortium.ask(None, request).await.unwrap();
    openssl.keep("leaf.pem", issued.chain.as_bytes());

    let good = asked(&consortium, openssl.question("leaf.pem")).await;
    let (fine, said) = openssl.judge("leaf.pem", &good);
    assert!(fine && said.contains("Response verify OK"), "{said}");
    assert!(said.contains("leaf.pem: good"), "{said}");

    // One bit of the answer, and the answer to another question.
    let mut altered = good.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let (_, said) = openssl.judge("leaf.pem", &altered);
    assert!(!said.contains("Response verify OK"), "{said}");
    openssl.question("leaf.pem");
    let (_, said) = openssl.judge("leaf.pem", &good);
    assert!(said.contains("Nonce Verify error"), "{said}");

    // The root's own certificate is not one that this authority issued.
    let unknown = asked(&consortium, openssl.question("root.pem")).await;
    let (_, said) = openssl.judge("root.pem", &unknown);
    assert!(said.contains("root.pem: unknown"), "{said}");
    let nonsense = asked(&consortium, b"no request".to_vec()).await;
    let (_, said) = openssl.judge("leaf.pem", &nonsense);
    assert!(said.contains("malformedrequest"), "{said}");

    let revoke = Membership::RevokeMember {
        member: key.ledger_id(),
    };
    assert!(consortium.submit(&consortium.regulator, revoke).await);
    let revoked = asked(&consortium, openssl.question("leaf.pem")).await;
    let (_, said) = openssl.judge("leaf.pem", &revoked);
    assert!(said.contains("Response verify OK"), "{said}");
    assert!(said.contains("leaf.pem: revoked"), "{said}");
}
