//! Where packages are fetched from: npm's own configuration (npm's documentation, "config" and "npmrc").
//!
//! Must not be here: the environment and the home directory themselves; they are given.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The registries that a machine is configured with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NpmConfig {
    /// The registry of every package that is in no scope with one of its own.
    pub registry: Option<String>,
    /// Registries by scope: `@company`.
    pub scopes: BTreeMap<String, String>,
}

impl NpmConfig {
    /// Returns where a package's tarball is; `None` when no registry is known.
    pub fn location(&self, name: &str, tarball: &str) -> Option<String> {
        let scope = name.split_once('/').map(|(scope, _)| scope);
        let registry = scope.and_then(|scope| self.scopes.get(scope)).or(self.registry.as_ref())?;
        Some(format!("{}/{name}/-/{tarball}", registry.trim_end_matches('/')))
    }

    fn set(&mut self, key: &str, value: &str) {
        if key == "registry" {
            self.registry = Some(value.to_owned());
        } else if let Some(scope) = key.strip_suffix(":registry").filter(|scope| scope.starts_with('@')) {
            self.scopes.insert(scope.to_owned(), value.to_owned());
        }
    }
}

/// Reads the registries of variables and configuration files; variables win, then the user's file, then the machine's.
/// A file that cannot be read is none.
pub fn read_config(variables: &BTreeMap<String, String>, home: Option<&Path>) -> NpmConfig {
    let variable = |name: &str| {
        let named = |(key, value): (&String, &String)| {
            let is_it = key.to_lowercase() == format!("npm_config_{name}");
            (is_it && !value.is_empty()).then(|| value.clone())
        };
        variables.iter().find_map(named)
    };
    let mut files = match variable("globalconfig") {
        Some(file) => vec![PathBuf::from(file)],
        None => ["/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc"].map(PathBuf::from).to_vec(),
    };
    let own = variable("userconfig").map(PathBuf::from).or_else(|| Some(home?.join(".npmrc")));
    files.extend(own);
    let mut config = NpmConfig::default();
    for text in files.iter().filter_map(|file| fs_err::read_to_string(file).ok()) {
        read_file(&text, variables, &mut config);
    }
    for (key, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
        if let Some(key) = key.to_lowercase().strip_prefix("npm_config_") {
            config.set(key, value);
        }
    }
    config
}

fn read_file(text: &str, variables: &BTreeMap<String, String>, config: &mut NpmConfig) {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    for (key, value) in lines.filter_map(|line| line.split_once('=')) {
        let value = value.trim().trim_matches(['"', '\'']);
        config.set(key.trim(), &expand(value, variables));
    }
}

/// Replaces `${NAME}`; a variable that is not there stays as it is written.
fn expand(value: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = value;
    while let Some((before, name, after)) = split_variable(rest) {
        expanded.push_str(before);
        match variables.get(name) {
            Some(value) => expanded.push_str(value),
            None => expanded.push_str(&rest[before.len()..rest.len() - after.len()]),
        }
        rest = after;
    }
    expanded + rest
}

fn split_variable(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("${")?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn config(file: &str, pairs: &[(&str, &str)]) -> NpmConfig {
        let home = tempfile::tempdir().unwrap();
        fs_err::write(home.path().join(".npmrc"), file).unwrap();
        let mut all = variables(pairs);
        all.insert("NPM_CONFIG_GLOBALCONFIG".to_owned(), "/nonexistent".to_owned());
        read_config(&all, Some(home.path()))
    }

    #[test]
    fn registries_are_read_from_files_and_variables_and_variables_win() {
        let file = "; mine\nregistry = \"https://${WHERE}/npm/\"\n@a:registry=https://a.invalid\n//h/:_authToken=x\n";
        let own = config(file, &[("WHERE", "r.invalid")]);
        assert_eq!(own.location("less", "less-1.0.0.tgz").unwrap(), "https://r.invalid/npm/less/-/less-1.0.0.tgz");
        assert_eq!(own.location("@a/b", "b-1.0.0.tgz").unwrap(), "https://a.invalid/@a/b/-/b-1.0.0.tgz");
        assert_eq!(own.location("@c/b", "b-1.0.0.tgz").unwrap(), "https://r.invalid/npm/@c/b/-/b-1.0.0.tgz");
        let other = config(file, &[("npm_config_registry", "https://v.invalid")]);
        assert_eq!(other.location("less", "l.tgz").unwrap(), "https://v.invalid/less/-/l.tgz");
    }

    #[test]
    fn without_a_registry_there_is_no_location_and_an_unknown_variable_stays() {
        assert_eq!(config("", &[]).location("less", "l.tgz"), None);
        assert_eq!(config("registry=https://${NO}/", &[]).registry.unwrap(), "https://${NO}/");
    }
}
