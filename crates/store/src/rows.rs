//! Many rows with few statements.
//!
//! A statement costs more than the row it writes: it crosses to the database's thread or server and back. So rows are
//! gathered and written up to 64 at a time. [`Insert`] is one statement for any number of rows; [`Rows`] keeps what
//! several tables are to get, and writes it in order.

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection};

/// Rows of one statement. Only these numbers occur, so that the database keeps the statements prepared.
const ROWS_AT_ONCE: [usize; 3] = [64, 8, 1];

/// A value of a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// TEXT
    Text(String),
    /// BIGINT
    Number(i64),
    /// BLOB
    Bytes(Vec<u8>),
    /// TEXT without value.
    NoText,
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::NoText, Self::Text)
    }
}

/// One row, in the order of its statement's columns.
#[macro_export]
macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$($crate::rows::Value::from($value)),*] };
}

/// An INSERT of any number of rows; a `static` of the service that owns the table.
pub struct Insert {
    table: &'static str,
    columns: &'static [&'static str],
    /// Columns at the front that make a row unique: rows that agree in them do not go into one statement. None where
    /// equal rows do no harm.
    key_columns: usize,
    /// Values of a row that are no columns but stand in the condition.
    more_values: usize,
    condition: &'static str,
    conflict: &'static str,
    texts: [OnceLock<String>; ROWS_AT_ONCE.len()],
}

impl Insert {
    /// An INSERT INTO `table` of `columns`, and what to do ON CONFLICT: empty, or the clause as in SQL. `key_columns` at
    /// the front are the conflict's target where it updates.
    pub const fn new(
        table: &'static str,
        columns: &'static [&'static str],
        key_columns: usize,
        conflict: &'static str,
    ) -> Insert {
        Insert {
            table,
            columns,
            key_columns,
            more_values: 0,
            condition: "",
            conflict,
            texts: [const { OnceLock::new() }; ROWS_AT_ONCE.len()],
        }
    }

    /// Only rows for which `condition` holds are inserted. It names the row's values `given.column1` and so on, of which
    /// the last `more_values` are in the condition alone.
    #[must_use]
    pub const fn only_where(mut self, more_values: usize, condition: &'static str) -> Insert {
        self.more_values = more_values;
        self.condition = condition;
        self
    }

    /// Writes rows.
    ///
    /// # Errors
    /// What the database says.
    pub async fn write(
        &'static self,
        connection: &mut AnyConnection,
        rows: Vec<Vec<Value>>,
    ) -> Result<(), sqlx::Error> {
        let mut left = rows.len();
        let mut rows = rows.into_iter();
        while left > 0 {
            let size = ROWS_AT_ONCE
                .iter()
                .position(|size| *size <= left)
                .unwrap_or(ROWS_AT_ONCE.len() - 1);
            let mut query = sqlx::query(self.text(size));
            for row in rows.by_ref().take(ROWS_AT_ONCE[size]) {
                debug_assert_eq!(row.len(), self.width(), "{}", self.table);
                for value in row {
                    query = bind(query, value);
                }
            }
            query.execute(&mut *connection).await?;
            left -= ROWS_AT_ONCE[size];
        }
        Ok(())
    }

    fn text(&'static self, size: usize) -> &'static str {
        self.texts[size].get_or_init(|| {
            let width = self.width();
            let rows: Vec<String> = (0..ROWS_AT_ONCE[size])
                .map(|row| {
                    let places: Vec<String> = (1..=width)
                        .map(|column| format!("${}", row * width + column))
                        .collect();
                    format!("({})", places.join(", "))
                })
                .collect();
            let (table, conflict) = (self.table, self.conflict);
            let (columns, values) = (self.columns.join(", "), rows.join(", "));
            if self.condition.is_empty() {
                return format!("INSERT INTO {table} ({columns}) VALUES {values} {conflict}");
            }
            let given: Vec<String> = (1..=self.columns.len())
                .map(|column| format!("given.column{column}"))
                .collect();
            format!(
                "INSERT INTO {table} ({columns}) SELECT {} FROM (VALUES {values}) AS given WHERE {} {conflict}",
                given.join(", "),
                self.condition
            )
        })
    }

    fn width(&self) -> usize {
        self.columns.len() + self.more_values
    }
}

fn bind<'q>(query: Query<'q, Any, AnyArguments>, value: Value) -> Query<'q, Any, AnyArguments> {
    match value {
        Value::Text(text) => query.bind(text),
        Value::Number(number) => query.bind(number),
        Value::Bytes(bytes) => query.bind(bytes),
        Value::NoText => query.bind(None::<String>),
    }
}

/// What is to be done to one table next.
enum Step {
    Insert {
        insert: &'static Insert,
        keys: HashSet<Vec<Value>>,
        rows: Vec<Vec<Value>>,
    },
    Statement {
        sql: &'static str,
        values: Vec<Value>,
    },
}

/// Changes to several tables, gathered. What concerns one table is done in the order it was given; tables are done in the
/// order of their first change, or as [`Rows::in_order`] was told. Nothing is written before [`Rows::flush`].
#[derive(Default)]
pub struct Rows {
    tables: Vec<&'static str>,
    steps: BTreeMap<&'static str, Vec<Step>>,
}

impl Rows {
    /// Nothing yet.
    pub fn new() -> Rows {
        Rows::default()
    }

    /// Nothing yet; these tables are done first, in this order, for statements that look into other tables.
    pub fn in_order(tables: &[&'static str]) -> Rows {
        Rows {
            tables: tables.to_vec(),
            ..Rows::default()
        }
    }

    /// Adds a row.
    pub fn insert(&mut self, insert: &'static Insert, row: Vec<Value>) {
        let steps = self.steps_of(insert.table);
        let key = row[..insert.key_columns].to_vec();
        if let Some(Step::Insert {
            insert: last,
            keys,
            rows,
        }) = steps.last_mut()
            && std::ptr::eq(*last, insert)
            && (key.is_empty() || keys.insert(key.clone()))
        {
            rows.push(row);
            return;
        }
        let keys = HashSet::from_iter([key]);
        let rows = vec![row];
        steps.push(Step::Insert { insert, keys, rows });
    }

    /// Adds another statement on one table.
    pub fn execute(&mut self, table: &'static str, sql: &'static str, values: Vec<Value>) {
        self.steps_of(table).push(Step::Statement { sql, values });
    }

    /// Writes everything.
    ///
    /// # Errors
    /// What the database says; then nothing of it stays in a transaction that is rolled back.
    pub async fn flush(&mut self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        for table in std::mem::take(&mut self.tables) {
            for step in self.steps.remove(table).unwrap_or_default() {
                match step {
                    Step::Insert { insert, rows, .. } => insert.write(connection, rows).await?,
                    Step::Statement { sql, values } => {
                        let query = values.into_iter().fold(sqlx::query(sql), bind);
                        query.execute(&mut *connection).await?;
                    }
                }
            }
        }
        Ok(())
    }

    fn steps_of(&mut self, table: &'static str) -> &mut Vec<Step> {
        if !self.tables.contains(&table) {
            self.tables.push(table);
        }
        self.steps.entry(table).or_default()
    }
}
