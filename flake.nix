{
  description = "Python applications to reproducible .deb packages, with their whole virtual environment";

  inputs.nixpkgs.url = "nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      # uv, which builds wheels, is pinned for this architecture.
      systems = [ "x86_64-linux" ];
      forEachSystem = function: nixpkgs.lib.genAttrs systems (system: function nixpkgs.legacyPackages.${system});
      manifest = builtins.fromTOML (builtins.readFile ./Cargo.toml);
      workspace = manifest.workspace.package;
    in
    {
      packages = forEachSystem (pkgs: rec {
        default = vb;
        vb = pkgs.rustPlatform.buildRustPackage {
          pname = "vb";
          version = workspace.version;
          src = self;
          cargoLock.lockFile = ./Cargo.lock;
          cargoBuildFlags = [
            "--package"
            "vb"
          ];
          # The tests make roots from locked packages: they need the network and user namespaces.
          doCheck = false;
          meta = {
            description = workspace.description;
            license = with pkgs.lib.licenses; [
              asl20
              mit
            ];
            mainProgram = "vb";
            platforms = systems;
          };
        };
      });

      devShells = forEachSystem (pkgs: {
        default = pkgs.mkShell {
          packages = with pkgs; [
            cargo
            cargo-deny
            clippy
            git
            nickel
            rust-analyzer
            rustc
            rustfmt
          ];
        };
      });
    };
}
