//! Where Python files come from on this machine: the workspace's indexes or those of uv's and pip's configuration, each with
//! the login that belongs to it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use fs_err as fs;
use vb_python::{
    BoundIndex, HostFiles, IndexConfig, Login, NamePatterns, Netrc, default_index_query, has_password, host_and_user,
    read_config, with_login,
};
use vb_recipe::{PythonIndex, Workspace};

/// Finds out the indexes, and binds those that the workspace binds.
pub(super) fn indexes(workspace: &Workspace, root: &Path, home: Option<&Path>) -> IndexConfig {
    let files = HostFiles {
        home: home.unwrap_or(Path::new("/nonexistent")).to_owned(),
        etc: PathBuf::from("/etc"),
        xdg_config: std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from),
    };
    let variables = variables();
    let mut config = read_config(&variables, &files).unwrap_or_else(|error| {
        crate::display::warn(&format!("{error}; it is left out"));
        IndexConfig::default()
    });
    if let Some(links) = &workspace.find_links {
        config.find_links.clone_from(links);
    }
    if let Some(indexes) = &workspace.python_indexes {
        config.indexes.clone_from(indexes);
        config.has_default_index = true;
    }
    if !config.has_default_index
        && let Some(url) = default_index()
    {
        config = config.with_default_index(url);
    }
    config.netrc = netrc(&variables, home);
    let logins = Logins { variables: &variables, config: &config };
    let bound = workspace.indexes.iter().map(|index| logins.bind(index, root)).collect();
    let with_login = |location: &String| logins.add(config.name_of(location), location);
    let indexes = config.indexes.iter().map(with_login).collect();
    let find_links = config.find_links.iter().map(with_login).collect();
    IndexConfig { indexes, find_links, ..config.clone() }.with_bound(bound)
}

/// Returns the name of the index that a distribution is bound to.
pub(crate) fn index_of(workspace: &Workspace, project: &str) -> Option<String> {
    let binds = |index: &&PythonIndex| NamePatterns::new(index.packages.iter().map(String::as_str)).has(project);
    workspace.indexes.iter().find(binds).map(|index| index.name.clone())
}

/// Returns the environment; a variable that is not UTF-8 is none of pip's, uv's or npm's.
pub(super) fn variables() -> BTreeMap<String, String> {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

fn default_index() -> Option<String> {
    let query = default_index_query();
    let (program, arguments) = query.split_first()?;
    let output = Command::new(program).args(arguments).output().ok()?;
    let url = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !url.is_empty()).then_some(url)
}

fn netrc(variables: &BTreeMap<String, String>, home: Option<&Path>) -> Netrc {
    let named = variables.get("NETRC").map(PathBuf::from);
    let own = home.into_iter().flat_map(|home| [".netrc", "_netrc"].map(|name| home.join(name)));
    let text = named.into_iter().chain(own).find_map(|path| fs::read_to_string(path).ok());
    Netrc::parse(&text.unwrap_or_default())
}

/// Where logins come from, beside addresses that have one.
struct Logins<'a> {
    variables: &'a BTreeMap<String, String>,
    config: &'a IndexConfig,
}

impl Logins<'_> {
    /// Finds out where a bound index is: the workspace says so, or the environment, or uv's configuration.
    fn bind(&self, index: &PythonIndex, root: &Path) -> BoundIndex {
        let directory = index.directory.as_ref().map(|directory| root.join(directory).display().to_string());
        let named =
            || self.variable("VB_INDEX", &index.name, "URL").or_else(|| self.config.named.get(&index.name).cloned());
        let url = index.url.clone().or_else(named).map(|url| self.add(Some(&index.name), &url));
        BoundIndex {
            name: index.name.clone(),
            packages: NamePatterns::new(index.packages.iter().map(String::as_str)),
            location: directory.or(url),
        }
    }

    /// Adds the login to an address that has no password: of the environment, of the user's login file, of the keyring.
    fn add(&self, name: Option<&str>, location: &str) -> String {
        if has_password(location) {
            return location.to_owned();
        }
        let Some((host, user)) = host_and_user(location) else { return location.to_owned() };
        let part = |part| {
            let name = name?;
            self.variable("VB_INDEX", name, part).or_else(|| self.variable("UV_INDEX", name, part))
        };
        let (named_user, password) = (part("USERNAME"), part("PASSWORD"));
        let user = named_user.or(user);
        let login = match (user, password) {
            (user, Some(password)) => Some(Login { user: user.unwrap_or_default(), password }),
            (Some(user), None) => {
                let found = self.config.netrc.login(&host, Some(&user)).cloned();
                found.or_else(|| self.keyring(location, &host, user))
            }
            (None, None) => self.config.netrc.login(&host, None).cloned(),
        };
        login.map_or_else(|| location.to_owned(), |login| with_login(location, &login))
    }

    /// Returns a variable such as `VB_INDEX_COMPANY_PASSWORD`.
    fn variable(&self, tool: &str, name: &str, part: &str) -> Option<String> {
        let upper =
            |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' };
        let name: String = name.chars().map(upper).collect();
        self.variables.get(&format!("{tool}_{name}_{part}")).filter(|value| !value.is_empty()).cloned()
    }

    /// Asks the machine's keyring, for the address and then for the host, as pip and uv do.
    fn keyring(&self, location: &str, host: &str, user: String) -> Option<Login> {
        if !self.config.has_keyring {
            return None;
        }
        let service = vb_fetch::without_credentials(location);
        let password = [service.as_str(), host].into_iter().find_map(|service| ask_keyring(service, &user))?;
        Some(Login { user, password })
    }
}

