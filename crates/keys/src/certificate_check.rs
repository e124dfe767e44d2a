//! Verifying a certificate chain (rustls-webpki), and reading what it says (x509-parser).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ledger::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, SignatureVerificationAlgorithm, UnixTime,
};
use x509_parser::prelude::{CertificateRevocationList, FromDer, GeneralName, X509Certificate};

use crate::certificate::LeafKind;

/// Why a chain is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A text is not what it should be.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// The chain doesn't verify at this time: wrong root, bad signature, expired, revoked, wrong usage.
    #[error("the certificate chain does not verify: {0}")]
    Unverified(String),
    /// A certificate for something else.
    #[error("the certificate is for a {found}, not for a {expected}")]
    OtherKind {
        /// What it is for.
        found: &'static str,
        /// What was asked.
        expected: &'static str,
    },
}

/// What a verified leaf says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLeaf {
    /// What it is for.
    pub kind: LeafKind,
    /// The subject's common name.
    pub subject: String,
    /// Serial number, hex.
    pub serial: String,
    /// DNS names and IP addresses.
    pub names: Vec<String>,
    /// The key's raw bytes (32 bytes for Ed25519).
    pub public_key: Vec<u8>,
    /// First moment.
    pub not_before: Timestamp,
    /// Last moment.
    pub not_after: Timestamp,
}

/// What a chain is checked against.
pub struct TrustedRoot<'a> {
    /// The root's certificate.
    pub root_pem: &'a str,
    /// Authorities between root and leaf, in any order; may be empty.
    pub intermediates_pem: &'a str,
    /// A revocation list by the leaf's issuer; without one, revocation isn't checked.
    pub revocation_list_pem: Option<&'a str>,
}

impl TrustedRoot<'_> {
    /// Verifies that `leaf_pem` is a certificate of `kind`, valid at `now`, under this root.
    pub fn verify(
        &self,
        leaf_pem: &str,
        kind: LeafKind,
        now: Timestamp,
    ) -> Result<VerifiedLeaf, ChainError> {
        let leaf = CertificateDer::from_pem_slice(leaf_pem.as_bytes())
            .map_err(|_| ChainError::Malformed("the certificate"))?;
        let root = CertificateDer::from_pem_slice(self.root_pem.as_bytes())
            .map_err(|_| ChainError::Malformed("the root certificate"))?;
        let anchor = webpki::anchor_from_trusted_cert(&root).map_err(unverified)?;
        let intermediates = CertificateDer::pem_slice_iter(self.intermediates_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| ChainError::Malformed("an intermediate certificate"))?;
        let list = self.revocation_list()?;
        let lists = list.iter().collect::<Vec<_>>();
        let revocation = if lists.is_empty() {
            None
        } else {
            let builder = webpki::RevocationOptionsBuilder::new(&lists).expect("there is one list");
            Some(
                builder
                    .with_depth(webpki::RevocationCheckDepth::EndEntity)
                    .with_status_policy(webpki::UnknownStatusPolicy::Deny)
                    .with_expiration_policy(webpki::ExpirationPolicy::Enforce)
                    .build(),
            )
        };
        let usage = match kind {
            LeafKind::Server => webpki::KeyUsage::server_auth(),
            _ => webpki::KeyUsage::client_auth(),
        };
        let entity = webpki::EndEntityCert::try_from(&leaf).map_err(unverified)?;
        let time = UnixTime::since_unix_epoch(Duration::from_micros(now.0));
        entity
            .verify_for_usage(
                ALGORITHMS,
                &[anchor],
                &intermediates,
                time,
                usage,
                revocation,
                None,
            )
            .map_err(unverified)?;
        let read = read_leaf(&leaf)?;
        if read.kind != kind {
            return Err(ChainError::OtherKind {
                found: read.kind.name(),
                expected: kind.name(),
            });
        }
        Ok(read)
    }

    fn revocation_list(&self) -> Result<Option<webpki::CertRevocationList<'static>>, ChainError> {
        let malformed = ChainError::Malformed("the revocation list");
        let Some(pem) = self.revocation_list_pem else {
            return Ok(None);
        };
        let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| malformed.clone())?;
        let list = webpki::OwnedCertRevocationList::from_der(&der).map_err(|_| malformed)?;
        Ok(Some(list.into()))
    }
}

const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] =
    &[webpki::ring::ED25519, webpki::ring::ECDSA_P256_SHA256];

fn unverified(error: webpki::Error) -> ChainError {
    ChainError::Unverified(error.to_string())
}

