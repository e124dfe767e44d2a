//! The index hears of codes that are on the ledger and that it does not know yet.

use bus::Target;
use interfaces::index::PutCodeLocators;

use crate::facts::{codes, records as record_facts};
use crate::failure::Failure;
use crate::service::Records;

impl Records {
    /// Tells the index of every code it was not told of.
    pub async fn tell_locators(&self) -> Result<(), Failure> {
        let unlocated = codes::unlocated(self.reader()).await?;
        if unlocated.is_empty() {
            return Ok(());
        }
        let mut locators = Vec::with_capacity(unlocated.len());
        let mut told = Vec::with_capacity(unlocated.len());
        for (record, key) in unlocated {
            let Some(stored) = record_facts::find(self.reader(), &self.vault, &record).await?
            else {
                continue;
            };
            let drawn = codes::of_record(self.reader(), &stored.key, &record).await?;
            let Some(drawn) = drawn.iter().find(|drawn| drawn.public.key == key) else {
                continue;
            };
            locators.push(self.locator(&record, drawn));
            told.push(key);
        }
        if locators.is_empty() {
            return Ok(());
        }
        self.bus
            .request(
                &Target::service("index"),
                None,
                &PutCodeLocators { locators },
            )
            .await?;
        let mut transaction = self.store.begin().await?;
        for key in told {
            codes::set_located(&mut transaction, &key).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
