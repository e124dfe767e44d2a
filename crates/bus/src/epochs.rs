//! The epochs this process has proof of, from genesis on.

use std::sync::{PoisonError, RwLock};

use ledger::{Epoch, EpochDescription, GenesisFile, Height};

use crate::Bus;
use crate::error::AskError;
use crate::ordering_wire::EpochsRequest;

/// Epoch descriptions, ascending from epoch 0; each was certified by the one before.
#[derive(Debug)]
pub(crate) struct KnownEpochs(RwLock<Vec<EpochDescription>>);

impl KnownEpochs {
    pub(crate) fn of(genesis: &GenesisFile) -> KnownEpochs {
        KnownEpochs(RwLock::new(vec![genesis.epoch.clone()]))
    }

    pub(crate) fn newest(&self) -> EpochDescription {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .last()
            .expect("epoch 0 is always known")
            .clone()
    }

    pub(crate) fn get(&self, epoch: Epoch) -> Option<EpochDescription> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .find(|known| known.epoch == epoch)
            .cloned()
    }

    /// Which known epoch certifies a height.
    pub(crate) fn at(&self, height: Height) -> EpochDescription {
        let epochs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        epochs
            .iter()
            .rev()
            .find(|epoch| epoch.first_height <= height)
            .unwrap_or(&epochs[0])
            .clone()
    }

    pub(crate) fn add(&self, description: EpochDescription) {
        let mut epochs = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if epochs
            .last()
            .is_some_and(|last| last.epoch.0 + 1 == description.epoch.0)
        {
            epochs.push(description);
        }
    }
}

impl Bus {
    /// The newest epoch this process has proof of.
    pub fn epoch(&self) -> EpochDescription {
        self.inner.epochs.newest()
    }

    /// Asks the replicas for epoch links and verifies them from what is known.
    ///
    /// # Errors
    /// [`AskError::None`] if no replica answers; links that don't verify are ignored.
    pub async fn refresh_epochs(&self) -> Result<EpochDescription, AskError> {
        let reply = self.ask_any(&EpochsRequest {}).await?;
        for link in &reply.links {
            let newest = self.inner.epochs.newest();
            match link.verify(&self.inner.chain, &newest) {
                Ok(next) => self.inner.epochs.add(next),
                Err(error) => {
                    tracing::debug!(%error, "an epoch link that is old or does not follow")
                }
            }
        }
        Ok(self.inner.epochs.newest())
    }
}
