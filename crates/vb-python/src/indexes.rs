//! Where Python files come from: the machine's own uv and pip configuration.
//!
//! uv's settings win over pip's as a whole for indexes, since one who configures uv means it; find-links locations of
//! both are used, since a wheel that is at hand is at hand. Values come from the caller: nothing here reads the environment.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use vb_fetch::without_credentials;

use crate::{
    bound::{BoundIndex, NoLocation, Places},
    ini::{self, IniError},
    location::local_path,
    netrc::Netrc,
};

/// The package indexes and find-links locations to look in, best first.
///
/// `Debug` masks the credentials that a URL may hold.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct IndexConfig {
    /// The base URLs of simple indexes (PEP 503). Additional ones come first, the default index last.
    pub indexes: Vec<String>,
    /// Directories and pages that hold files under their own names.
    pub find_links: Vec<String>,
    /// Is the default index among [`indexes`](Self::indexes), or switched off? If not, the caller asks the
    /// machine's pip for its built-in one ([`default_index_query`]) and adds it with [`with_default_index`](Self::with_default_index).
    pub has_default_index: bool,
    /// The indexes that are bound to names. Nothing of theirs is looked for elsewhere, and nothing else there.
    pub bound: Vec<BoundIndex>,
    /// The indexes that uv's configuration gives names, those among them that are only for who names them.
    pub named: BTreeMap<String, String>,
    /// Is the command `keyring` to be asked for passwords?
    pub has_keyring: bool,
    /// The user's logins: they count for files that are on another host than their index.
    pub netrc: Netrc,
}

impl IndexConfig {
    /// Binds indexes to names. What is bound is no index for everything else any more.
    #[must_use]
    pub fn with_bound(mut self, bound: Vec<BoundIndex>) -> Self {
        let plain = |location: &str| without_credentials(location).trim_end_matches('/').to_owned();
        let places: Vec<String> = bound.iter().filter_map(|index| Some(plain(index.location.as_deref()?))).collect();
        self.indexes.retain(|index| !places.contains(&plain(index)));
        self.find_links.retain(|link| !places.contains(&plain(link)));
        self.bound = bound;
        self
    }

    /// Returns the name that uv's configuration gives an index.
    pub fn name_of(&self, location: &str) -> Option<&str> {
        self.named.iter().find(|(_, url)| *url == location).map(|(name, _)| name.as_str())
    }

    /// Returns the index that a distribution is bound to; the first one that has it counts.
    pub fn index_of(&self, project: &str) -> Option<&BoundIndex> {
        self.bound.iter().find(|index| index.packages.has(project))
    }

    /// Returns where a distribution is looked for.
    pub(crate) fn places(&self, project: &str) -> Result<Places<'_>, NoLocation> {
        let Some(index) = self.index_of(project) else {
            return Ok(Places { find_links: &self.find_links, indexes: &self.indexes });
        };
        let location = index.location.as_ref();
        let location = location.ok_or_else(|| NoLocation { project: project.to_owned(), index: index.name.clone() })?;
        let only = std::slice::from_ref(location);
        Ok(match local_path(location) {
            Some(_) => Places { find_links: only, indexes: &[] },
            None => Places { find_links: &[], indexes: only },
        })
    }

    /// Adds the default index after the additional ones.
    #[must_use]
    pub fn with_default_index(mut self, url: String) -> Self {
        self.indexes.push(url);
        self.has_default_index = true;
        self
    }
}

impl fmt::Debug for IndexConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mask = |urls: &[String]| urls.iter().map(|url| without_credentials(url)).collect::<Vec<_>>();
        f.debug_struct("IndexConfig")
            .field("indexes", &mask(&self.indexes))
            .field("find_links", &mask(&self.find_links))
            .field("has_default_index", &self.has_default_index)
            .field("bound", &self.bound)
            .field("has_keyring", &self.has_keyring)
            .finish_non_exhaustive()
    }
}

