//! What a package does where it is installed: units, run scripts and maintainer scripts, made of a [`Lifecycle`].
//!
//! One model of transitions ([`transition`]) and two generators ([`script`]): deb and rpm call their scripts with other
//! arguments, in another order, but what is done at each moment is the same.
//!
//! Must not be here: anything that looks at the machine; the scripts do that when they run.

mod error;
mod functions;
mod interpreter;
mod merge;
mod runit;
mod script;
mod supervisor;
mod transition;
mod unit;

use std::{collections::BTreeMap, io};

use vb_graph::{BlobDigest, Format, Lifecycle, Manager, OwnedDirectory, PackageSpec, Service};

pub use self::error::LifecycleError;
use crate::{
    maintainer::MaintainerFiles,
    tree::{Content, Entry, FileTree},
};

/// Adds to a tree and to a maintainer's files what the lifecycle of a package needs; `put` keeps the bytes of a file.
///
/// # Errors
/// [`LifecycleError`], when the lifecycle names a file that the package does not have, or a hand-written script leaves
/// no place for what has to be in it.
pub fn enliven(
    spec: &PackageSpec,
    tree: FileTree,
    mut maintainer: MaintainerFiles,
    mut put: impl FnMut(&[u8]) -> io::Result<BlobDigest>,
) -> Result<(FileTree, MaintainerFiles), LifecycleError> {
    let lifecycle = &spec.lifecycle;
    let tree = if lifecycle.is_empty() { tree } else { bring_to_life(spec, &tree, &mut maintainer, &mut put)? };
    if let Some(needed) = &lifecycle.interpreter {
        interpreter::add(spec, needed, &mut maintainer);
    }
    Ok((tree, maintainer))
}

fn bring_to_life(
    spec: &PackageSpec,
    tree: &FileTree,
    maintainer: &mut MaintainerFiles,
    put: &mut impl FnMut(&[u8]) -> io::Result<BlobDigest>,
) -> Result<FileTree, LifecycleError> {
    let lifecycle = &spec.lifecycle;
    let mut entries: BTreeMap<String, Entry> =
        tree.entries().iter().map(|entry| (entry.path.clone(), entry.clone())).collect();
    add_config_files(spec, &mut entries, tree.siblings())?;
    for service in &lifecycle.services {
        check_commands(service, &entries, tree.siblings())?;
        for made in files_of(spec, service) {
            let Made { path, mode, text } = made;
            let path = path.trim_start_matches('/').to_owned();
            let content = match text {
                Text::File(text) => {
                    let blob = put(text.as_bytes()).map_err(LifecycleError::Put)?;
                    Content::File { blob, size: text.len() as u64 }
                }
                Text::Link(target) => Content::Symlink { target },
            };
            let entry = Entry { path: path.clone(), mode, content };
            if entries.insert(path.clone(), entry).is_some() {
                return Err(LifecycleError::Taken { service: service.name.clone(), path: format!("/{path}") });
            }
        }
    }
    let packed = add_directories(lifecycle, &mut entries);
    maintainer.conffiles.extend(lifecycle.config_files.iter().map(|file| file.path.clone()));
    match spec.format {
        Format::Deb => script::add_debian(spec, &packed, maintainer)?,
        Format::Rpm => script::add_rpm(spec, maintainer)?,
        Format::Tar => {}
    }
    Ok(FileTree::from_entries(entries.into_values())?.beside(tree.siblings().values().cloned()))
}

/// A file that is made for a service.
#[derive(Debug)]
struct Made {
    path: String,
    mode: u32,
    text: Text,
}

#[derive(Debug)]
enum Text {
    File(String),
    Link(String),
}

impl Made {
    fn file(path: String, mode: u32, text: String) -> Self {
        Self { path, mode, text: Text::File(text) }
    }
}

