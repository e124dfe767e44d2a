//! The whole identity service over a real broker, the real contracts and its own database.

mod consortium;
mod custody;
mod matching;
mod registration;
mod sign_in;
