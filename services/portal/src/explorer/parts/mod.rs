//! What the explorer's pages are made of.
//!
//! | module | what |
//! |---|---|
//! | [`spoken`] | times, counts, names of contracts and commands as the visitor reads them |
//! | [`frame`] | the explorer's navigation, cards, columns |
//! | [`figures`] | numbers, block tiles, bars and their legend |
//! | [`transactions`] | lists of transactions |
//! | [`fields`] | commands and events, field by field |

mod fields;
mod figures;
mod frame;
mod spoken;
mod transactions;

pub(in crate::explorer) use fields::{events, fields};
pub(in crate::explorer) use figures::{Figure, contracts_in, figures, legend, tile};
pub(in crate::explorer) use frame::{
    card, card_of, cell, columns, facts, member, number_link, short, sub,
};
pub(in crate::explorer) use transactions::{Listed, entries, entry, listed};