fn ask_keyring(service: &str, user: &str) -> Option<String> {
    let mut command = Command::new("keyring");
    let output = command.args(["get", service, user]).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let password = String::from_utf8(output.stdout).ok()?;
    let password = password.trim_end_matches(['\r', '\n']);
    (output.status.success() && !password.is_empty()).then(|| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETRC: &str = "machine own.example login eve password e1\nmachine own.example login bob password b1";

    fn add(variables: &[(&str, &str)], name: Option<&str>, location: &str) -> String {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = IndexConfig { netrc: Netrc::parse(NETRC), ..IndexConfig::default() };
        Logins { variables: &variables, config: &config }.add(name, location)
    }

    #[test]
    fn the_address_the_environment_and_the_login_file_go_before_each_other() {
        let both = [
            ("VB_INDEX_MY_OWN_USERNAME", "ann"),
            ("VB_INDEX_MY_OWN_PASSWORD", "a1"),
            ("UV_INDEX_MY_OWN_PASSWORD", "u1"),
        ];
        let place = "https://own.example/simple";
        assert_eq!(add(&both, Some("my-own"), "https://x:y@own.example/simple"), "https://x:y@own.example/simple");
        assert_eq!(add(&both, Some("my-own"), place), "https://ann:a1@own.example/simple");
        assert_eq!(add(&both[2..], Some("my-own"), "https://ann@own.example/"), "https://ann:u1@own.example/");
        assert_eq!(add(&both, Some("other"), place), "https://eve:e1@own.example/simple");
        assert_eq!(add(&[], None, "https://bob@own.example/simple"), "https://bob:b1@own.example/simple");
        assert_eq!(add(&[], None, "https://zoe@own.example/simple"), "https://zoe@own.example/simple");
        assert_eq!(add(&[], None, "https://other.example/simple"), "https://other.example/simple");
        assert_eq!(add(&both, Some("my-own"), "/srv/wheels"), "/srv/wheels");
    }

    #[test]
    fn a_bound_index_is_where_the_workspace_or_the_environment_or_uv_says() {
        let place = |url: Option<&str>, directory: Option<&str>, variable: Option<&str>, named: Option<&str>| {
            let to_owned = |text: Option<&str>| text.map(str::to_owned);
            let index = PythonIndex {
                name: "company".to_owned(),
                packages: vec![],
                url: to_owned(url),
                directory: to_owned(directory),
            };
            let variables =
                variable.map(|url| ("VB_INDEX_COMPANY_URL".to_owned(), url.to_owned())).into_iter().collect();
            let named = named.map(|url| ("company".to_owned(), url.to_owned())).into_iter().collect();
            let config = IndexConfig { named, ..IndexConfig::default() };
            Logins { variables: &variables, config: &config }.bind(&index, Path::new("/w")).location
        };
        let [one, two, three] = ["https://a.example/", "https://b.example/", "https://c.example/"];
        assert_eq!(place(Some(one), None, Some(two), Some(three)).as_deref(), Some(one));
        assert_eq!(place(None, None, Some(two), Some(three)).as_deref(), Some(two));
        assert_eq!(place(None, None, None, Some(three)).as_deref(), Some(three));
        assert_eq!(place(None, Some("wheels"), None, None).as_deref(), Some("/w/wheels"));
        assert_eq!(place(None, None, None, None), None);
    }
}
