//! What the end-to-end tests share: the story, played once by `medshare demo` for all of them, and ways to look at what
//! it left behind.
//!
//! | module | what |
//! |---|---|
//! | [`story`] | plays the story once, and gives its report, what it told and its files |
//! | [`chain`] | blocks and events of a replica's files; the independent verifier |
//! | [`canary`] | personal strings in every spelling, and the search for them in files |

pub mod canary;
pub mod chain;
pub mod story;