/// The directories below which the configuration files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFiles {
    /// The user's home directory.
    pub home: PathBuf,
    /// The system's configuration directory, normally `/etc`.
    pub etc: PathBuf,
    /// `$XDG_CONFIG_HOME`, where it is set.
    pub xdg_config: Option<PathBuf>,
}

impl HostFiles {
    fn user_config(&self) -> PathBuf {
        self.xdg_config.clone().unwrap_or_else(|| self.home.join(".config"))
    }
}

/// A configuration file of pip or uv exists and cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexConfigError {
    /// The file cannot be read.
    #[error("cannot read the index configuration")]
    Read(#[source] std::io::Error),
    /// A `pip.conf` is not an INI file.
    #[error("cannot read pip's configuration `{}`", path.display())]
    Pip {
        /// The file.
        path: PathBuf,
        /// The line that is not understood.
        #[source]
        source: IniError,
    },
    /// A `uv.toml` is not TOML, or its index settings have another shape.
    #[error("cannot read uv's configuration `{}`", path.display())]
    Uv {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<toml::de::Error>,
    },
}

/// Returns the command that prints the default index built into the machine's pip.
pub fn default_index_query() -> Vec<String> {
    ["python3", "-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"].map(str::to_owned).into()
}

/// Reads the index configuration from environment variables and configuration files.
///
/// Local find-links locations that do not exist are left out.
///
/// # Errors
/// A configuration file exists but cannot be read or understood.
pub fn read_config(variables: &BTreeMap<String, String>, files: &HostFiles) -> Result<IndexConfig, IndexConfigError> {
    let uv = read_uv(variables, files)?;
    let pip = read_pip(variables, files)?;
    let mut find_links = Vec::new();
    for location in uv.find_links.iter().chain(&pip.find_links) {
        let location = make_absolute(expand_home(location, &files.home));
        let is_there = local_path(&location).is_none_or(|path| path.exists());
        if is_there && !find_links.contains(&location) {
            find_links.push(location);
        }
    }
    let has_keyring = [&uv, &pip].iter().any(|settings| settings.keyring.as_deref().is_some_and(is_keyring));
    let named = uv.named.clone();
    let settings = if uv.has_index() { uv } else { pip };
    Ok(IndexConfig { named, has_keyring, ..settings.into_config(find_links) })
}

/// Which values of pip's and uv's `keyring-provider` mean the command.
fn is_keyring(provider: &str) -> bool {
    matches!(provider, "subprocess" | "auto" | "import")
}

fn expand_home(location: &str, home: &Path) -> String {
    match location.strip_prefix("~/") {
        Some(rest) => home.join(rest).display().to_string(),
        None => location.to_owned(),
    }
}

/// A relative path of a variable is below the working directory, as for pip and uv.
fn make_absolute(location: String) -> String {
    let relative = local_path(&location).filter(|path| path.is_relative());
    match relative.and_then(|path| std::path::absolute(path).ok()) {
        Some(path) => path.display().to_string(),
        None => location,
    }
}

/// The settings of one tool.
#[derive(Debug, Default)]
struct Settings {
    default: Option<String>,
    extra: Vec<String>,
    find_links: Vec<String>,
    is_index_off: bool,
    named: BTreeMap<String, String>,
    keyring: Option<String>,
}

impl Settings {
    fn has_index(&self) -> bool {
        self.default.is_some() || !self.extra.is_empty() || self.is_index_off
    }

    /// Splits `name=url`, and keeps the name. A URL's own `=` comes after its `://`.
    fn take_name(&mut self, word: &str) -> String {
        match word.split_once('=') {
            Some((name, url)) if !name.contains(':') => {
                self.named.entry(name.to_owned()).or_insert_with(|| url.to_owned());
                url.to_owned()
            }
            _ => word.to_owned(),
        }
    }

