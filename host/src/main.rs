//! The `postigo` binary.

fn main() {}
