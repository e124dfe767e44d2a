//! A receipt as a file: JSON around the canonical bytes, with a summary that people read and verification ignores.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;
use crate::receipt::{MAX_RECEIPT_BYTES, Receipt, ReceiptError};

/// The format's version, the value of `medshare_receipt`.
pub const RECEIPT_FILE_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct ReceiptFile {
    medshare_receipt: u32,
    bytes: String,
    /// For people; never read back.
    #[serde(default)]
    summary: serde_json::Value,
}

/// Why a file holds no receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptFileError {
    /// Not the JSON of a receipt file.
    #[error("receipt file: {0}")]
    Json(#[from] serde_json::Error),
    /// A version that this program does not know.
    #[error("receipt file: medshare_receipt is {0}, this program reads {RECEIPT_FILE_VERSION}")]
    Version(u32),
    /// `bytes` is not base64url without padding.
    #[error("receipt file: bytes is not base64url without padding")]
    Base64,
    /// The bytes are no receipt.
    #[error("receipt file: {0}")]
    Receipt(#[from] ReceiptError),
}

impl Receipt {
    /// The receipt as JSON text.
    pub fn to_file(&self) -> String {
        let file = ReceiptFile {
            medshare_receipt: RECEIPT_FILE_VERSION,
            bytes: BASE64URL_NOPAD.encode(&self.to_bytes()),
            summary: self.summary(),
        };
        serde_json::to_string_pretty(&file).expect("strings and numbers always have a JSON form")
    }

    /// Reads a receipt file; verifies nothing, and ignores the summary.
    ///
    /// # Errors
    /// [`ReceiptFileError`].
    pub fn from_file(text: &str) -> Result<Receipt, ReceiptFileError> {
        // Base64 takes 4 characters for 3 bytes; the rest is room for the summary.
        if text.len() > 2 * MAX_RECEIPT_BYTES {
            return Err(ReceiptError::TooLong(text.len()).into());
        }
        let file: ReceiptFile = serde_json::from_str(text)?;
        if file.medshare_receipt != RECEIPT_FILE_VERSION {
            return Err(ReceiptFileError::Version(file.medshare_receipt));
        }
        let bytes = BASE64URL_NOPAD
            .decode(file.bytes.as_bytes())
            .map_err(|_| ReceiptFileError::Base64)?;
        Ok(Receipt::from_bytes(&bytes)?)
    }

    fn summary(&self) -> serde_json::Value {
        let outcome = match self.leaf.outcome {
            Outcome::Accepted => "accepted".to_string(),
            Outcome::Rejected { contract, code } => {
                format!("rejected by contract {contract} with code {code}")
            }
        };
        serde_json::json!({
            "note": "for people; verification reads only `bytes`",
            "chain": self.header.chain,
            "transaction": self.transaction.id(),
            "submitter": self.transaction.body.submitter,
            "contract": self.transaction.body.contract,
            "outcome": outcome,
            "events": self.leaf.events.len(),
            "height": self.header.height,
            "index": self.index,
            "time_us": self.header.time,
            "block": self.header.hash(),
            "signers": self.certificate.votes.iter().map(|(replica, _)| replica).collect::<Vec<_>>(),
        })
    }
}
