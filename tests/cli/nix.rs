//! What nix says of `flake.nix`.

use crate::support::{repository, test_root};

#[test]
fn the_flake_is_nix() {
    let flake = repository().join("flake.nix");
    let run = test_root("nix").run(&["nix-instantiate", "--parse", "/flake.nix"], &[(&flake, "/flake.nix")]).ok();
    assert!(run.stdout.contains("outputs = "), "{}", run.stdout);
}
