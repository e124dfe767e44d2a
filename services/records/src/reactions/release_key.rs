//! After the patient's approval the content key goes out, sealed to the item's key; the same decision pays the patient.

use contracts::authorization::command::Command;
use contracts::{ItemId, Sealed};
use keys::SealingPublicKey;
use keys::delivery;

use crate::commands::{Outgoing, is_rejection};
use crate::facts::deliveries;
use crate::failure::Failure;
use crate::projections;
use crate::service::{Records, now_us};

impl Records {
    /// Releases the key of every item that both approved.
    pub(super) async fn release_keys(&self) -> Result<(), Failure> {
        let mut outgoing: Vec<Outgoing<ItemId>> = Vec::new();
        for id in projections::items_to_release(self.reader(), now_us()).await? {
            let Some(item) = projections::item(self.reader(), &id).await? else {
                continue;
            };
            let Some(kept) = deliveries::find(self.reader(), &self.vault, &id).await? else {
                continue;
            };
            let named = delivery::item_data(&id.application.0, id.index);
            let sealed = delivery::seal_key(
                &SealingPublicKey(item.item_key),
                &named,
                &kept.content_key(),
            )?;
            outgoing.push(self.outgoing(
                id,
                Command::ReleaseKey {
                    item: id,
                    sealed_key: Sealed(sealed),
                },
            ));
        }
        if outgoing.is_empty() {
            return Ok(());
        }
        let mut transaction = self.store.begin().await?;
        for outgoing in &outgoing {
            deliveries::set_attempt(&mut transaction, &outgoing.about, outgoing.valid_until())
                .await?;
            store::outbox::put(&mut transaction, &outgoing.signed).await?;
        }
        transaction.commit().await?;
        for (item, committed) in self.wait_all(outgoing).await {
            match committed {
                // Released: the key is of no more use here.
                Ok(_) => self.forget_delivery(&item).await?,
                Err(problem) if is_rejection(&problem) => {
                    tracing::warn!(code = %problem.rejection.unwrap_or_default(), "a key was not released");
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    async fn forget_delivery(&self, item: &ItemId) -> Result<(), Failure> {
        let mut transaction = self.store.begin().await?;
        deliveries::forget(&mut transaction, &deliveries::item_text(item)).await?;
        transaction.commit().await?;
        Ok(())
    }
}