    fn into_config(self, find_links: Vec<String>) -> IndexConfig {
        if self.is_index_off {
            return IndexConfig { find_links, has_default_index: true, ..IndexConfig::default() };
        }
        let has_default_index = self.default.is_some();
        let mut indexes: Vec<String> = Vec::new();
        for url in self.extra.into_iter().chain(self.default) {
            if !indexes.contains(&url) {
                indexes.push(url);
            }
        }
        IndexConfig { indexes, find_links, has_default_index, ..IndexConfig::default() }
    }
}

fn variable<'a>(variables: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
}

fn words(value: &str) -> Vec<String> {
    value.split_whitespace().map(str::to_owned).collect()
}

fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on" | "t" | "y")
}

/// The part of a `uv.toml` that is about indexes. Its `[pip]` table may repeat it for `uv pip`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct UvFile {
    index: Vec<UvIndex>,
    index_url: Option<String>,
    extra_index_url: Vec<String>,
    find_links: Vec<String>,
    no_index: bool,
    keyring_provider: Option<String>,
    pip: Option<Box<UvFile>>,
}

#[derive(Debug, Deserialize)]
struct UvIndex {
    name: Option<String>,
    url: String,
    #[serde(default)]
    default: bool,
    /// Only packages that name an explicit index come from it, and requirements files cannot name one.
    #[serde(default)]
    explicit: bool,
    format: Option<String>,
}

fn read_uv(variables: &BTreeMap<String, String>, files: &HostFiles) -> Result<Settings, IndexConfigError> {
    let mut settings = Settings::default();
    if let Some(value) = variable(variables, "UV_INDEX") {
        for word in words(value) {
            let url = settings.take_name(&word);
            settings.extra.push(url);
        }
    }
    settings.extra.extend(variable(variables, "UV_EXTRA_INDEX_URL").map(words).unwrap_or_default());
    let default = variable(variables, "UV_DEFAULT_INDEX").or_else(|| variable(variables, "UV_INDEX_URL"));
    settings.default = default.map(|value| settings.take_name(value));
    if let Some(value) = variable(variables, "UV_FIND_LINKS") {
        let locations = value.split([',', ' ', '\n']).map(str::trim).filter(|location| !location.is_empty());
        settings.find_links.extend(locations.map(str::to_owned));
    }
    settings.keyring = variable(variables, "UV_KEYRING_PROVIDER").map(str::to_owned);
    settings.is_index_off = variable(variables, "UV_NO_INDEX").is_some_and(is_true);
    if !variable(variables, "UV_NO_CONFIG").is_some_and(is_true) {
        for path in uv_files(variables, files) {
            add_uv_file(&mut settings, &path)?;
        }
    }
    Ok(settings)
}

/// Returns uv's configuration files, the strongest first.
fn uv_files(variables: &BTreeMap<String, String>, files: &HostFiles) -> Vec<PathBuf> {
    match variable(variables, "UV_CONFIG_FILE") {
        Some(path) => vec![path.into()],
        None => {
            vec![files.user_config().join("uv/uv.toml"), files.etc.join("xdg/uv/uv.toml"), files.etc.join("uv/uv.toml")]
        }
    }
}

fn add_uv_file(settings: &mut Settings, path: &Path) -> Result<(), IndexConfigError> {
    let Some(text) = read_if_there(path)? else { return Ok(()) };
    let mut file: UvFile = toml::from_str(&text)
        .map_err(|source| IndexConfigError::Uv { path: path.to_owned(), source: Box::new(source) })?;
    let dir = path.parent().unwrap_or(Path::new("/"));
    if let Some(pip) = file.pip.take() {
        add_uv_settings(settings, *pip, dir);
    }
    add_uv_settings(settings, file, dir);
    Ok(())
}

