//! The history log as C2SP tlog-checkpoints with signed-note signatures, for outside witnesses.
//!
//! The text is `origin "\n" size "\n" base64(root) "\n"`; each signature line is
//! `"— " name " " base64(key id (4 bytes) || Ed25519 signature over the text)`.

use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;
use crate::merkle::HistoryLog;
use crate::signature::{PublicKey, Signature, SignatureError, SigningKey};

/// Signed-note's number for plain Ed25519.
const ED25519_SIGNATURE_TYPE: u8 = 1;

/// The root of the history log at one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The chain id.
    pub chain: Digest,
    /// How many blocks.
    pub size: u64,
    /// The tree's root.
    pub root: Digest,
}

/// Why a text is not one of our checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The origin line is not `medshare/<chain id>`.
    #[error("the origin line is not medshare/<chain id>")]
    Origin,
    /// The second line is not a decimal number without leading zeros.
    #[error("the second line is not the size of the log")]
    Size,
    /// The third line is not the base64 of 32 bytes.
    #[error("the third line is not a root")]
    Root,
    /// The text does not end after the third line's newline.
    #[error("the text does not end after the root")]
    Ending,
    /// A signature line is not of signed-note's form for this name and key.
    #[error("not a signature line of this signer")]
    SignatureLine,
    /// The signature does not verify.
    #[error("{0}")]
    Signature(#[from] SignatureError),
}

impl Checkpoint {
    /// The checkpoint of a chain's history log.
    pub fn of(chain: Digest, history: &HistoryLog) -> Checkpoint {
        Checkpoint {
            chain,
            size: history.size(),
            root: history.root(),
        }
    }

    /// The first line, which is also the name that the log's own signature lines carry.
    pub fn origin(&self) -> String {
        format!("medshare/{}", self.chain)
    }

    /// The text that is signed, ending in a newline.
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin(),
            self.size,
            BASE64.encode(&self.root.0)
        )
    }

    /// Reads the text that is signed (without signature lines).
    ///
    /// # Errors
    /// [`CheckpointError`], naming the line.
    pub fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
        let mut lines = text.splitn(4, '\n');
        let origin = lines
            .next()
            .and_then(|line| line.strip_prefix("medshare/"))
            .ok_or(CheckpointError::Origin)?;
        let chain = origin.parse().map_err(|_| CheckpointError::Origin)?;
        let size_line = lines.next().ok_or(CheckpointError::Size)?;
        let size: u64 = size_line.parse().map_err(|_| CheckpointError::Size)?;
        let root_line = lines.next().ok_or(CheckpointError::Root)?;
        let root = BASE64
            .decode(root_line.as_bytes())
            .map_err(|_| CheckpointError::Root)?;
        let root = Digest(root.try_into().map_err(|_| CheckpointError::Root)?);
        let checkpoint = Checkpoint { chain, size, root };
        // One text per checkpoint: "+1" and "01" parse as numbers, and hex has two cases.
        if checkpoint.text() == text {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Ending)
        }
    }

    /// A signature line by `name`, ending in a newline.
    pub fn sign(&self, name: &str, key: &SigningKey) -> String {
        let signature = key.sign_undomained(self.text().as_bytes());
        let mut bytes = key_id(name, &key.public_key()).to_vec();
        bytes.extend_from_slice(&signature.0);
        format!("\u{2014} {name} {}\n", BASE64.encode(&bytes))
    }

    /// Checks a signature line by `name`.
    ///
    /// # Errors
    /// [`CheckpointError::SignatureLine`], [`CheckpointError::Signature`].
    pub fn verify(&self, line: &str, name: &str, key: &PublicKey) -> Result<(), CheckpointError> {
        let encoded = line
            .strip_prefix("\u{2014} ")
            .and_then(|rest| rest.strip_prefix(name))
            .and_then(|rest| rest.strip_prefix(' '))
            .and_then(|rest| rest.strip_suffix('\n'))
            .ok_or(CheckpointError::SignatureLine)?;
        let bytes = BASE64
            .decode(encoded.as_bytes())
            .map_err(|_| CheckpointError::SignatureLine)?;
        let signature = bytes
            .strip_prefix(&key_id(name, key))
            .ok_or(CheckpointError::SignatureLine)?;
        let signature = Signature(
            signature
                .try_into()
                .map_err(|_| CheckpointError::SignatureLine)?,
        );
        Ok(key.verify_undomained(self.text().as_bytes(), &signature)?)
    }

    /// The whole note: text, empty line, signature lines.
    pub fn note(&self, signature_lines: &[String]) -> String {
        format!("{}\n{}", self.text(), signature_lines.concat())
    }
}

/// A signer's key id: the first 4 bytes of SHA-256(name || 0x0A || 0x01 || public key).
pub fn key_id(name: &str, key: &PublicKey) -> [u8; 4] {
    let hash = Sha256::new()
        .chain_update(name.as_bytes())
        .chain_update([b'\n', ED25519_SIGNATURE_TYPE])
        .chain_update(key.0)
        .finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}
