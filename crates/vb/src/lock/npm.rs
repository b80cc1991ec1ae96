//! npm packages: a `package-lock.json` says which they are; each is fetched once and held against its integrity there.

use fs_err as fs;
use sha2::{Digest, Sha256 as Hasher};
use vb_build::Builder;
use vb_graph::{LockedFile, LockedNodePackage, Sha256};
use vb_npm::{Integrity, NodePackage, PackageLockError, Target, read_package_lock, tarball_name};
use vb_recipe::{Evaluated, Npm, Platform, Recipe};
use vb_store::FetchedFile;

use crate::{display, exit::Exit, fatal::Fatal};

/// Locks the npm packages of a recipe for a platform; none for a recipe without any.
pub(super) fn lock(
    builder: &Builder,
    recipe: &Evaluated<Recipe>,
    platform: &Platform,
) -> Result<Vec<LockedNodePackage>, Fatal> {
    let Some(npm) = &recipe.value.npm else { return Ok(vec![]) };
    let path = recipe.source_dir().join(&npm.lock);
    let shown = display::relative(&path).display().to_string();
    let refused = |error: PackageLockError| {
        let message = format!("cannot follow `{shown}`");
        let help = refusal_help(&error);
        Fatal::caused(Exit::Recipe, "vb::lock::package_lock", message, help, error)
    };
    let text = fs::read_to_string(&path).map_err(|error| refused_file(&shown, error))?;
    let packages = read_package_lock(&text, target(platform)).map_err(refused)?;
    warn_of_scripts(npm, &packages);
    packages.iter().map(|package| locked(builder, package)).collect()
}

/// Returns a platform's name for node; all platforms have glibc.
fn target(platform: &Platform) -> Target {
    let cpu = match platform.machine.as_str() {
        "aarch64" => "arm64",
        _ => "x64",
    };
    Target { os: "linux", cpu, libc: "glibc" }
}

fn refused_file(shown: &str, error: std::io::Error) -> Fatal {
    Fatal::caused(Exit::Recipe, "vb::lock::package_lock", format!("cannot follow `{shown}`"), "check the file", error)
}

fn refusal_help(error: &PackageLockError) -> &'static str {
    match error {
        PackageLockError::Version { .. }
        | PackageLockError::NoIntegrity { .. }
        | PackageLockError::Integrity { .. } => {
            "remove it, and let `npm install --package-lock-only --lockfile-version 3` write it anew"
        }
        PackageLockError::Link { .. } | PackageLockError::Foreign { .. } => {
            "publish the package to a registry, or put its files into the application's source"
        }
        PackageLockError::Target { .. } => "make the package an optional dependency, or do without it",
        _ => "let `npm install --package-lock-only` write it anew",
    }
}

fn warn_of_scripts(npm: &Npm, packages: &[NodePackage]) {
    let is_held = |package: &&NodePackage| package.has_install_script && !npm.allow_scripts.contains(&package.name);
    for package in packages.iter().filter(is_held) {
        let name = &package.name;
        display::warn(&format!("the install script of `{name}` will not run: `npm.allow_scripts` does not have it"));
    }
}

/// Fetches a package, unless its tarball is known, and names it by its SHA-256.
fn locked(builder: &Builder, package: &NodePackage) -> Result<LockedNodePackage, Fatal> {
    let store = builder.store();
    let memory = format!("npm package {}", package.integrity);
    let file = tarball_name(&package.name, &package.version);
    let known = store.recall::<(Sha256, u64)>(&memory);
    let (sha256, size) = match known {
        Some(known) => known,
        None => {
            let fetched = fetch(builder, package, &file)?;
            // One that cannot be remembered is fetched again.
            drop(store.remember(&memory, &fetched));
            fetched
        }
    };
    Ok(LockedNodePackage {
        place: package.place.clone(),
        name: package.name.clone(),
        version: package.version.clone(),
        file: LockedFile { file, size: Some(size), sha256 },
    })
}

fn fetch(builder: &Builder, package: &NodePackage, file: &str) -> Result<(Sha256, u64), Fatal> {
    let location = builder.npm().location(&package.name, file).ok_or_else(|| {
        Fatal::message(
            Exit::Environment,
            "vb::lock::no_registry",
            format!("there is no npm registry to fetch `{file}` from"),
            "configure one for npm, or set `npm_registry` in the workspace",
        )
    })?;
    let bytes = builder.fetcher().get(&location).map_err(|error| {
        let help = "check npm's configuration on this machine, or `npm_registry` in the workspace";
        Fatal::caused(Exit::Environment, "vb::lock::npm_fetch", format!("cannot fetch `{file}`"), help, error)
    })?;
    if Integrity::of(&bytes) != package.integrity {
        return Err(Fatal::message(
            Exit::Environment,
            "vb::lock::npm_integrity",
            format!(
                "`{file}` is not the one that `package-lock.json` means\n  expected {}\n  found    {}",
                package.integrity,
                Integrity::of(&bytes)
            ),
            "ask who looks after the registry: a version that is published never changes",
        ));
    }
    let sha256 = Sha256::from_bytes(Hasher::digest(&bytes).into());
    let size = bytes.len() as u64;
    let write_error = |error| {
        Fatal::caused(Exit::Environment, "vb::store::write", "cannot write to the store", display::FREE_SPACE, error)
    };
    let blob = builder.store().put_bytes(&bytes).map_err(write_error)?;
    builder.store().put_fetched_file(&sha256, &FetchedFile { blob, size }).map_err(write_error)?;
    Ok((sha256, size))
}
