//! The story of `medshare demo`, played once on made-up patients, and what it proves. Each test names the requirements
//! (A-numbers) it shows, and after "Fault:" the one-line fault that would make it fail.

use e2e::chain::{Decided, events};
use e2e::story::story;

#[path = "stories/devices.rs"]
mod devices;
#[path = "stories/insurance.rs"]
mod insurance;
#[path = "stories/ledger.rs"]
mod ledger;
#[path = "stories/members.rs"]
mod members;
#[path = "stories/privacy.rs"]
mod privacy;
#[path = "stories/records.rs"]
mod records;
#[path = "stories/sharing.rs"]
mod sharing;
#[path = "stories/whole.rs"]
mod whole;

/// All events of the story's ledger, in order.
fn decided() -> Vec<Decided> {
    events(&story().blocks(0))
}