/// Adds weaker settings: they never replace a default that is already there.
fn add_uv_settings(settings: &mut Settings, file: UvFile, dir: &Path) {
    settings.keyring = settings.keyring.take().or(file.keyring_provider);
    for index in &file.index {
        if let Some(name) = &index.name {
            settings.named.entry(name.clone()).or_insert_with(|| index.url.clone());
        }
    }
    for index in file.index.into_iter().filter(|index| !index.explicit) {
        if index.format.as_deref() == Some("flat") {
            settings.find_links.push(index.url);
        } else if !index.default {
            settings.extra.push(index.url);
        } else if settings.default.is_none() {
            settings.default = Some(index.url);
        }
    }
    settings.extra.extend(file.extra_index_url);
    settings.default = settings.default.take().or(file.index_url);
    settings.is_index_off |= file.no_index;
    let is_plain_relative =
        |location: &str| local_path(location).is_some_and(|path| path.is_relative()) && !location.starts_with("~/");
    settings.find_links.extend(file.find_links.into_iter().map(|location| match is_plain_relative(&location) {
        true => dir.join(location).display().to_string(),
        false => location,
    }));
}

fn read_pip(variables: &BTreeMap<String, String>, files: &HostFiles) -> Result<Settings, IndexConfigError> {
    let mut values = BTreeMap::new();
    for path in pip_files(variables, files) {
        add_pip_file(&mut values, &path)?;
    }
    let setting = |key: &str| {
        let name = format!("PIP_{}", key.to_ascii_uppercase().replace('-', "_"));
        let from_file = ["download", "install", "global"]
            .iter()
            .find_map(|section| values.get(&((*section).to_owned(), key.to_owned())))
            .map(String::as_str);
        variable(variables, &name).or(from_file).filter(|value| !value.is_empty()).map(str::to_owned)
    };
    Ok(Settings {
        default: setting("index-url"),
        extra: setting("extra-index-url").map(|value| words(&value)).unwrap_or_default(),
        find_links: setting("find-links").map(|value| words(&value)).unwrap_or_default(),
        is_index_off: setting("no-index").is_some_and(|value| is_true(&value)),
        named: BTreeMap::new(),
        keyring: setting("keyring-provider"),
    })
}

/// Returns pip's configuration files, the weakest first: global, user, then the one that a variable names.
/// A variable that names the null device switches all of them off.
fn pip_files(variables: &BTreeMap<String, String>, files: &HostFiles) -> Vec<PathBuf> {
    let named = variable(variables, "PIP_CONFIG_FILE");
    if named == Some("/dev/null") {
        return Vec::new();
    }
    let mut paths = vec![
        files.etc.join("xdg/pip/pip.conf"),
        files.etc.join("pip.conf"),
        files.home.join(".pip/pip.conf"),
        files.user_config().join("pip/pip.conf"),
    ];
    paths.extend(named.map(PathBuf::from));
    paths
}

fn add_pip_file(values: &mut BTreeMap<(String, String), String>, path: &Path) -> Result<(), IndexConfigError> {
    let Some(text) = read_if_there(path)? else { return Ok(()) };
    let entries =
        ini::parse(&text, &['=', ':']).map_err(|source| IndexConfigError::Pip { path: path.to_owned(), source })?;
    for entry in entries {
        let key = entry.key.to_ascii_lowercase().replace('_', "-").trim_start_matches("--").to_owned();
        values.insert((entry.section, key), entry.value.trim().to_owned());
    }
    Ok(())
}

