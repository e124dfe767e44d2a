//! The certificate authority: a root, an issuing authority under it, and leaves of several kinds.
//!
//! A certificate says who holds a key; it admits nobody to anything by itself (replicas and members are
//! admitted on the ledger). Subjects are opaque: the common name is a ledger id or a host name, the
//! organisational unit is the kind.

use std::time::Duration;

use ledger::{Digest, DigestAlgorithm, PublicKey, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams,
    CertificateSigningRequestParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    NameConstraints, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, RevocationReason, RevokedCertParams,
    SerialNumber, SubjectPublicKeyInfo,
};
use zeroize::Zeroizing;

use crate::secret;

/// What a leaf certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeafKind {
    /// A natural person.
    Person,
    /// An organisation: hospital, third party, insurer, regulator.
    Organisation,
    /// A service process.
    Service,
    /// A replica; a vote still needs membership on the ledger.
    Replica,
    /// A measuring device.
    Device,
    /// A TLS server (message broker, gateway).
    Server,
}

impl LeafKind {
    /// The name in the subject's organisational unit.
    pub fn name(self) -> &'static str {
        match self {
            LeafKind::Person => "person",
            LeafKind::Organisation => "organisation",
            LeafKind::Service => "service",
            LeafKind::Replica => "replica",
            LeafKind::Device => "device",
            LeafKind::Server => "server",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<LeafKind> {
        use LeafKind::*;
        [Person, Organisation, Service, Replica, Device, Server]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    fn usages(self) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            LeafKind::Server => vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ],
            _ => vec![ExtendedKeyUsagePurpose::ClientAuth],
        }
    }
}

/// Whose key a leaf names.
pub enum LeafKey {
    /// A fresh Ed25519 key, returned with the certificate.
    NewEd25519,
    /// A fresh P-256 key, returned with the certificate (for clients without Ed25519).
    NewP256,
    /// An Ed25519 key that its holder keeps.
    Held(PublicKey),
    /// The key of a certificate request (PKCS #10, PEM), which its holder keeps and has signed the request with.
    /// Nothing else of the request counts.
    Requested(String),
}

/// The domain below which every leaf has a name of its own, so that peers can tell them apart by name.
pub const DOMAIN: &str = "medshare.internal";

/// A leaf's own name: `<subject>.<kind>.medshare.internal`.
pub fn leaf_name(subject: &str, kind: LeafKind) -> String {
    format!("{subject}.{}.{DOMAIN}", kind.name())
}

/// A fresh Ed25519 key, and a request for a certificate of it.
pub struct CertificateRequest {
    /// The request (PKCS #10, PEM), signed with the key.
    pub request_pem: String,
    /// The secret key (PKCS #8, PEM); stays where it was made.
    pub key_pem: Zeroizing<String>,
}

impl CertificateRequest {
    /// Makes a key, and a request in the name of `subject`.
    pub fn new(subject_name: &str, kind: LeafKind) -> Result<CertificateRequest, CertificateError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = subject(subject_name, kind.name());
        Ok(CertificateRequest {
            request_pem: parameters.serialize_request(&key)?.pem()?,
            key_pem: Zeroizing::new(key.serialize_pem()),
        })
    }
}

/// SHA-256 of a certificate request's DER: what its maker signs to show whose it is.
pub fn request_digest(request_pem: &str) -> Result<Digest, CertificateError> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(request_pem.as_bytes())
        .map_err(|_| CertificateError::Malformed("certificate request"))?;
    Ok(DigestAlgorithm::Sha256.digest(&pem.contents))
}

/// What is asked of the authority.
pub struct LeafRequest {
    /// What it is for.
    pub kind: LeafKind,
    /// Common name: a ledger id in hex, a device number, a host name. Never a person's name.
    pub subject: String,
    /// DNS names and IP addresses besides the leaf's own name ([`leaf_name`]).
    pub names: Vec<String>,
    /// First moment.
    pub not_before: Timestamp,
    /// Last moment.
    pub not_after: Timestamp,
    /// Whose key.
    pub key: LeafKey,
}

