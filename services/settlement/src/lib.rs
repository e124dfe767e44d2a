//! Settlement: accounts, escrow, payout, coverage, adjudication.