fn files_of(spec: &PackageSpec, service: &Service) -> Vec<Made> {
    let lifecycle = &spec.lifecycle;
    let directory = format!("{}/{}", lifecycle.service_directory, service.name);
    let mut files = Vec::new();
    for manager in &service.managers {
        match manager {
            Manager::Systemd => {
                files.push(Made::file(definition(lifecycle, service, *manager), 0o644, unit::render(service)));
            }
            Manager::Runit => files.extend(runit::files(spec, service, &directory)),
            Manager::Supervisor => {
                let path = definition(lifecycle, service, *manager);
                files.push(Made::file(path, 0o644, supervisor::render(service, &directory)));
            }
        }
    }
    if service.managers.iter().any(|manager| *manager != Manager::Systemd) {
        files.push(Made::file(format!("{directory}/run"), 0o755, runit::run_script(service)));
        if !service.reload.is_empty() {
            files.push(Made::file(format!("{directory}/reload"), 0o755, runit::reload_script(service)));
        }
    }
    files
}

/// Returns the file that a manager knows a service by.
fn definition(lifecycle: &Lifecycle, service: &Service, manager: Manager) -> String {
    match manager {
        Manager::Systemd => format!("{}/{}.service", lifecycle.unit_directory, service.name),
        Manager::Runit => format!("{}/{}/run", lifecycle.service_directory, service.name),
        Manager::Supervisor => format!("{}/{}/supervisor.conf", lifecycle.service_directory, service.name),
    }
}

fn add_config_files(
    spec: &PackageSpec,
    entries: &mut BTreeMap<String, Entry>,
    siblings: &BTreeMap<String, Entry>,
) -> Result<(), LifecycleError> {
    let application = spec.application.trim_start_matches('/');
    for (index, file) in spec.lifecycle.config_files.iter().enumerate() {
        let path = file.path.trim_start_matches('/').to_owned();
        let source = format!("{application}/{}", file.source);
        let found = entries.get(&path).or_else(|| entries.get(&source)).or_else(|| siblings.get(&source));
        let Some(Entry { mode, content: content @ Content::File { .. }, .. }) = found else {
            return Err(LifecycleError::NoConfigFile { index, path: file.path.clone(), origin: file.source.clone() });
        };
        let entry = Entry { path: path.clone(), mode: file.mode.unwrap_or(*mode), content: content.clone() };
        entries.insert(path, entry);
    }
    Ok(())
}

/// Returns the directories in which the package has files: whoever unpacks these makes them before any script could, so
/// they are entries of the package.
fn add_directories<'a>(lifecycle: &'a Lifecycle, entries: &mut BTreeMap<String, Entry>) -> Vec<&'a OwnedDirectory> {
    let mut packed = Vec::new();
    for directory in &lifecycle.directories {
        let path = directory.path.trim_start_matches('/').to_owned();
        let below = format!("{path}/");
        let has_files = entries.range(below.clone()..).next().is_some_and(|(first, _)| first.starts_with(&below));
        let is_directory = entries.get(&path).is_none_or(|entry| entry.content == Content::Directory);
        if has_files && is_directory {
            let entry = Entry { path: path.clone(), mode: directory.mode, content: Content::Directory };
            entries.insert(path, entry);
            packed.push(directory);
        }
    }
    packed
}

/// A command below the package's own directory has to be in the package; any other is the machine's.
fn check_commands(
    service: &Service,
    entries: &BTreeMap<String, Entry>,
    siblings: &BTreeMap<String, Entry>,
) -> Result<(), LifecycleError> {
    for (field, command) in [("exec", &service.exec), ("reload", &service.reload)] {
        let Some(program) = command.first() else { continue };
        let is_own = program.starts_with(&format!("{}/", service.directory));
        let path = program.trim_start_matches('/');
        match entries.get(path).or_else(|| siblings.get(path)).map(|entry| (&entry.content, entry.mode)) {
            Some((Content::File { .. }, mode)) if mode & 0o111 == 0 => {
                let (service, path) = (service.name.clone(), program.clone());
                return Err(LifecycleError::NotExecutable { service, field, path });
            }
            Some((Content::File { .. } | Content::Symlink { .. }, _)) => {}
            Some((Content::Directory, _)) | None if is_own => {
                let (service, path) = (service.name.clone(), program.clone());
                return Err(LifecycleError::NoCommand { service, field, path });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes a word so that a shell reads it as one.
fn shell_word(word: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/._-+=:,@%".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn shell_words(words: &[String]) -> String {
    words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
