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
    ini::{self, IniError},
    location::local_path,
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
}

impl IndexConfig {
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
            .finish()
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
    let settings = if uv.has_index() { uv } else { pip };
    Ok(settings.into_config(find_links))
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
}

impl Settings {
    fn has_index(&self) -> bool {
        self.default.is_some() || !self.extra.is_empty() || self.is_index_off
    }

    fn into_config(self, find_links: Vec<String>) -> IndexConfig {
        if self.is_index_off {
            return IndexConfig { indexes: Vec::new(), find_links, has_default_index: true };
        }
        let has_default_index = self.default.is_some();
        let mut indexes: Vec<String> = Vec::new();
        for url in self.extra.into_iter().chain(self.default) {
            if !indexes.contains(&url) {
                indexes.push(url);
            }
        }
        IndexConfig { indexes, find_links, has_default_index }
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
    pip: Option<Box<UvFile>>,
}

#[derive(Debug, Deserialize)]
struct UvIndex {
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
        // `name=url` names an index; a URL's own `=` comes after its `://`.
        let urls = words(value).into_iter().map(|word| match word.split_once('=') {
            Some((name, url)) if !name.contains(':') => url.to_owned(),
            _ => word,
        });
        settings.extra.extend(urls);
    }
    settings.extra.extend(variable(variables, "UV_EXTRA_INDEX_URL").map(words).unwrap_or_default());
    let default = variable(variables, "UV_DEFAULT_INDEX").or_else(|| variable(variables, "UV_INDEX_URL"));
    settings.default = default.map(|value| match value.split_once('=') {
        Some((name, url)) if !name.contains(':') => url.to_owned(),
        _ => value.to_owned(),
    });
    if let Some(value) = variable(variables, "UV_FIND_LINKS") {
        let locations = value.split([',', ' ', '\n']).map(str::trim).filter(|location| !location.is_empty());
        settings.find_links.extend(locations.map(str::to_owned));
    }
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
