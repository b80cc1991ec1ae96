//! A root file system from distribution packages, or one that is given whole: unpacked by vb, configured inside the
//! sandbox.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use fs_err as fs;
use vb_graph::{InputDigest, LockedPackage, Node, Root, RootContent};
use vb_platform::{RootOptions, UnpackError, rpm};
use vb_sandbox::{Filter, Identity, Network, Root as SandboxRoot, Spec};

use super::command::{Prepared, base_variables, guest, host, read_only};
use crate::{
    builder::Builder,
    error::ExecuteError,
    inputs::{Inputs, fetched},
};

/// Where the files of packages are shown to the script that configures a root; `/tmp` is not kept.
const PACKAGES: &str = "/tmp/vb-packages";

impl Builder {
    pub(super) fn prepare_root(
        &self,
        root: &Root,
        inputs: &Inputs,
        cancel: &AtomicBool,
    ) -> Result<Prepared, ExecuteError> {
        let scratch = self.scratch()?;
        let target = scratch.path().join("root");
        fs::create_dir(&target).map_err(ExecuteError::scratch)?;
        let options = RootOptions { has_merged_usr: root.has_merged_usr, architecture: root.architecture.clone() };
        let mut binds = vec![];
        let script = match root.content {
            RootContent::Debs | RootContent::UnpackedDebs => {
                let packages = self.packages(inputs)?;
                self.on_data_pool(|| vb_platform::unpack(&packages, &target, &options, cancel))
                    .map_err(unpack_error)?;
                match root.content {
                    RootContent::UnpackedDebs => vb_platform::unpacked_script(),
                    _ => vb_platform::configure_script(),
                }
            }
            RootContent::Rpms => {
                let packages = self.packages(inputs)?;
                self.on_data_pool(|| rpm::unpack(&packages, &target, &options, cancel)).map_err(unpack_error)?;
                let shown = scratch.path().join("packages");
                self.show(inputs, &shown)?;
                binds.push(read_only(&shown, PACKAGES));
                rpm::configure_script()
            }
            RootContent::Layers => {
                self.unpack_layers(inputs, &target)?;
                vb_platform::image::configure_script()
            }
        };
        let argv = ["/bin/sh", "-c", script, "configure", PACKAGES];
        let spec = Spec {
            root: SandboxRoot::Writable(host(&target)),
            binds,
            tmpfs: vec![],
            argv: argv.map(str::to_owned).to_vec(),
            env: base_variables(),
            cwd: guest("/"),
            identity: Identity::Root,
            network: Network::Isolated,
            filter: Filter::PretendOwnership,
            timeout: None,
        };
        Ok(Prepared { spec, scratch })
    }

    fn packages(&self, inputs: &Inputs) -> Result<Vec<(LockedPackage, PathBuf)>, ExecuteError> {
        let packages = inputs.of_kind("package");
        packages.map(|(name, input)| Ok((to_package(name, input), fetched(&self.store, input)?.blob))).collect()
    }

    /// Shows packages under their files' names in a directory.
    fn show(&self, inputs: &Inputs, directory: &Path) -> Result<(), ExecuteError> {
        for (_, input) in inputs.of_kind("package") {
            fetched(&self.store, input)?.place(directory)?;
        }
        fs::create_dir_all(directory).map_err(ExecuteError::scratch)
    }

    fn unpack_layers(&self, inputs: &Inputs, target: &Path) -> Result<(), ExecuteError> {
        let layers = inputs.of_kind("layer");
        let layers: Vec<PathBuf> =
            layers.map(|(_, input)| Ok(fetched(&self.store, input)?.blob)).collect::<Result<_, ExecuteError>>()?;
        let unpacked = self.on_data_pool(|| vb_platform::image::unpack(&layers, target));
        Ok(unpacked.map_err(|source| UnpackError::Image { source })?)
    }

    pub(super) fn finish_root(&self, prepared: &Prepared) -> Result<Node, ExecuteError> {
        let target = prepared.path("root");
        vb_platform::finish(&target)?;
        self.on_data_pool(|| self.store.adopt_tree(&target)).map_err(ExecuteError::Output)
    }
}

fn unpack_error(error: UnpackError) -> ExecuteError {
    match error {
        UnpackError::Cancelled => ExecuteError::Cancelled,
        error => error.into(),
    }
}

/// An input of a root is named `package <name> <version> <architecture>`.
fn to_package(name: &str, input: &InputDigest) -> LockedPackage {
    let InputDigest::File { file, sha256 } = input else { unreachable!("a root reads files") };
    let mut words = name.split(' ').map(str::to_owned);
    let mut next = || words.next().expect("lowering names packages with name, version and architecture");
    LockedPackage { name: next(), version: next(), architecture: next(), path: file.clone(), size: 0, sha256: *sha256 }
}
