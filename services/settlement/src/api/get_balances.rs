//! Balances of the caller's accounts. By whoever can have an account, their own only.

use std::sync::Arc;

use bus::Call;
use interfaces::Problem;
use interfaces::settlement::{Balance, GetBalances};
use submission::row::database;

use crate::service::Settlement;

pub(crate) async fn get_balances(
    settlement: Arc<Settlement>,
    call: Call,
    _request: GetBalances,
) -> Result<Vec<Balance>, Problem> {
    let caller = settlement.sessions.caller(&call)?;
    let mut balances = Vec::new();
    for account in settlement.accounts(&caller).await? {
        let balance: Option<(i64,)> =
            sqlx::query_as("SELECT balance FROM balances WHERE account = $1")
                .bind(account.to_string())
                .fetch_optional(settlement.store.reader())
                .await
                .map_err(database)?;
        balances.push(Balance {
            account,
            balance: balance.map_or(0, |(balance,)| balance),
        });
    }
    Ok(balances)
}
