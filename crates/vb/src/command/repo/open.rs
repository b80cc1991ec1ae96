//! Which repository a command is about, and what the workspace says of it.

use std::{
    cell::OnceCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use vb_fetch::{FetchOptions, Fetcher};
use vb_graph::Compression;
use vb_recipe::{
    Evaluated, Family, Loader, PackageRepository, Platform, Platforms, RecipeErrors, Workspace, find_root,
};
use vb_repo::{
    ChannelId, Format, IndexCompression, LocalDirectory, ObjectStorage, PlatformSettings, Publisher, Repository,
    Signers, SshDirectory, Storage,
};

use super::{
    errors::{channel_name, open_error, state_error},
    signers::{no_signers, signers},
};
use crate::{
    arguments::{Channels, Place},
    exit::Exit,
    fatal::Fatal,
};

/// The workspace around the current directory, with its platforms.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) root: PathBuf,
    pub(crate) workspace: Evaluated<Workspace>,
    pub(crate) platforms: Platforms,
}

/// The workspace, loaded when it is first asked for: most commands need none.
#[derive(Debug, Default)]
pub(crate) struct LazyWorkspace {
    loaded: OnceCell<Option<Surroundings>>,
}

impl LazyWorkspace {
    /// Takes a workspace that is loaded.
    pub(crate) fn of(surroundings: Surroundings) -> Self {
        Self { loaded: OnceCell::from(Some(surroundings)) }
    }

    /// Returns the workspace, if the current directory is in one.
    pub(crate) fn get(&self) -> Result<Option<&Surroundings>, Fatal> {
        if self.loaded.get().is_none() {
            let loaded = load()?;
            // Nobody else can have set it in between.
            drop(self.loaded.set(loaded));
        }
        Ok(self.loaded.get().and_then(Option::as_ref))
    }

    /// Returns what the workspace says of its repository.
    pub(crate) fn repository(&self) -> Result<Option<(&Path, &PackageRepository)>, Fatal> {
        let Some(surroundings) = self.get()? else { return Ok(None) };
        let repository = surroundings.workspace.value.repository.as_ref();
        Ok(repository.map(|repository| (surroundings.root.as_path(), repository)))
    }
}

/// Says which channels were asked for in vain.
fn nothing_published(wanted: &Channels) -> String {
    let quoted = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (wanted.channel.as_slice(), wanted.platform.as_slice()) {
        (channels, []) => format!("nothing was published to {}", quoted(channels)),
        ([], platforms) => format!("nothing was published for {}", quoted(platforms)),
        (channels, platforms) => format!("nothing was published to {} of {}", quoted(channels), quoted(platforms)),
    }
}

fn load() -> Result<Option<Surroundings>, Fatal> {
    let current = std::env::current_dir().unwrap_or_default();
    let Some(root) = find_root(&current) else { return Ok(None) };
    let wrong = |errors: RecipeErrors| Fatal::new(Exit::Recipe, errors);
    let loader = Loader::new(&root)
        .map_err(|error| Fatal::caused(Exit::Environment, "vb::recipe::loader", "cannot load recipes", "", error))?;
    let workspace = loader.workspace().map_err(wrong)?;
    let platforms = loader.platforms().map_err(wrong)?;
    Ok(Some(Surroundings { root, workspace, platforms }))
}

/// A repository that a command works on.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) repository: Repository,
    pub(crate) workspace: LazyWorkspace,
}

/// Will the command write?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Read,
    Write,
}

impl Opened {
    /// Opens the repository that the arguments name, or else the workspace's.
    pub(crate) fn new(place: &Place, at: Option<&str>, purpose: Purpose) -> Result<Self, Fatal> {
        Self::in_workspace(place, at, purpose, LazyWorkspace::default())
    }

    /// Opens the repository that the arguments name, or else that of a workspace.
    pub(crate) fn in_workspace(
        place: &Place,
        at: Option<&str>,
        purpose: Purpose,
        workspace: LazyWorkspace,
    ) -> Result<Self, Fatal> {
        let location = location(place, at, &workspace)?;
        let storage = storage(&location)?;
        let signers = match purpose {
            Purpose::Read => no_signers(),
            Purpose::Write => {
                let settings = Repository::read_settings(&storage).map_err(|error| open_error(&location, error))?;
                signers(place, &location, &workspace, &settings.keys)?.signers
            }
        };
        Self::with(storage, signers, workspace, &location)
    }

    fn with(storage: Storage, signers: Signers, workspace: LazyWorkspace, location: &str) -> Result<Self, Fatal> {
        let repository = Repository::open(storage, signers).map_err(|error| open_error(location, error))?;
        Ok(Self { repository, workspace })
    }

    /// Returns the channels that are there and asked for.
    pub(crate) fn channels(&self, wanted: &Channels) -> Result<Vec<ChannelId>, Fatal> {
        let is_wanted = |channel: &ChannelId| {
            (wanted.channel.is_empty() || wanted.channel.contains(&channel.channel))
                && (wanted.platform.is_empty() || wanted.platform.contains(&channel.platform))
        };
        let mut channels = self.repository.channels().map_err(state_error)?;
        channels.retain(is_wanted);
        if channels.is_empty() && !(wanted.channel.is_empty() && wanted.platform.is_empty()) {
            wanted.channel.iter().try_for_each(|name| self.know_channel(name))?;
            return Err(Fatal::message(
                Exit::Usage,
                "vb::repo::no_channel",
                nothing_published(wanted),
                "publish with `vb push` or `vb repo add`; `vb repo list` shows the channels that have packages",
            ));
        }
        Ok(channels)
    }