/// What a certificate says, without verifying it: for one that was verified before, or is the reader's own.
pub fn read_leaf(leaf: &CertificateDer<'_>) -> Result<VerifiedLeaf, ChainError> {
    let malformed = || ChainError::Malformed("the certificate");
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| malformed())?;
    let text = |mut attributes: Box<dyn Iterator<Item = String> + '_>| {
        attributes.next().ok_or_else(malformed)
    };
    let subject = certificate.subject();
    let unit = text(Box::new(
        subject
            .iter_organizational_unit()
            .filter_map(|unit| unit.as_str().ok().map(str::to_owned)),
    ))?;
    let common_name = text(Box::new(
        subject
            .iter_common_name()
            .filter_map(|name| name.as_str().ok().map(str::to_owned)),
    ))?;
    let seconds = |time: x509_parser::time::ASN1Time| {
        Timestamp(
            u64::try_from(time.timestamp())
                .unwrap_or(0)
                .saturating_mul(1_000_000),
        )
    };
    Ok(VerifiedLeaf {
        kind: LeafKind::from_name(&unit).ok_or_else(malformed)?,
        subject: common_name,
        serial: data_encoding::HEXLOWER.encode(certificate.raw_serial()),
        names: names_of(&certificate)?,
        public_key: certificate.public_key().subject_public_key.data.to_vec(),
        not_before: seconds(certificate.validity().not_before),
        not_after: seconds(certificate.validity().not_after),
    })
}

/// What the first certificate of a PEM text says it is for, without verifying it.
///
/// # Errors
/// [`ChainError::Malformed`].
pub fn kind_of(certificate_pem: &str) -> Result<LeafKind, ChainError> {
    let leaf = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
        .map_err(|_| ChainError::Malformed("the certificate"))?;
    Ok(read_leaf(&leaf)?.kind)
}

/// The serial numbers (hex) on a revocation list, without verifying it: for one from its issuer.
///
/// # Errors
/// [`ChainError::Malformed`].
pub fn revoked_serials(revocation_list_pem: &str) -> Result<BTreeSet<String>, ChainError> {
    let malformed = ChainError::Malformed("the revocation list");
    let der = CertificateRevocationListDer::from_pem_slice(revocation_list_pem.as_bytes())
        .map_err(|_| malformed.clone())?;
    let (_, list) = CertificateRevocationList::from_der(&der).map_err(|_| malformed)?;
    Ok(list
        .iter_revoked_certificates()
        .map(|revoked| data_encoding::HEXLOWER.encode(revoked.raw_serial()))
        .collect())
}

