//! The command line of vb.
fn main() {}
