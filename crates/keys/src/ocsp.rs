//! Online answers about certificates (RFC 6960), signed by the authority that issued them.

use ledger::Timestamp;
use rcgen::SigningKey as _;
use sha1::Digest as _;
use x509_cert::der::asn1::{BitString, GeneralizedTime, OctetString};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::CrlReason;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspGeneralizedTime, OcspRequest, OcspResponse,
    ResponderId, ResponseData, RevokedInfo, SingleResponse, Version,
};

use crate::certificate::{Authority, CertificateError, Reason};

/// Certificates that one request may ask about.
const CERTIFICATES_MAX: usize = 16;
const SHA1: &str = "1.3.14.3.2.26";
const SHA256: &str = "2.16.840.1.101.3.4.2.1";
const ED25519: &str = "1.3.101.112";
const NONCE: &str = "1.3.6.1.5.5.7.48.1.2";
const NONCE_BYTES_MAX: usize = 64;

/// What is known of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The authority issued it, and it counts.
    Good,
    /// It counts no more.
    Revoked {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: Reason,
    },
    /// The authority did not issue it.
    Unknown,
}

/// A request that was read.
#[derive(Debug)]
pub struct Questions {
    request: OcspRequest,
}

impl Questions {
    /// Reads a request (DER); none if it is not one, or asks about too many.
    pub fn read(request: &[u8]) -> Option<Questions> {
        let request = OcspRequest::from_der(request).ok()?;
        let asked = request.tbs_request.request_list.len();
        (1..=CERTIFICATES_MAX)
            .contains(&asked)
            .then_some(Questions { request })
    }

    /// The serial numbers that are asked about, in hex; the authority's own never begin with a zero.
    pub fn serials(&self) -> Vec<String> {
        let asked = &self.request.tbs_request.request_list;
        asked
            .iter()
            .map(|one| data_encoding::HEXLOWER.encode(one.req_cert.serial_number.as_bytes()))
            .collect()
    }
}

/// What is answered to something that is no request (DER).
pub fn malformed_request() -> Vec<u8> {
    let answer = OcspResponse::malformed_request().to_der();
    answer.expect("an answer without content is written")
}

impl Authority {
    /// The signed answer (DER): one standing a question, in their order. Questions about another authority's certificates
    /// are answered with [`Standing::Unknown`].
    pub fn answer(
        &self,
        questions: &Questions,
        standings: &[Standing],
        now: Timestamp,
        next_update: Timestamp,
    ) -> Result<Vec<u8>, CertificateError> {
        let failed = |_| CertificateError::Malformed("OCSP answer");
        let own = Own::of(self)?;
        let asked = &questions.request.tbs_request.request_list;
        let responses = asked
            .iter()
            .zip(standings)
            .map(|(one, standing)| {
                let standing = match own.issued(&one.req_cert) {
                    true => *standing,
                    false => Standing::Unknown,
                };
                Ok(SingleResponse {
                    cert_id: one.req_cert.clone(),
                    cert_status: status(standing)?,
                    this_update: time(now)?,
                    next_update: Some(time(next_update)?),
                    single_extensions: None,
                })
            })
            .collect::<Result<_, CertificateError>>()?;
        // A nonce comes back as it came, so that nobody can keep an old answer for later.
        let extensions = questions.request.tbs_request.request_extensions.as_ref();
        let nonces: Vec<_> = extensions
            .into_iter()
            .flatten()
            .filter(|one| one.extn_id.to_string() == NONCE)
            .filter(|one| one.extn_value.as_bytes().len() <= NONCE_BYTES_MAX)
            .take(1)
            .cloned()
            .collect();
        let data = ResponseData {
            version: Version::V1,
            responder_id: ResponderId::ByKey(
                OctetString::new(own.key_sha1.as_slice()).map_err(failed)?,
            ),
            produced_at: time(now)?,
            responses,
            response_extensions: (!nonces.is_empty()).then_some(nonces),
        };
        let signature = self
            .issuer_key()
            .sign(&data.to_der().map_err(failed)?)
            .map_err(CertificateError::Refused)?;
        let answer = BasicOcspResponse {
            tbs_response_data: data,
            signature_algorithm: AlgorithmIdentifierOwned {
                oid: ED25519.parse().expect("an object identifier"),
                parameters: None,
            },
            signature: BitString::from_bytes(&signature).map_err(failed)?,
            certs: None,
        };
        let answer = OcspResponse::successful(answer).map_err(failed)?;
        answer.to_der().map_err(failed)
    }
}

/// How requests name an authority.
struct Own {
    name: Vec<u8>,
    key: Vec<u8>,
    key_sha1: Vec<u8>,
}

impl Own {
    fn of(authority: &Authority) -> Result<Own, CertificateError> {
        let malformed = || CertificateError::Malformed("certificate");
        let pem = authority.certificate_pem().as_bytes();
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem).map_err(|_| malformed())?;
        let certificate = pem.parse_x509().map_err(|_| malformed())?;
        let key = certificate.public_key().subject_public_key.data.to_vec();
        Ok(Own {
            name: certificate.subject().as_raw().to_vec(),
            key_sha1: sha1::Sha1::digest(&key).to_vec(),
            key,
        })
    }

    fn issued(&self, asked: &CertId) -> bool {
        let hash = |bytes: &[u8]| match asked.hash_algorithm.oid.to_string().as_str() {
            // A name for the issuer, as the protocol has it; nothing rests on it.
            SHA1 => sha1::Sha1::digest(bytes).to_vec(),
            SHA256 => sha2::Sha256::digest(bytes).to_vec(),
            _ => Vec::new(),
        };
        asked.issuer_name_hash.as_bytes() == hash(&self.name)
            && asked.issuer_key_hash.as_bytes() == hash(&self.key)
    }
}

fn status(standing: Standing) -> Result<CertStatus, CertificateError> {
    Ok(match standing {
        Standing::Good => CertStatus::good(),
        Standing::Unknown => CertStatus::unknown(),
        Standing::Revoked { since, reason } => CertStatus::Revoked(RevokedInfo {
            revocation_time: time(since)?,
            revocation_reason: Some(match reason {
                Reason::MembershipEnded => CrlReason::AffiliationChanged,
                Reason::MembershipSuspended => CrlReason::CertificateHold,
                Reason::KeyReplaced => CrlReason::Superseded,
            }),
        }),
    })
}

/// Certificates count time in whole seconds.
fn time(time: Timestamp) -> Result<OcspGeneralizedTime, CertificateError> {
    let since_epoch = std::time::Duration::from_secs(time.0 / 1_000_000);
    GeneralizedTime::from_unix_duration(since_epoch)
        .map(OcspGeneralizedTime)
        .map_err(|_| CertificateError::Malformed("time"))
}