fn names_of(certificate: &X509Certificate<'_>) -> Result<Vec<String>, ChainError> {
    let malformed = |_| ChainError::Malformed("the certificate");
    let Some(extension) = certificate.subject_alternative_name().map_err(malformed)? else {
        return Ok(Vec::new());
    };
    let names = extension.value.general_names.iter();
    Ok(names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes)
                    .ok()
                    .map(|bytes| IpAddr::from(bytes).to_string()),
                _ => <[u8; 16]>::try_from(*bytes)
                    .ok()
                    .map(|bytes| IpAddr::from(bytes).to_string()),
            },
            _ => None,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemberKey;
    use crate::certificate::{
        Authority, CertificateRequest, IssuedLeaf, LeafKey, LeafRequest, Reason, Revoked,
    };

    const DAY: u64 = 86_400_000_000;
    const START: Timestamp = Timestamp(1_700_000_000_000_000);

    fn after(days: u64) -> Timestamp {
        START.plus(days * DAY)
    }

    fn authorities() -> (Authority, Authority) {
        let root = Authority::root("Test", START, after(3650)).unwrap();
        let issuing = root.issuing("Test", &[], START, after(1825)).unwrap();
        (root, issuing)
    }

    fn leaf(issuing: &Authority, kind: LeafKind, key: LeafKey) -> IssuedLeaf {
        let names = if kind == LeafKind::Server {
            vec!["localhost".to_owned()]
        } else {
            Vec::new()
        };
        issuing
            .issue(&LeafRequest {
                kind,
                subject: "subject".into(),
                names,
                not_before: START,
                not_after: after(30),
                key,
            })
            .unwrap()
    }

    fn trust<'a>(root: &'a Authority, issuing: &'a Authority) -> TrustedRoot<'a> {
        TrustedRoot {
            root_pem: root.certificate_pem(),
            intermediates_pem: issuing.certificate_pem(),
            revocation_list_pem: None,
        }
    }

    #[test]
    fn leaves_of_every_kind_and_key_verify_under_the_root() {
        let (root, issuing) = authorities();
        for kind in [
            LeafKind::Person,
            LeafKind::Organisation,
            LeafKind::Replica,
            LeafKind::Device,
            LeafKind::Server,
        ] {
            for key in [LeafKey::NewEd25519, LeafKey::NewP256] {
                let issued = leaf(&issuing, kind, key);
                let read = trust(&root, &issuing)
                    .verify(&issued.certificate_pem, kind, after(1))
                    .unwrap();
                assert_eq!(
                    (read.kind, read.subject.as_str(), read.serial),
                    (kind, "subject", issued.serial)
                );
            }
        }
    }

    #[test]
    fn a_leaf_can_name_a_key_that_its_holder_keeps() {
        let (root, issuing) = authorities();
        let member = MemberKey::random();
        let issued = leaf(
            &issuing,
            LeafKind::Organisation,
            LeafKey::Held(member.public_key()),
        );
        assert!(issued.key_pem.is_none());
        let read = trust(&root, &issuing)
            .verify(&issued.certificate_pem, LeafKind::Organisation, after(1))
            .unwrap();
        assert_eq!(read.public_key, member.public_key().0);
    }

    #[test]
    fn another_root_an_expired_leaf_and_another_kind_are_refused() {
        let (root, issuing) = authorities();
        let (other_root, _) = authorities();
        let pem = leaf(&issuing, LeafKind::Device, LeafKey::NewEd25519).certificate_pem;
        let verify = |root, kind, time| trust(root, &issuing).verify(&pem, kind, time);
        assert!(matches!(
            verify(&other_root, LeafKind::Device, after(1)),
            Err(ChainError::Unverified(_))
        ));
        assert!(matches!(
            verify(&root, LeafKind::Device, after(31)),
            Err(ChainError::Unverified(_))
        ));
        assert!(matches!(
            verify(&root, LeafKind::Replica, after(1)),
            Err(ChainError::OtherKind { .. })
        ));
        assert!(matches!(
            verify(&root, LeafKind::Server, after(1)),
            Err(ChainError::Unverified(_))
        ));
    }

    #[test]
    fn a_revoked_leaf_is_refused_and_its_neighbour_is_not() {
        let (root, issuing) = authorities();
        let revoked = leaf(&issuing, LeafKind::Device, LeafKey::NewEd25519);
        let kept = leaf(&issuing, LeafKind::Device, LeafKey::NewEd25519);
        let revoked_leaf = Revoked {
            serial: revoked.serial,
            since: after(1),
            reason: Reason::MembershipEnded,
        };
        let list = issuing
            .revocation_list(1, &[revoked_leaf], after(1), after(8))
            .unwrap();
        let trusted = TrustedRoot {
            revocation_list_pem: Some(&list),
            ..trust(&root, &issuing)
        };
        assert!(
            trusted
                .verify(&revoked.certificate_pem, LeafKind::Device, after(2))
                .is_err()
        );
        trusted
            .verify(&kept.certificate_pem, LeafKind::Device, after(2))
            .unwrap();
    }

    #[test]
    fn an_authority_comes_back_from_its_files() {
        let (root, issuing) = authorities();
        let again =
            Authority::from_pem(issuing.certificate_pem(), issuing.expose_key_pem()).unwrap();
        let issued = leaf(&again, LeafKind::Service, LeafKey::NewEd25519);
        trust(&root, &issuing)
            .verify(&issued.certificate_pem, LeafKind::Service, after(1))
            .unwrap();
        assert_eq!(again.digest().unwrap(), issuing.digest().unwrap());
    }

    #[test]
    fn a_requested_certificate_holds_the_requests_key_and_nothing_else_of_it() {
        let (root, issuing) = authorities();
        let request = CertificateRequest::new("somebody-else", LeafKind::Server).unwrap();
        let issued = leaf(
            &issuing,
            LeafKind::Device,
            LeafKey::Requested(request.request_pem.clone()),
        );
        let read = trust(&root, &issuing)
            .verify(&issued.certificate_pem, LeafKind::Device, after(1))
            .unwrap();
        assert_eq!(read.names, ["subject.device.medshare.internal"]);
        assert_eq!(read.subject, "subject");
        assert!(issued.key_pem.is_none());
        let mut altered = request.request_pem.into_bytes();
        let middle = altered.len() / 2;
        altered[middle] = if altered[middle] == b'A' { b'B' } else { b'A' };
        let request = LeafRequest {
            kind: LeafKind::Device,
            subject: "subject".into(),
            names: Vec::new(),
            not_before: START,
            not_after: after(30),
            key: LeafKey::Requested(String::from_utf8(altered).unwrap()),
        };
        assert!(issuing.issue(&request).is_err(), "an altered request");
    }

    #[test]
    fn a_name_outside_the_issuing_authoritys_domains_is_refused() {
        let (root, issuing) = authorities();
        let named = |name: &str| {
            issuing
                .issue(&LeafRequest {
                    kind: LeafKind::Server,
                    subject: "nats-1".into(),
                    names: vec![name.to_owned()],
                    not_before: START,
                    not_after: after(30),
                    key: LeafKey::NewEd25519,
                })
                .unwrap()
                .certificate_pem
        };
        let verify = |pem: &str| trust(&root, &issuing).verify(pem, LeafKind::Server, after(1));
        assert_eq!(
            verify(&named("127.0.0.1")).unwrap().names,
            ["nats-1.server.medshare.internal", "127.0.0.1"]
        );
        assert!(verify(&named("bank.example")).is_err());
        assert!(verify(&named("192.0.2.1")).is_err());
    }
}
