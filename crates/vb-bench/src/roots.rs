//! The root of an interpreter from fetched packages, with maintainer scripts and without, beside mmdebstrap with the same
//! packages from a local mirror.

use std::{collections::BTreeSet, path::Path, process::Command};

use fs_err as fs;
use sha2::{Digest, Sha256};

use crate::{
    Common,
    case::{Case, absent, find_program, interleave, remove, table},
    error::BenchError,
    machine,
    run::{Program, output_of},
    workspace::{Copy, LockedFile},
};

const RECIPE: &str = "recipes/whois.ncl";
const PEER: &str = "mmdebstrap";

pub(crate) fn measure(common: &Common) -> Result<String, BenchError> {
    let program = Program::beside_this_one(&common.platform)?;
    let workspace = Copy::of_current_directory(Path::new(RECIPE))?;
    let header = machine::describe(&program)?;
    let fetched = workspace.store_with_files_of(&common.store)?;
    let packages = workspace.locked_packages(&common.platform, "interpreter")?;
    let mirror = workspace.root().join("mirror");
    let names = write_mirror(&workspace, &fetched, &packages, &mirror, &common.platform)?;

    let (target, store) = (workspace.root().join("target"), workspace.root().join("store"));
    let source = format!("deb [trusted=yes] copy:{} {} main", mirror.display(), common.platform);
    let include = format!("--include={}", names.into_iter().collect::<Vec<_>>().join(","));
    let peer = find_program(PEER).unwrap_or_default();
    let unpacked = Copy::of_current_directory(Path::new(RECIPE))?;
    unpacked.make_roots_without_scripts(&common.platform)?;
    let mut cases = Vec::new();
    let variants =
        [("essential", &workspace, "vb, fetched packages"), ("extract", &unpacked, "vb, `configure = 'Unpack`")];
    for (variant, workspace, name) in variants {
        if peer.is_file() {
            let (peer, target, include, source) = (&peer, &target, &include, &source);
            cases.push(Case::new(
                format!("mmdebstrap --variant={variant}, local mirror"),
                || remove(target),
                move || {
                    let mut command = Command::new(peer);
                    let hook = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr";
                    command.args(["--quiet", "--mode=root", hook]).arg(format!("--variant={variant}")).arg(include);
                    command.arg(&common.platform).arg(target).arg(source);
                    command
                },
            ));
        }
        let (program, store, fetched) = (&program, &store, &fetched);
        cases.push(Case::new(
            name,
            move || {
                remove(store)?;
                workspace.copy_store_into(fetched, store)
            },
            move || program.output(workspace, store, "root interpreter"),
        ));
    }
    let samples = interleave(&cases, if common.quick { 1 } else { 5 })?;
    let count = packages.len();
    Ok(format!("{header}\n{}{count} packages.\n\n{}", absent(&[PEER]), table(&cases, &samples)))
}

/// Writes an archive of one suite, as apt wants it, and returns the names of its packages.
fn write_mirror(
    workspace: &Copy,
    store: &Path,
    packages: &[LockedFile],
    mirror: &Path,
    suite: &str,
) -> Result<BTreeSet<String>, BenchError> {
    let pool = mirror.join("pool");
    fs::create_dir_all(&pool)?;
    let (mut names, mut index) = (BTreeSet::new(), String::new());
    for LockedFile { name, file, size, sha256 } in packages {
        fs::copy(workspace.blob_of(store, sha256)?, pool.join(file))?;
        let control = output_of(Command::new("dpkg-deb").arg("--field").arg(pool.join(file)))?;
        index.push_str(&format!("{control}\nFilename: pool/{file}\nSize: {size}\nSHA256: {sha256}\n\n"));
        names.insert(name.clone());
    }
    let dists = mirror.join("dists").join(suite);
    fs::create_dir_all(dists.join("main/binary-amd64"))?;
    fs::write(dists.join("main/binary-amd64/Packages"), &index)?;
    let (sha256, size) = (hex::encode(Sha256::digest(&index)), index.len());
    let release = format!(
        "Suite: {suite}\nCodename: {suite}\nComponents: main\nArchitectures: amd64\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n\
         SHA256:\n {sha256} {size} main/binary-amd64/Packages\n"
    );
    fs::write(dists.join("Release"), release)?;
    Ok(names)
}
