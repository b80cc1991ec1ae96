//! Which npm registries the machine is configured with.

use std::{path::PathBuf, process::Command};

use vb_npm::{NpmConfig, read_config};

/// What the registries are found out from.
#[derive(Debug)]
pub(super) struct Query {
    /// The workspace's own.
    pub(super) registry: Option<String>,
    /// The user's home directory.
    pub(super) home: Option<PathBuf>,
}

impl Query {
    /// The workspace's registry, or that of npm's configuration, or the one that the machine's npm has built in.
    pub(super) fn find_out(&self) -> NpmConfig {
        let mut config = read_config(&super::indexes::variables(), self.home.as_deref());
        if let Some(registry) = &self.registry {
            config = NpmConfig { registry: Some(registry.clone()), ..NpmConfig::default() };
        }
        if config.registry.is_none() {
            config.registry = default_registry();
        }
        config
    }
}

fn default_registry() -> Option<String> {
    let output = Command::new("npm").args(["config", "get", "registry"]).output().ok()?;
    let url = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && url.contains("://")).then_some(url)
}
