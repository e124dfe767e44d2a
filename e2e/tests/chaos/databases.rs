//! The services' database server dies under load.

use e2e::cast::made_up;
use e2e::chain::recount;
use e2e::postgres::Postgres;
use e2e::system::Setup;

use crate::imports::{everything_is_shown, import_until_taken};
use crate::row::{AT_WORK, Row, lasts};

/// Services whose rows a projection makes out of the ledger.
const PROJECTED: [&str; 3] = [
    "medshare_settlement",
    "medshare_index",
    "medshare_authorization",
];

/// A30, A41. Fault: rows and the height they stand at are written in two transactions, or an outbox row is lost or sent
/// twice, when the database ends between them.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_server_that_dies_under_load_loses_nothing_and_its_rows_are_what_a_rebuild_gives()
 {
    let Some(mut postgres) = Postgres::start() else {
        e2e::story::skipped(
            "a_database_server_that_dies",
            "no PostgreSQL server (MEDSHARE_POSTGRES_BIN)",
        );
        return;
    };
    let row = Row::start(Setup::new().database(&postgres.url()), 1).await;
    let people = made_up(4);
    let mut patients = Vec::new();
    for pair in people.chunks(2) {
        patients.push(row.cast.patient(&pair[0]).await);
        patients.push(row.cast.patient(&pair[1]).await);
        let server = &mut postgres;
        let dies = async {
            row.load.goes_on(AT_WORK / 4).await;
            server.stop_at_once();
            lasts(2).await;
            server.start_again();
            row.goes_on_after("the database's return").await;
        };
        let (one, other, ()) = tokio::join!(
            import_until_taken(&row.cast.hospitals[0], &pair[0]),
            import_until_taken(&row.cast.hospitals[1], &pair[1]),
            dies
        );
        assert!(one.refused.is_empty() && other.refused.is_empty());
    }
    while row.has_more_to_do() {
        postgres.stop_at_once();
        lasts(1).await;
        postgres.start_again();
        row.load.goes_on(10 * AT_WORK).await;
    }
    everything_is_shown(&row.cast, &people, &patients).await;
    let (mut system, history) = row.settle().await;
    let records: usize = people.iter().map(|person| person.records).sum();
    let recounted = recount(&system.blocks(0), &system.genesis()).unwrap();
    assert_eq!(recounted["records"], records);

    // I8: the same rows out of the same ledger, from the start.
    let before = PROJECTED.map(|database| postgres.rows(database));
    for database in PROJECTED {
        let reset = postgres.ask(database, "UPDATE projection SET version = -1");
        assert_ne!(reset.as_deref(), Some("UPDATE 0"), "{database}");
    }
    system.start_again();
    for database in PROJECTED {
        let behind = format!(
            "SELECT count(*) FROM projection WHERE version < 0 OR next_height <= {}",
            history.newest()
        );
        while postgres.ask(database, &behind).as_deref() != Some("0") {
            lasts(1).await;
        }
    }
    system.stop();
    for (database, before) in PROJECTED.iter().zip(before) {
        assert!(!before.is_empty(), "I8: {database} has no rows");
        assert_eq!(
            postgres.rows(database),
            before,
            "I8: {database} is rebuilt to something else"
        );
    }
}
