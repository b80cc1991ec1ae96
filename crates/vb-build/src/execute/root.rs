//! A root file system from distribution packages: unpacked by vb, configured by dpkg inside the sandbox.

use fs_err as fs;
use vb_graph::{InputDigest, LockedPackage, Node, Root};
use vb_platform::RootOptions;
use vb_sandbox::{Filter, Identity, Network, Root as SandboxRoot, Spec};

use super::command::{Prepared, base_variables, guest, host};
use crate::{
    builder::Builder,
    error::ExecuteError,
    inputs::{Inputs, fetched},
};

impl Builder {
    pub(super) fn prepare_root(&self, root: &Root, inputs: &Inputs) -> Result<Prepared, ExecuteError> {
        let scratch = self.scratch()?;
        let target = scratch.path().join("root");
        fs::create_dir(&target).map_err(ExecuteError::scratch)?;
        let packages = inputs
            .of_kind("package")
            .map(|(name, input)| Ok((to_package(name, input), fetched(&self.store, input)?.blob)))
            .collect::<Result<Vec<_>, ExecuteError>>()?;
        let options = RootOptions { has_merged_usr: root.has_merged_usr, architecture: root.architecture.clone() };
        self.on_data_pool(|| vb_platform::unpack(&packages, &target, &options))?;
        let argv = ["/bin/sh", "-c", vb_platform::configure_script()];
        let spec = Spec {
            root: SandboxRoot::Writable(host(&target)),
            binds: vec![],
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

    pub(super) fn finish_root(&self, prepared: &Prepared) -> Result<Node, ExecuteError> {
        let target = prepared.path("root");
        vb_platform::finish(&target)?;
        self.take_in(&target)
    }
}

/// An input of a root is named `package <name> <version> <architecture>`.
fn to_package(name: &str, input: &InputDigest) -> LockedPackage {
    let InputDigest::File { file, sha256 } = input else { unreachable!("a root reads files") };
    let mut words = name.split(' ').map(str::to_owned);
    let mut next = || words.next().expect("lowering names packages with name, version and architecture");
    LockedPackage { name: next(), version: next(), architecture: next(), path: file.clone(), size: 0, sha256: *sha256 }
}