    /// Checks that the repository has a channel of a name, and returns it for a platform.
    pub(crate) fn channel(&self, platform: &str, channel: &str) -> Result<ChannelId, Fatal> {
        self.know_channel(channel)?;
        ChannelId::new(platform, channel).map_err(channel_name)
    }

    fn know_channel(&self, channel: &str) -> Result<(), Fatal> {
        let known = &self.repository.settings().channels;
        if known.iter().any(|own| own == channel) {
            return Ok(());
        }
        Err(Fatal::message(
            Exit::Usage,
            "vb::repo::no_channel",
            format!("the repository has no channel `{channel}`"),
            format!("use one of: {}", known.join(", ")),
        ))
    }

    /// Finds what a name means in some channels: a package, or a recipe whose package it is.
    pub(crate) fn package_name(&self, name: &str, channels: &[ChannelId]) -> Result<String, Fatal> {
        for channel in channels {
            let found = self.repository.packages_named(channel, name).map_err(state_error)?;
            if !found.is_empty() {
                return Ok(name.to_owned());
            }
        }
        let prefix = self.workspace.get()?.map(|surroundings| surroundings.workspace.value.package_prefix.clone());
        Ok(format!("{}{}", prefix.unwrap_or_default(), name.to_ascii_lowercase().replace('_', "")))
    }

    /// Makes sure that the repository knows a platform that packages are added for.
    pub(crate) fn know_platform(&mut self, name: &str, format: Format, packages: &[PathBuf]) -> Result<(), Fatal> {
        if self.repository.settings().platforms.contains_key(name) {
            return Ok(());
        }
        let own = self.workspace.get()?.and_then(|surroundings| surroundings.platforms.get(name));
        let settings = match own {
            Some(platform) => platform_settings(&platform.value),
            None => PlatformSettings::usual(format, &architecture_of(format, packages)),
        };
        self.repository.add_platform(name, &settings).map_err(|error| open_error(name, error))
    }
}

fn platform_settings(platform: &Platform) -> PlatformSettings {
    let format = match platform.family {
        Family::Deb => Format::Deb,
        Family::Rpm => Format::Rpm,
    };
    let compression = match platform.output.rpm.compression {
        Compression::Zstd => IndexCompression::Zst,
        Compression::Gzip | Compression::Xz => IndexCompression::Gz,
    };
    PlatformSettings { compression, ..PlatformSettings::usual(format, &platform.architecture) }
}

/// Returns the architecture that the first package has in its name, or the machine's.
fn architecture_of(format: Format, packages: &[PathBuf]) -> String {
    let (separator, any) = match format {
        Format::Deb => ('_', "all"),
        Format::Rpm => ('.', "noarch"),
    };
    let of_name = |path: &PathBuf| {
        let stem = path.file_stem()?.to_str()?;
        let (_, architecture) = stem.rsplit_once(separator)?;
        (architecture != any).then(|| architecture.to_owned())
    };
    let machine = match (format, std::env::consts::ARCH) {
        (Format::Deb, "x86_64") => "amd64",
        (Format::Deb, "aarch64") => "arm64",
        (_, other) => other,
    };
    packages.iter().find_map(of_name).unwrap_or_else(|| machine.to_owned())
}

/// Returns where the repository is.
pub(crate) fn location(place: &Place, at: Option<&str>, workspace: &LazyWorkspace) -> Result<String, Fatal> {
    if let Some(given) = at.or(place.repository.as_deref()) {
        return Ok(given.to_owned());
    }
    match workspace.repository()? {
        Some((root, repository)) => Ok(repository.location(root)),
        None => Err(Fatal::message(
            Exit::Usage,
            "vb::repo::which",
            "no repository is named".to_owned(),
            "name it with `--repo`, or set `repository` in `recipes/workspace.ncl`",
        )),
    }
}

/// Returns the storage at a location.
pub(crate) fn storage(location: &str) -> Result<Storage, Fatal> {
    if !location.contains("://") {
        return Ok(Storage::Local(LocalDirectory::new(PathBuf::from(location))));
    }
    let help = "write `s3://bucket/prefix`, `gs://…`, `az://…` or `ssh://host/directory`, and set the variables of that store's tools";
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        Fatal::caused(Exit::Environment, "vb::repo::storage", "cannot use the storage", help, BoxedError(error))
    };
    if location.starts_with("ssh://") {
        return Ok(Storage::Ssh(SshDirectory::new(location).map_err(|error| failed(error.into()))?));
    }
    let fetcher = Fetcher::new(&FetchOptions::default()).map_err(|error| failed(error.into()))?;
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    let storage = ObjectStorage::open(location, &variables, &fetcher).map_err(|error| failed(error.into()))?;
    Ok(Storage::Object(storage))
}

/// One of several kinds of error.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct BoxedError(Box<dyn std::error::Error + Send + Sync>);

/// Returns who publishes, and when.
pub(crate) fn publisher() -> Publisher {
    let user = ["VB_PUBLISHER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Publisher { name: format!("{}@{host}", user.unwrap_or_else(|| "unknown".to_owned())), time: time() }
}

/// Returns the clock's time in seconds since 1970.
pub(crate) fn time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
