//! What the ledger says, as this service needs it.

mod delegations;
mod fold;
mod items;
mod members;
mod read;

pub use delegations::{DelegationOnLedger, delegations_by, delegations_to};
pub use fold::Ledger;
pub use read::{
    Item, OnLedger, affiliations, code, committed_versions, consent, emergency, finding, is_active,
    item, items_to_release, own_record, own_records_after, own_records_among, records_to_certify,
    sealing_key, view_of_transaction, views, views_of, views_of_by_others,
};