/// An issued leaf.
pub struct IssuedLeaf {
    /// The certificate.
    pub certificate_pem: String,
    /// The fresh secret key (PKCS #8), unless the holder keeps it.
    pub key_pem: Option<Zeroizing<String>>,
    /// Serial number, hex; what a revocation names.
    pub serial: String,
}

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The request or the authority's files are unusable.
    #[error("certificate: {0}")]
    Refused(#[from] rcgen::Error),
    /// The text is not what it should be.
    #[error("certificate: {0} is malformed")]
    Malformed(&'static str),
}

/// A leaf that no longer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number, hex.
    pub serial: String,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// Why a leaf no longer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its holder's membership was revoked.
    MembershipEnded,
    /// Its holder's membership is suspended; the leaf counts again when it is reinstated.
    MembershipSuspended,
    /// Its holder replaced the member key under which it was issued.
    KeyReplaced,
}

/// An authority: its certificate, and the key that signs for it.
pub struct Authority {
    certificate_pem: String,
    key_pem: Zeroizing<String>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A root that signs itself. `name` is the consortium's.
    pub fn root(
        name: &str,
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<Authority, CertificateError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let parameters = authority_parameters(name, "root", 1, not_before, not_after);
        let certificate_pem = parameters.self_signed(&key)?.pem();
        Authority::from_parts(certificate_pem, key)
    }

    /// An issuing authority under this one, which can issue leaves only: with names below [`DOMAIN`], `localhost`, the
    /// loopback addresses, and below `domains`.
    pub fn issuing(
        &self,
        name: &str,
        domains: &[String],
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<Authority, CertificateError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut parameters = authority_parameters(name, "issuing", 0, not_before, not_after);
        parameters.use_authority_key_identifier_extension = true;
        let own = [DOMAIN.to_owned(), "localhost".to_owned()];
        let mut permitted_subtrees: Vec<_> = own
            .iter()
            .chain(domains)
            .map(|domain| GeneralSubtree::DnsName(domain.clone()))
            .collect();
        permitted_subtrees.push(GeneralSubtree::IpAddress(CidrSubnet::V4(
            [127, 0, 0, 0],
            [255, 0, 0, 0],
        )));
        parameters.name_constraints = Some(NameConstraints {
            permitted_subtrees,
            excluded_subtrees: Vec::new(),
        });
        let certificate_pem = parameters.signed_by(&key, &self.issuer)?.pem();
        Authority::from_parts(certificate_pem, key)
    }

