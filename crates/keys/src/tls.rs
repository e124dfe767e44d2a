//! TLS with the consortium's certificates on both sides: rustls with ring, TLS 1.3.
//!
//! A process has one file with its key, its certificate and the issuing authority's, replaced as a whole when the
//! certificate is renewed, so that key and certificate always belong together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::certificate_check::{ChainError, VerifiedLeaf, read_leaf};
use crate::secret::{self, SecretError};

/// Where a process finds what it needs for TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// PEM, mode 0600: the key, its certificate, and the authorities between that and the root.
    pub identity_file: PathBuf,
    /// PEM: the root certificate.
    pub root_file: PathBuf,
}

/// Why TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The identity file.
    #[error(transparent)]
    Identity(#[from] SecretError),
    /// A file cannot be read, or is not what it should be.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Key and certificate do not belong together, or the authority's list is unusable.
    #[error("TLS: {0}")]
    Unusable(String),
}

/// What a process shows of itself, and what it trusts. No `Debug`: it holds the key.
pub struct TlsIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    root: CertificateDer<'static>,
    leaf: VerifiedLeaf,
}

impl TlsFiles {
    /// Reads both files.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn load(&self) -> Result<TlsIdentity, TlsError> {
        let text = secret::read_private(&self.identity_file)?;
        let root = std::fs::read(&self.root_file)
            .map_err(|error| failed(&self.root_file, error.to_string()))?;
        TlsIdentity::from_pem(&text, &root).map_err(|error| match error {
            TlsError::File { path, reason } if path.as_os_str() == "root" => {
                failed(&self.root_file, reason)
            }
            TlsError::File { reason, .. } => failed(&self.identity_file, reason),
            other => other,
        })
    }

    /// Replaces the identity file.
    ///
    /// # Errors
    /// [`TlsError::Identity`] if it cannot be written.
    pub fn save(&self, key_pem: &str, chain_pem: &str) -> Result<(), TlsError> {
        let text = Zeroizing::new(format!("{key_pem}{chain_pem}"));
        Ok(secret::write_private(&self.identity_file, text.as_bytes())?)
    }
}

impl TlsIdentity {
    /// From the content of an identity file and of a root file.
    ///
    /// # Errors
    /// [`TlsError::File`] with the path `identity` or `root`.
    pub fn from_pem(identity: &str, root: &[u8]) -> Result<TlsIdentity, TlsError> {
        let of_identity = |reason: &str| failed(Path::new("identity"), reason.to_owned());
        let chain = CertificateDer::pem_slice_iter(identity.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| of_identity("a certificate is malformed"))?;
        let first = chain
            .first()
            .ok_or_else(|| of_identity("has no certificate"))?;
        let leaf = read_leaf(first).map_err(|error: ChainError| of_identity(&error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(identity.as_bytes())
            .map_err(|_| of_identity("has no private key"))?;
        let root = CertificateDer::from_pem_slice(root)
            .map_err(|_| failed(Path::new("root"), "has no certificate".to_owned()))?;
        Ok(TlsIdentity {
            chain,
            key,
            root,
            leaf,
        })
    }

    /// The own certificate and the authorities between it and the root, PEM.
    pub fn chain_pem(&self) -> String {
        let certificates = self.chain.iter();
        certificates
            .map(|certificate| pem("CERTIFICATE", certificate))
            .collect()
    }

    /// Key and chain as [`TlsFiles::save`] writes them; for the holder's own file of mode 0600 only.
    pub fn expose_pem(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(pem("PRIVATE KEY", self.key.secret_der()));
        Zeroizing::new(format!("{}{}", *key, self.chain_pem()))
    }

    /// What the own certificate says.
    pub fn leaf(&self) -> &VerifiedLeaf {
        &self.leaf
    }

    /// For connections to others of the consortium.
    ///
    /// # Errors
    /// [`TlsError::Unusable`].
    pub fn client_config(&self) -> Result<ClientConfig, TlsError> {
        ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .with_root_certificates(self.roots()?)
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
            .map_err(unusable)
    }

    /// For connections from others of the consortium: without a certificate that is valid now and not on the revocation
    /// list (PEM), nobody gets in. A list past its end lets nobody in.
    ///
    /// # Errors
    /// [`TlsError::Unusable`].
    pub fn server_config(
        &self,
        revocation_list_pem: &str,
        protocols: &[&[u8]],
    ) -> Result<ServerConfig, TlsError> {
        let list = CertificateRevocationListDer::from_pem_slice(revocation_list_pem.as_bytes())
            .map_err(|_| TlsError::Unusable("the revocation list is malformed".to_owned()))?;
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()?), provider())
                .with_crls([list])
                .only_check_end_entity_revocation()
                .enforce_revocation_expiration()
                .build()
                .map_err(unusable)?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .map_err(unusable)?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        // A resumed session would not look at the revocation list again.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).map_err(unusable)?;
        Ok(roots)
    }
}

/// Trusts nobody: for a client that speaks without TLS, but whose library wants a configuration.
pub fn trusting_nobody() -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has TLS 1.3")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}

/// For a client without a certificate, which trusts the root (PEM).
///
/// # Errors
/// [`TlsError`] if the root cannot be used.
pub fn trusting(root: &[u8]) -> Result<ClientConfig, TlsError> {
    let root = CertificateDer::from_pem_slice(root)
        .map_err(|_| failed(Path::new("root"), "has no certificate".to_owned()))?;
    let mut roots = RootCertStore::empty();
    roots.add(root).map_err(unusable)?;
    Ok(ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// For a site that browsers visit: a certificate with its chain and its key (both PEM), TLS 1.2 and 1.3, HTTP/1.1, nobody has
/// to show a certificate.
///
/// # Errors
/// [`TlsError::Unusable`] if key and certificate are malformed or do not belong together.
pub fn site_config(chain_pem: &[u8], key_pem: &str) -> Result<ServerConfig, TlsError> {
    let malformed = |what: &str| TlsError::Unusable(format!("{what} is malformed"));
    let chain = CertificateDer::pem_slice_iter(chain_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| malformed("a certificate"))?;
    let key =
        PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|_| malformed("the key"))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Makes ring the cryptography of every TLS connection that does not choose; done once a process.
pub fn use_ring() {
    // Whoever was first has chosen the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = Zeroizing::new(data_encoding::BASE64.encode(der));
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn failed(path: &Path, reason: String) -> TlsError {
    TlsError::File {
        path: path.to_owned(),
        reason,
    }
}

fn unusable(error: impl std::fmt::Display) -> TlsError {
    TlsError::Unusable(error.to_string())
}
