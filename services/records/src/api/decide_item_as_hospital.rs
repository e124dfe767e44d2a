//! The hospital's decision on an item: on approval the content is sealed and delivered first. By the hospital and its clerks.

use std::sync::Arc;

use bus::{Call, Target};
use clinical::canonical::parse_canonical;
use contracts::Purpose;
use contracts::authorization::command::Command;
use interfaces::authorization::PutDelivery;
use interfaces::records::DecideItemAsHospital;
use interfaces::{Base64, Committed, Problem};
use keys::ContentKey;
use keys::delivery::{self, Package};
use ledger::{Commitment, DigestAlgorithm, Timestamp};

use crate::facts::deliveries::{self, Delivery};
use crate::failure::{Failure, forbidden};
use crate::projections::{self, Item};
use crate::service::Records;

pub(super) async fn decide_item_as_hospital(
    records: Arc<Records>,
    call: Call,
    request: DecideItemAsHospital,
) -> Result<Committed, Failure> {
    let caller = records.desk_caller(&call)?;
    caller.require_recent_proof(Timestamp(chassis::clock::now()))?;
    let item = projections::item(records.reader(), &request.item)
        .await?
        .ok_or_else(forbidden)?;
    if item.state != "hospital_pending" {
        return Err(
            Problem::conflict(format!("the item is {}", item.state.replace('_', " "))).into(),
        );
    }
    let command = match request.refuse {
        Some(reason) => Command::RefuseAsHospital {
            item: item.item,
            reason,
        },
        None => {
            let delivery = records.deliver(&item).await?;
            Command::ApproveAsHospital {
                item: item.item,
                ciphertext: delivery.ciphertext,
                ciphertext_bytes: delivery.ciphertext_bytes,
                release: delivery.release,
                version: delivery.version,
            }
        }
    };
    let committed = records
        .desk
        .commit_with_key(&records.key, command, submission::no_facts())
        .await?;
    records.projected(&committed).await;
    Ok(committed)
}

impl Records {
    /// Seals what would be released under a fresh key, keeps the key, and hands the ciphertext to the delivery store.
    async fn deliver(&self, item: &Item) -> Result<Delivery, Failure> {
        let on_ledger = self.standing_record(&item.record).await?;
        let checked = self.read_checked(&on_ledger).await?;
        let content = match checked.content {
            Ok(content) => content,
            Err(kind) => {
                self.report_tampering(&item.record, checked.version, kind)
                    .await?;
                return Err(Problem::altered_record().into());
            }
        };
        let key = ContentKey::random();
        let content = released_bytes(item.purpose, &content)?;
        let package = Package {
            salt: keys::secret::random(),
            content,
        };
        let named = delivery::item_data(&item.item.application.0, item.item.index);
        let ciphertext = delivery::encrypt(&key, &named, &package);
        let delivery = Delivery {
            key: *key.expose(),
            ciphertext: DigestAlgorithm::Sha256.digest(&ciphertext),
            ciphertext_bytes: ciphertext.len() as u64,
            release: Commitment::new(self.algorithm, &package.salt, &[&package.content]),
            version: checked.version,
        };
        let mut transaction = self.store.begin().await?;
        deliveries::put(
            &mut transaction,
            &self.vault,
            &item.item,
            &item.record,
            &delivery,
        )
        .await?;
        transaction.commit().await?;
        let put = PutDelivery {
            item: item.item,
            ciphertext: Base64(ciphertext),
        };
        self.bus
            .request(&Target::service("authorization"), None, &put)
            .await?;
        Ok(delivery)
    }
}

/// De-identified for everything but treatment, the insurer's payment and the patient's own wish.
fn released_bytes(purpose: Purpose, canonical: &[u8]) -> Result<Vec<u8>, Failure> {
    match purpose {
        Purpose::Treatment
        | Purpose::EmergencyTreatment
        | Purpose::Payment
        | Purpose::PatientRequest => Ok(canonical.to_vec()),
        Purpose::Research | Purpose::PublicHealth | Purpose::Operations => {
            let record = parse_canonical(canonical).map_err(|_| Failure::Row("content"))?;
            Ok(clinical::deidentify::release_bytes(
                &record,
                &keys::secret::random(),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::plan;
    use crate::testing::bundle_text;
    use clinical::{Record, canonical};

    fn canonical_text() -> Vec<u8> {
        let planned = plan(&bundle_text("p1", "1.00"), "h")
            .unwrap()
            .records
            .remove(0);
        canonical::canonical_bytes(&Record::from_entries(planned.rows.entries).unwrap())
    }

    #[test]
    fn research_gets_no_name_and_treatment_gets_exactly_what_was_committed() {
        let canonical = canonical_text();
        assert_eq!(
            released_bytes(Purpose::Treatment, &canonical).unwrap(),
            canonical
        );
        let released =
            String::from_utf8(released_bytes(Purpose::Research, &canonical).unwrap()).unwrap();
        for personal in ["Canary", "999-00-p1", "MR-p1", "1970-02-03", "Nowhere"] {
            assert!(!released.contains(personal), "{personal}");
        }
        assert!(released.contains("40055000"));
    }
}
