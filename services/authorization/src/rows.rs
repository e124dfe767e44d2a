//! Items as rows, and rows as summaries.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{GrantId, ItemId, Purpose, RecordNumber};
use interfaces::authorization::ItemSummary;
use interfaces::{Base64, Problem};
use ledger::{Digest, LedgerId};
use sqlx::Row;
use sqlx::any::AnyRow;
use store::Store;
use submission::row::{database, parse, time_text};

use crate::service::Authorization;

/// The columns [`item`] reads.
pub(crate) const ITEM_COLUMNS: &str = "SELECT items.application, items.item_index, items.place, items.record, items.hospital,
    items.patient, items.applicant, items.price, items.item_key, items.state, items.deadline_us, items.grant_id,
    items.grant_withdrawn, applications.purpose, applications.until_us, statements.statement, organisations.name,
    items.ciphertext, items.release_commitment, items.sealed_key, items.guardian
    FROM items JOIN applications ON applications.application = items.application
    LEFT JOIN statements ON statements.application = items.application
    LEFT JOIN organisations ON organisations.member = items.applicant";

/// One item with everything a use case may need of it.
pub(crate) struct Item {
    pub(crate) place: i64,
    pub(crate) patient: LedgerId,
    pub(crate) purpose: Purpose,
    pub(crate) ciphertext: Option<Digest>,
    pub(crate) release: Option<ledger::Commitment>,
    pub(crate) sealed_key: Option<Vec<u8>>,
    pub(crate) summary: ItemSummary,
}

/// A purpose's name in rows (the variant's).
pub(crate) fn purpose_name(purpose: Purpose) -> String {
    serde_json::to_value(purpose)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn purpose(name: &str) -> Result<Purpose, Problem> {
    serde_json::from_value(serde_json::Value::String(name.to_owned()))
        .map_err(|_| Problem::failure("an application row is malformed"))
}

/// Reads a row of [`ITEM_COLUMNS`]; its transactions are read separately.
pub(crate) fn item(row: &AnyRow) -> Result<Item, Problem> {
    let text = |place: usize| row.try_get::<String, _>(place).map_err(database);
    let optional = |place: usize| row.try_get::<Option<String>, _>(place).map_err(database);
    let number = |place: usize| row.try_get::<i64, _>(place).map_err(database);
    let release = optional(18)?
        .map(|json| {
            serde_json::from_str(&json).map_err(|_| Problem::failure("an item row is malformed"))
        })
        .transpose()?;
    let purpose = purpose(&text(13)?)?;
    Ok(Item {
        place: number(2)?,
        patient: parse(&text(5)?)?,
        purpose,
        ciphertext: optional(17)?.map(|digest| parse(&digest)).transpose()?,
        release,
        sealed_key: row.try_get(19).map_err(database)?,
        summary: ItemSummary {
            item: ItemId {
                application: parse(&text(0)?)?,
                index: number(1)? as u16,
            },
            record: parse::<RecordNumber>(&text(3)?)?,
            hospital: parse(&text(4)?)?,
            applicant: parse(&text(6)?)?,
            applicant_name: optional(16)?,
            item_key: Base64(parse::<Digest>(&text(8)?)?.0.to_vec()),
            purpose,
            statement: optional(15)?.unwrap_or_default(),
            price: number(7)?,
            state: text(9)?,
            deadline: time_text(number(10)?),
            until: time_text(number(14)?),
            grant: optional(11)?
                .map(|grant| parse::<GrantId>(&grant))
                .transpose()?,
            grant_withdrawn: number(12)? != 0,
            decided_by: optional(20)?.map(|id| parse::<LedgerId>(&id)).transpose()?,
            transactions: Vec::new(),
        },
    })
}

impl Authorization {
    /// One item by its id.
    pub(crate) async fn item(&self, id: &ItemId) -> Result<Option<Item>, Problem> {
        let sql = format!("{ITEM_COLUMNS} WHERE items.application = $1 AND items.item_index = $2");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.application.to_string())
            .bind(i64::from(id.index))
            .fetch_optional(self.store.reader())
            .await
            .map_err(database)?;
        row.as_ref().map(item).transpose()
    }

    /// The item a grant came of.
    pub(crate) async fn item_of_grant(&self, grant: &str) -> Result<Option<Item>, Problem> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{ITEM_COLUMNS} WHERE items.grant_id = $1"
        )))
        .bind(grant)
        .fetch_optional(self.store.reader())
        .await
        .map_err(database)?;
        row.as_ref().map(item).transpose()
    }

    /// The caller's ledger id as a guardian who may decide for the patient now; none for everybody else.
    pub(crate) async fn deciding_guardian(
        &self,
        own: &[LedgerId],
        patient: &LedgerId,
    ) -> Result<Option<LedgerId>, Problem> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT guardian FROM delegations WHERE patient = $1 AND decides = 1 AND ended = 0 AND until_us > $2",
        )
        .bind(patient.to_string())
        .bind(i64::try_from(chassis::clock::now()).unwrap_or(i64::MAX))
        .fetch_all(self.store.reader())
        .await
        .map_err(database)?;
        let mut guardians = Vec::with_capacity(rows.len());
        for (guardian,) in rows {
            guardians.push(parse::<LedgerId>(&guardian)?);
        }
        // Whoever was suspended or revoked decides nothing; neither does anybody for such a patient.
        let stopped = self.desk.stopped();
        Ok(guardians
            .into_iter()
            .find(|guardian| own.contains(guardian))
            .filter(|guardian| !stopped.contains(guardian) && !stopped.contains(patient)))
    }
}

