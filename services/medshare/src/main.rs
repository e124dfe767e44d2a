//! The medshare command.

fn main() {}