fn read_if_there(path: &Path) -> Result<Option<String>, IndexConfigError> {
    match fs_err::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(IndexConfigError::Read(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose configuration files are those given, below `home/` and `etc/`.
    struct Machine {
        dir: tempfile::TempDir,
    }

    impl Machine {
        fn new(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = dir.path().join(name);
                fs_err::create_dir_all(path.parent().unwrap()).unwrap();
                fs_err::write(path, text).unwrap();
            }
            Self { dir }
        }

        fn try_read(&self, variables: &[(&str, &str)]) -> Result<IndexConfig, IndexConfigError> {
            let root = self.dir.path();
            let files = HostFiles { home: root.join("home"), etc: root.join("etc"), xdg_config: None };
            read_config(&variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(), &files)
        }

        fn read(&self, variables: &[(&str, &str)]) -> IndexConfig {
            self.try_read(variables).unwrap()
        }
    }

    #[test]
    fn a_machine_without_configuration_asks_for_the_default_index() {
        let config = Machine::new(&[]).read(&[]);
        assert_eq!(config, IndexConfig::default());
        let config = config.with_default_index("https://index.example/simple".into());
        assert!(config.has_default_index);
        assert_eq!(config.indexes, ["https://index.example/simple"]);
    }

    #[test]
    fn pips_files_and_variables_override_each_other_in_pips_order() {
        let machine = Machine::new(&[
            ("etc/pip.conf", "[global]\nindex-url = https://a.example/simple\nextra_index_url = https://x.example\n"),
            ("home/.config/pip/pip.conf", "[global]\nindex-url = https://b.example/simple\n"),
        ]);
        assert_eq!(machine.read(&[]).indexes, ["https://x.example", "https://b.example/simple"]);
        let config = machine.read(&[("PIP_INDEX_URL", "https://c.example/simple")]);
        assert_eq!(config.indexes, ["https://x.example", "https://c.example/simple"]);
        assert_eq!(machine.read(&[("PIP_CONFIG_FILE", "/dev/null")]).indexes, [""; 0]);
    }

    #[test]
    fn a_command_section_of_pip_wins_over_the_global_one() {
        let machine = Machine::new(&[(
            "etc/pip.conf",
            "[install]\nindex-url = https://i.example\n[global]\nindex-url = https://g.example\n",
        )]);
        assert_eq!(machine.read(&[]).indexes, ["https://i.example"]);
    }

    #[test]
    fn uvs_indexes_win_over_pips() {
        let machine = Machine::new(&[
            ("etc/pip.conf", "[global]\nindex-url = https://pip.example/simple\n"),
            (
                "home/.config/uv/uv.toml",
                "[[index]]\nname = \"a\"\nurl = \"https://a.example/simple\"\n\
                 [[index]]\nurl = \"https://d.example/simple\"\ndefault = true\n\
                 [[index]]\nname = \"torch\"\nurl = \"https://t.example\"\nexplicit = true\n",
            ),
        ]);
        let config = machine.read(&[]);
        assert_eq!(config.indexes, ["https://a.example/simple", "https://d.example/simple"]);
        assert!(config.has_default_index);
        let variables =
            [("UV_DEFAULT_INDEX", "https://v.example"), ("UV_INDEX", "n=https://n.example https://m.example/?a=b")];
        let config = machine.read(&variables);
        assert_eq!(
            config.indexes,
            ["https://n.example", "https://m.example/?a=b", "https://a.example/simple", "https://v.example"]
        );
        assert_eq!(machine.read(&[("UV_NO_CONFIG", "1")]).indexes, ["https://pip.example/simple"]);
    }

    #[test]
    fn additional_indexes_alone_leave_the_default_to_be_asked_for() {
        let config = Machine::new(&[]).read(&[("PIP_EXTRA_INDEX_URL", "https://x.example https://y.example")]);
        assert_eq!(config.indexes, ["https://x.example", "https://y.example"]);
        assert!(!config.has_default_index);
    }

    #[test]
    fn an_index_that_is_switched_off_is_not_asked_for() {
        let config = Machine::new(&[("etc/pip.conf", "[global]\nno-index = true\n")]).read(&[]);
        assert!(config.indexes.is_empty() && config.has_default_index);
    }

    #[test]
    fn find_links_that_do_not_exist_are_dropped() {
        let machine = Machine::new(&[
            ("home/wheels/note", ""),
            ("etc/uv/local/note", ""),
            ("etc/uv/uv.toml", "find-links = [\"local\", \"absent\"]\n"),
        ]);
        let etc = machine.dir.path().join("etc/uv/local").display().to_string();
        let home = machine.dir.path().join("home/wheels").display().to_string();
        let config = machine.read(&[("PIP_FIND_LINKS", "/no/such/dir ~/wheels https://links.example/all.html")]);
        assert_eq!(config.find_links, [etc, home, "https://links.example/all.html".into()]);
    }

    #[test]
    fn relative_find_links_are_made_absolute() {
        let config = Machine::new(&[]).read(&[("PIP_FIND_LINKS", "src")]);
        assert_eq!(config.find_links, [std::path::absolute("src").unwrap().display().to_string()]);
    }

    fn bound(location: Option<&str>) -> BoundIndex {
        BoundIndex {
            name: "company".into(),
            packages: crate::bound::NamePatterns::new(["acme-*"]),
            location: location.map(str::to_owned),
        }
    }

    #[test]
    fn a_bound_index_has_its_names_alone_and_they_are_nowhere_else() {
        let variables = [("PIP_EXTRA_INDEX_URL", "https://bob:x@own.example/simple/ https://y.example")];
        let config = Machine::new(&[]).read(&variables).with_bound(vec![bound(Some("https://own.example/simple"))]);
        let everything = config.places("attrs").unwrap();
        assert_eq!((everything.find_links, everything.indexes), (&[][..], &["https://y.example".to_owned()][..]));
        let own = config.places("Acme_Tools").unwrap();
        assert_eq!((own.find_links, own.indexes), (&[][..], &["https://own.example/simple".to_owned()][..]));
    }

    #[test]
    fn a_bound_directory_is_one_and_an_index_without_a_place_is_told() {
        let config = IndexConfig::default().with_bound(vec![bound(Some("/srv/wheels"))]);
        let own = config.places("acme-tools").unwrap();
        assert_eq!((own.find_links, own.indexes), (&["/srv/wheels".to_owned()][..], &[][..]));
        let config = IndexConfig::default().with_bound(vec![bound(None)]);
        let error = config.places("acme-tools").unwrap_err();
        assert_eq!(error.to_string(), "`acme-tools` comes from the index `company`, and nothing says where that is");
        assert!(config.places("attrs").is_ok());
    }

    #[test]
    fn names_of_indexes_and_the_keyring_are_known() {
        let machine = Machine::new(&[(
            "home/.config/uv/uv.toml",
            "keyring-provider = \"subprocess\"\n[[index]]\nname = \"a\"\nurl = \"https://a.example\"\nexplicit = true\n",
        )]);
        let config = machine.read(&[("UV_INDEX", "b=https://b.example")]);
        assert!(config.has_keyring && !Machine::new(&[]).read(&[]).has_keyring);
        let named = [("a", "https://a.example"), ("b", "https://b.example")];
        assert_eq!(config.named, named.map(|(name, url)| (name.to_owned(), url.to_owned())).into());
        assert_eq!(config.indexes, ["https://b.example"]);
        assert!(Machine::new(&[]).read(&[("PIP_KEYRING_PROVIDER", "subprocess")]).has_keyring);
    }

    #[test]
    fn a_broken_file_is_named() {
        let machine = Machine::new(&[("etc/pip.conf", "[global]\nnonsense\n")]);
        let error = machine.try_read(&[]).unwrap_err();
        assert!(error.to_string().contains("etc/pip.conf"), "{error}");
        let machine = Machine::new(&[("etc/uv/uv.toml", "index-url = 1\n")]);
        assert!(matches!(machine.try_read(&[]), Err(IndexConfigError::Uv { .. })));
    }

    #[test]
    fn debug_output_has_no_credentials() {
        let config = IndexConfig::default().with_default_index("https://bob:secret@index.example/simple".into());
        assert!(!format!("{config:?}").contains("secret"));
    }
}
