//! The whole identity service over a real broker, the real contracts and its own database.

mod consortium;
mod custody;
mod desk;
mod guardians;
mod matching;
mod ocsp;
mod registration;
mod second_factor;
mod sign_in;
