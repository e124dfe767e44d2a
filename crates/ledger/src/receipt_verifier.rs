//! Verifying many receipts of one chain: what receipts of the same block share is checked once.

use crate::block::Header;
use crate::certificate::{Certificate, VerifiedCertificate};
use crate::digest::Digest;
use crate::genesis::EpochDescription;
use crate::receipt::{Receipt, ReceiptError, VerifiedReceipt};

/// Verifies receipts as [`Receipt::verify_from`] does. It remembers the last certificate that it found good, so give
/// receipts of one block after another.
#[derive(Debug, Clone)]
pub struct ReceiptVerifier {
    chain: Digest,
    first: EpochDescription,
    known: Option<Known>,
}

/// A header with a certificate that an epoch's replicas gave it.
#[derive(Debug, Clone)]
struct Known {
    header: Header,
    certificate: Certificate,
    epoch: EpochDescription,
    verified: VerifiedCertificate,
}

impl ReceiptVerifier {
    /// A verifier that trusts a genesis file, which the caller has checked, by its chain id and epoch 0.
    pub fn new(chain: Digest, first: EpochDescription) -> ReceiptVerifier {
        ReceiptVerifier {
            chain,
            first,
            known: None,
        }
    }

    /// Verifies one receipt.
    ///
    /// # Errors
    /// [`ReceiptError`], the first thing that does not hold.
    pub fn verify(&mut self, receipt: &Receipt) -> Result<VerifiedReceipt, ReceiptError> {
        let (chain, known) = (&self.chain, &mut self.known);
        receipt.verify_with(chain, &self.first, |epoch| {
            let is_known = |known: &&Known| {
                known.header == receipt.header
                    && known.certificate == receipt.certificate
                    && known.epoch == *epoch
            };
            if let Some(known) = known.as_ref().filter(is_known) {
                return Ok(known.verified);
            }
            let verified = receipt.check_certificate(chain, epoch)?;
            *known = Some(Known {
                header: receipt.header.clone(),
                certificate: receipt.certificate.clone(),
                epoch: epoch.clone(),
                verified,
            });
            Ok(verified)
        })
    }
}