/// Fills in the transactions of a page of items, in one statement.
pub(crate) async fn fill_in_transactions(store: &Store, items: &mut [Item]) -> Result<(), Problem> {
    if items.is_empty() {
        return Ok(());
    }
    let applications: BTreeSet<String> = items
        .iter()
        .map(|item| format!("'{}'", item.summary.item.application))
        .collect();
    // Ids are hex: nothing in them can end the text.
    let list = Vec::from_iter(applications).join(", ");
    let rows: Vec<(String, i64, String)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT application, item_index, transaction_id FROM item_transactions \
         WHERE application IN ({list}) ORDER BY application, item_index, place"
    )))
    .persistent(false)
    .fetch_all(store.reader())
    .await
    .map_err(database)?;
    let mut transactions: BTreeMap<(String, i64), Vec<Digest>> = BTreeMap::new();
    for (application, index, transaction) in rows {
        let of_item = transactions.entry((application, index)).or_default();
        of_item.push(parse(&transaction)?);
    }
    for item in items {
        let id = &item.summary.item;
        let key = (id.application.to_string(), i64::from(id.index));
        item.summary.transactions = transactions.remove(&key).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use store::testing::TestDatabase;

    use super::*;
    use crate::migrations::MIGRATIONS;

    /// An item by the first byte of its application's id, its index, and the transactions that changed it, by first byte.
    type Put = (u8, i64, &'static [u8]);

    fn application(first: u8) -> String {
        format!("{first:02x}").repeat(16)
    }

    async fn put(to: &mut sqlx::AnyConnection, (first, index, transactions): Put, place: i64) {
        sqlx::query(
            "INSERT INTO items (application, item_index, place, record, hospital, patient, applicant, price, item_key, \
             state, hospital_approved, deadline_us, grant_withdrawn) \
             VALUES ($1, $2, $3, $4, $4, $4, $4, 100, $5, 'patient_pending', 1, 0, 0)",
        )
        .bind(application(first))
        .bind(index)
        .bind(place)
        .bind(LedgerId([7; 16]).to_string())
        .bind(Digest([1; 32]).to_string())
        .execute(&mut *to)
        .await
        .unwrap();
        // The newest first: their order is that of their places, not that in which they were written.
        for (place, transaction) in transactions.iter().enumerate().rev() {
            sqlx::query("INSERT INTO item_transactions VALUES ($1, $2, $3, $4)")
                .bind(application(first))
                .bind(index)
                .bind(place as i64)
                .bind(Digest([*transaction; 32]).to_string())
                .execute(&mut *to)
                .await
                .unwrap();
        }
    }

    async fn own_transactions(database: &TestDatabase) {
        let store = database.open(MIGRATIONS).await;
        let mut filling = store.begin().await.unwrap();
        for first in [1, 2, 3] {
            sqlx::query("INSERT INTO applications VALUES ($1, $2, 'Research', 0)")
                .bind(application(first))
                .bind(LedgerId([7; 16]).to_string())
                .execute(&mut *filling)
                .await
                .unwrap();
        }
        // Of the first application only the second item is on the page.
        let all: [Put; 4] = [
            (1, 0, &[10, 11]),
            (1, 1, &[20, 21, 22]),
            (2, 0, &[30]),
            (3, 0, &[]),
        ];
        for (place, one) in (0..).zip(all) {
            put(&mut filling, one, place).await;
        }
        filling.commit().await.unwrap();
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{ITEM_COLUMNS} WHERE items.place > 0 ORDER BY items.place DESC"
        )))
        .fetch_all(store.reader())
        .await
        .unwrap();
        let mut page = rows
            .iter()
            .map(item)
            .collect::<Result<Vec<_>, _>>()
            .unwrap();
        fill_in_transactions(&store, &mut page).await.unwrap();
        let found: Vec<Vec<u8>> = page
            .iter()
            .map(|item| item.summary.transactions.iter().map(|id| id.0[0]).collect())
            .collect();
        assert_eq!(found, [vec![], vec![30], vec![20, 21, 22]]);
        fill_in_transactions(&store, &mut []).await.unwrap();
        store.close().await;
    }

    #[tokio::test]
    async fn each_item_of_a_page_has_its_own_transactions_in_their_order() {
        own_transactions(&TestDatabase::sqlite()).await;
    }

    #[tokio::test]
    async fn each_item_of_a_page_has_its_own_transactions_in_their_order_on_postgres() {
        if let Some(database) = TestDatabase::postgres("transactions of items").await {
            own_transactions(&database).await;
        }
    }
}
