//! Databases: migrations, the writer and the readers, on SQLite and (where there is a server) PostgreSQL.

use sqlx::Row;
use store::testing::TestDatabase;
use store::{Migration, Store, StoreError};

const FIRST: Migration = (
    1,
    "thing",
    "CREATE TABLE thing (id TEXT PRIMARY KEY, size BIGINT, content BLOB);",
);
const SECOND: Migration = (
    2,
    "colour",
    "ALTER TABLE thing ADD COLUMN colour TEXT; CREATE INDEX thing_colour ON thing (colour);",
);

async fn stores_and_reads(database: &TestDatabase) {
    let store = database.open(&[FIRST]).await;
    let mut transaction = store.begin().await.unwrap();
    sqlx::query("INSERT INTO thing (id, size, content) VALUES ($1, $2, $3), ($4, $5, $6)")
        .bind("one")
        .bind(7i64)
        .bind(vec![1u8, 2])
        .bind("two")
        .bind(None::<i64>)
        .bind(None::<Vec<u8>>)
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    store.close().await;
    let store = database.open(&[FIRST, SECOND]).await;
    let rows = sqlx::query("SELECT size, content, colour FROM thing ORDER BY id")
        .fetch_all(store.reader())
        .await
        .unwrap();
    assert_eq!(rows[0].get::<Option<i64>, _>(0), Some(7));
    assert_eq!(rows[0].get::<Option<Vec<u8>>, _>(1), Some(vec![1, 2]));
    assert_eq!(rows[1].get::<Option<i64>, _>(0), None);
    assert_eq!(rows[1].get::<Option<Vec<u8>>, _>(1), None);
    assert_eq!(rows[1].get::<Option<String>, _>(2), None);
    let changed: Migration = (1, "thing", "CREATE TABLE thing (id TEXT);");
    let opened = Store::open(database.url(), &[changed, SECOND]).await;
    assert!(matches!(
        opened,
        Err(StoreError::ChangedMigration { version: 1, .. })
    ));
    let opened = Store::open(database.url(), &[FIRST]).await;
    assert!(matches!(
        opened,
        Err(StoreError::NewerDatabase { version: 2, .. })
    ));
}

#[tokio::test]
async fn migrations_are_applied_once_and_never_changed_on_sqlite() {
    stores_and_reads(&TestDatabase::sqlite()).await;
}

#[tokio::test]
async fn migrations_are_applied_once_and_never_changed_on_postgres() {
    let Some(database) = TestDatabase::postgres("store::database").await else {
        return;
    };
    stores_and_reads(&database).await;
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind() {
    let database = TestDatabase::sqlite();
    let broken: Migration = (
        2,
        "broken",
        "CREATE TABLE other (id TEXT); CREATE TABLE thing (id TEXT);",
    );
    assert!(matches!(
        Store::open(database.url(), &[FIRST, broken]).await,
        Err(StoreError::Database(_))
    ));
    let store = database.open(&[FIRST]).await;
    assert!(
        sqlx::query("SELECT id FROM other")
            .fetch_all(store.reader())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn readers_read_while_the_writer_writes_and_cannot_write() {
    let store = TestDatabase::sqlite();
    let store = store.open(&[FIRST]).await;
    let mut transaction = store.begin().await.unwrap();
    sqlx::query("INSERT INTO thing (id) VALUES ($1)")
        .bind("one")
        .execute(&mut *transaction)
        .await
        .unwrap();
    let count: i64 = sqlx::query("SELECT COUNT(*) FROM thing")
        .fetch_one(store.reader())
        .await
        .unwrap()
        .get(0);
    assert_eq!(count, 0);
    transaction.commit().await.unwrap();
    let count: i64 = sqlx::query("SELECT COUNT(*) FROM thing")
        .fetch_one(store.reader())
        .await
        .unwrap()
        .get(0);
    assert_eq!(count, 1);
    assert!(
        sqlx::query("DELETE FROM thing")
            .execute(store.reader())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn another_kind_of_database_is_named() {
    assert!(matches!(
        Store::open("mysql://localhost/x", &[]).await,
        Err(StoreError::UnknownDatabase)
    ));
}