    /// An authority from its two PEM files.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Authority, CertificateError> {
        Authority::from_parts(certificate_pem.to_owned(), KeyPair::from_pem(key_pem)?)
    }

    fn from_parts(certificate_pem: String, key: KeyPair) -> Result<Authority, CertificateError> {
        let key_pem = Zeroizing::new(key.serialize_pem());
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key)?;
        Ok(Authority {
            certificate_pem,
            key_pem,
            issuer,
        })
    }

    /// The certificate.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The secret key (PKCS #8); for its file of mode 0600 only ([`secret::write_private`]).
    pub fn expose_key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The key that signs for it.
    pub(crate) fn issuer_key(&self) -> &KeyPair {
        self.issuer.key()
    }

    /// Whether the key is the one that the certificate names.
    pub fn certifies_own_key(&self) -> Result<bool, CertificateError> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(self.certificate_pem.as_bytes())
            .map_err(|_| CertificateError::Malformed("PEM text"))?;
        let certificate = pem
            .parse_x509()
            .map_err(|_| CertificateError::Malformed("certificate"))?;
        let named = &certificate.public_key().subject_public_key.data;
        Ok(named.as_ref() == self.issuer.key().public_key_raw())
    }

    /// SHA-256 of the certificate's DER: what the genesis file names the root by.
    pub fn digest(&self) -> Result<Digest, CertificateError> {
        certificate_digest(&self.certificate_pem)
    }

    /// Issues a leaf.
    pub fn issue(&self, request: &LeafRequest) -> Result<IssuedLeaf, CertificateError> {
        let own_name = leaf_name(&request.subject, request.kind);
        let further = request.names.iter().filter(|name| **name != own_name);
        let mut parameters = CertificateParams::new(
            std::iter::once(&own_name)
                .chain(further)
                .cloned()
                .collect::<Vec<_>>(),
        )?;
        parameters.distinguished_name = subject(&request.subject, request.kind.name());
        parameters.not_before = date(request.not_before);
        parameters.not_after = date(request.not_after);
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = request.kind.usages();
        parameters.use_authority_key_identifier_extension = true;
        let serial = random_serial();
        parameters.serial_number = Some(SerialNumber::from_slice(&serial));
        let (certificate, key_pem) = match &request.key {
            LeafKey::NewEd25519 => self.issue_with_new_key(&parameters, &PKCS_ED25519)?,
            LeafKey::NewP256 => self.issue_with_new_key(&parameters, &PKCS_ECDSA_P256_SHA256)?,
            LeafKey::Held(key) => {
                let held = SubjectPublicKeyInfo::from_der(&ed25519_public_key_der(key))?;
                (parameters.signed_by(&held, &self.issuer)?.pem(), None)
            }
            LeafKey::Requested(request_pem) => {
                // Reading it checks its signature: the one who asks holds the key.
                let requested = CertificateSigningRequestParams::from_pem(request_pem)
                    .map_err(|_| CertificateError::Malformed("certificate request"))?;
                let algorithm = requested.public_key.algorithm();
                if algorithm != &PKCS_ED25519 && algorithm != &PKCS_ECDSA_P256_SHA256 {
                    return Err(CertificateError::Malformed(
                        "certificate request (its key is neither Ed25519 nor P-256)",
                    ));
                }
                let certificate = parameters.signed_by(&requested.public_key, &self.issuer)?;
                (certificate.pem(), None)
            }
        };
        Ok(IssuedLeaf {
            certificate_pem: certificate,
            key_pem,
            serial: data_encoding::HEXLOWER.encode(&serial),
        })
    }

    fn issue_with_new_key(
        &self,
        parameters: &CertificateParams,
        algorithm: &'static rcgen::SignatureAlgorithm,
    ) -> Result<(String, Option<Zeroizing<String>>), CertificateError> {
        let key = KeyPair::generate_for(algorithm)?;
        let certificate = parameters.signed_by(&key, &self.issuer)?.pem();
        Ok((certificate, Some(Zeroizing::new(key.serialize_pem()))))
    }

    /// A revocation list (PEM) of leaves; `number` grows with each list.
    pub fn revocation_list(
        &self,
        number: u64,
        revoked: &[Revoked],
        now: Timestamp,
        next_update: Timestamp,
    ) -> Result<String, CertificateError> {
        let revoked_certs = revoked
            .iter()
            .map(|revoked| {
                let serial = data_encoding::HEXLOWER_PERMISSIVE
                    .decode(revoked.serial.as_bytes())
                    .map_err(|_| CertificateError::Malformed("serial number"))?;
                Ok(RevokedCertParams {
                    serial_number: SerialNumber::from_slice(&serial),
                    revocation_time: date(revoked.since),
                    reason_code: Some(match revoked.reason {
                        Reason::MembershipEnded => RevocationReason::AffiliationChanged,
                        Reason::MembershipSuspended => RevocationReason::CertificateHold,
                        Reason::KeyReplaced => RevocationReason::Superseded,
                    }),
                    invalidity_date: None,
                })
            })
            .collect::<Result<Vec<_>, CertificateError>>()?;
        let parameters = CertificateRevocationListParams {
            this_update: date(now),
            next_update: date(next_update),
            crl_number: SerialNumber::from_slice(&number.to_be_bytes()),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(parameters.signed_by(&self.issuer)?.pem()?)
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Authority(..)")
    }
}

/// SHA-256 of the DER of the first certificate in a PEM text.
pub fn certificate_digest(certificate_pem: &str) -> Result<Digest, CertificateError> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(certificate_pem.as_bytes())
        .map_err(|_| CertificateError::Malformed("PEM text"))?;
    Ok(DigestAlgorithm::Sha256.digest(&pem.contents))
}

fn authority_parameters(
    name: &str,
    level: &str,
    path_length: u8,
    not_before: Timestamp,
    not_after: Timestamp,
) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = subject(&format!("{name} {level} authority"), level);
    parameters.not_before = date(not_before);
    parameters.not_after = date(not_after);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.serial_number = Some(SerialNumber::from_slice(&random_serial()));
    parameters
}

fn subject(common_name: &str, unit: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationalUnitName, unit);
    name.push(DnType::CommonName, common_name);
    name
}

/// 16 random bytes, the first below 0x80 and not zero: a positive number of a fixed length.
fn random_serial() -> [u8; 16] {
    let mut serial: [u8; 16] = secret::random();
    serial[0] = (serial[0] & 0x7f) | 0x40;
    serial
}

/// Certificates count time in whole seconds.
fn date(time: Timestamp) -> time::OffsetDateTime {
    rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(time.0 / 1_000_000)
}

/// SubjectPublicKeyInfo of an Ed25519 key (RFC 8410, section 4).
fn ed25519_public_key_der(key: &PublicKey) -> Vec<u8> {
    const PREFIX: [u8; 12] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    [&PREFIX[..], &key.0].concat()
}
