//! Many rows with few statements, on both databases.

use sqlx::Row as _;
use store::rows::{Insert, Rows};
use store::testing::TestDatabase;
use store::{Migration, Store, row};

const MIGRATIONS: &[Migration] = &[(
    1,
    "things",
    "CREATE TABLE things (name TEXT PRIMARY KEY, number BIGINT NOT NULL, bytes BLOB NOT NULL, note TEXT);
     CREATE TABLE followers (name TEXT PRIMARY KEY);",
)];

static PUT: Insert = Insert::new(
    "things",
    &["name", "number", "bytes", "note"],
    1,
    "ON CONFLICT (name) DO UPDATE SET number = excluded.number, note = excluded.note",
);

static PUT_BEHIND: Insert = Insert::new("followers", &["name"], 0, "ON CONFLICT (name) DO NOTHING")
    .only_where(
        1,
        "EXISTS (SELECT 1 FROM things WHERE things.name = given.column2)",
    );

async fn flush(store: &Store, rows: &mut Rows) {
    let mut transaction = store.begin().await.unwrap();
    rows.flush(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn things(store: &Store) -> Vec<(String, i64, Vec<u8>, Option<String>)> {
    sqlx::query("SELECT name, number, bytes, note FROM things ORDER BY name")
        .fetch_all(store.reader())
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
        .collect()
}

async fn any_number_of_rows(database: &TestDatabase) {
    let store = database.open(MIGRATIONS).await;
    let mut rows = Rows::new();
    for number in 0..137_i64 {
        let note = (number % 2 == 0).then(|| format!("note {number}"));
        rows.insert(
            &PUT,
            row![format!("{number:03}"), number, vec![number as u8], note],
        );
    }
    flush(&store, &mut rows).await;
    let found = things(&store).await;
    assert_eq!(found.len(), 137);
    for (number, thing) in (0..).zip(found) {
        let note = (number % 2 == 0).then(|| format!("note {number}"));
        assert_eq!(
            thing,
            (format!("{number:03}"), number, vec![number as u8], note)
        );
    }
}

async fn the_last_change_wins(database: &TestDatabase) {
    let store = database.open(MIGRATIONS).await;
    let mut rows = Rows::new();
    rows.insert(&PUT, row!["a", 1_i64, vec![1], "first"]);
    rows.insert(&PUT, row!["b", 1_i64, vec![1], "first"]);
    rows.insert(&PUT, row!["a", 2_i64, vec![2], "second"]);
    rows.execute(
        "things",
        "UPDATE things SET number = number + $1 WHERE name = $2",
        row![10_i64, "a"],
    );
    rows.execute("things", "DELETE FROM things WHERE name = $1", row!["b"]);
    rows.insert(&PUT, row!["b", 3_i64, vec![3], "third"]);
    flush(&store, &mut rows).await;
    let found = things(&store).await;
    let second = Some("second".to_owned());
    let third = Some("third".to_owned());
    assert_eq!(
        found,
        [
            ("a".to_owned(), 12, vec![1], second),
            ("b".to_owned(), 3, vec![3], third)
        ]
    );
}

#[tokio::test]
async fn any_number_of_rows_is_written_once_and_whole() {
    any_number_of_rows(&TestDatabase::sqlite()).await;
    if let Some(database) = TestDatabase::postgres("many rows").await {
        any_number_of_rows(&database).await;
    }
}

#[tokio::test]
async fn changes_of_one_table_are_made_in_the_order_given_also_to_the_same_row() {
    the_last_change_wins(&TestDatabase::sqlite()).await;
    if let Some(database) = TestDatabase::postgres("changes in order").await {
        the_last_change_wins(&database).await;
    }
}

async fn only_rows_whose_condition_holds(database: &TestDatabase) {
    let store = database.open(MIGRATIONS).await;
    let mut rows = Rows::in_order(&["things", "followers"]);
    for number in 0..100 {
        rows.insert(
            &PUT_BEHIND,
            row![format!("follower {number}"), format!("thing {number}")],
        );
    }
    for number in 0..10 {
        rows.insert(&PUT, row![format!("thing {number}"), 0_i64, vec![], None]);
    }
    flush(&store, &mut rows).await;
    let count = sqlx::query("SELECT COUNT(*) FROM followers");
    let count: i64 = count.fetch_one(store.reader()).await.unwrap().get(0);
    assert_eq!(count, 10);
}

#[tokio::test]
async fn a_condition_keeps_rows_out_and_sees_what_was_given_for_tables_before() {
    only_rows_whose_condition_holds(&TestDatabase::sqlite()).await;
    if let Some(database) = TestDatabase::postgres("conditions").await {
        only_rows_whose_condition_holds(&database).await;
    }
}
