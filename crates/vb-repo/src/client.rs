//! What a machine needs to use a channel.

use crate::{
    channel::ChannelId,
    generation::Generation,
    record::Format,
    repository::{KEY_FILE, OpenError, Repository},
    settings::AptLayout,
    yum::{RepoFile, repo_file},
};

/// The files and the command that make a machine a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Where the configuration belongs: `/etc/apt/sources.list.d/vb-bookworm-production.sources`.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Where the public keys belong.
    pub key_path: String,
    /// One line of shell that puts both in their places.
    pub command: String,
}

impl Repository {
    /// Returns what a machine of a platform needs to use a channel that is served at an address.
    ///
    /// # Errors
    /// [`OpenError`] when the repository cannot be read.
    pub fn client_config(
        &self,
        channel: &ChannelId,
        generation: Option<&Generation>,
        url: &str,
    ) -> Result<ClientConfig, OpenError> {
        let url = url.trim_end_matches('/');
        let platform = self.settings.platforms.get(&channel.platform);
        let slug: String = self.settings.origin.to_ascii_lowercase();
        let slug: String = slug.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
        let name = format!("{slug}-{}", channel.suite());
        let is_signed = !self.public_keys()?.is_empty();
        let config = match platform.map(|platform| platform.format) {
            Some(Format::Rpm) => {
                let (path, key_path) =
                    (format!("/etc/yum.repos.d/{name}.repo"), format!("/etc/pki/rpm-gpg/RPM-GPG-KEY-{slug}"));
                let keys = [format!("file://{key_path}")];
                let text = repo_file(&RepoFile {
                    id: &name,
                    name: &format!("{} {} for {}", self.settings.origin, channel.channel, channel.platform),
                    url,
                    path: &format!("rpm/{}", channel.suite()),
                    // Under another address, the list would lead away from it.
                    has_mirror_list: self.settings.url.as_deref().is_some_and(|own| own.trim_end_matches('/') == url),
                    keys: &keys,
                    has_signed_packages: platform.is_some_and(|platform| platform.signs_packages),
                });
                (path, text, key_path, "dnf makecache")
            }
            _ => {
                let (path, key_path) =
                    (format!("/etc/apt/sources.list.d/{name}.sources"), format!("/usr/share/keyrings/{slug}.asc"));
                let text = self.deb822(channel, generation, url, is_signed.then_some(&key_path));
                (path, text, key_path, "apt-get update")
            }
        };
        let (path, text, key_path, update) = config;
        let line = text.replace('\\', r"\\").replace('\'', r"'\''").replace('\n', r"\n");
        let command = format!(
            "curl -fsSL --create-dirs -o {key_path} {url}/{KEY_FILE} && printf '%b' '{line}' > {path} && {update}"
        );
        Ok(ClientConfig { path, text, key_path, command })
    }

    /// Writes the deb822 form of sources.list(5), which apt has read since 1.1.
    fn deb822(
        &self,
        channel: &ChannelId,
        generation: Option<&Generation>,
        url: &str,
        key_path: Option<&String>,
    ) -> String {
        let mut components: Vec<&str> = generation
            .iter()
            .flat_map(|generation| &generation.sections)
            .map(|section| &*section.id.component)
            .collect();
        components.push("main");
        components.sort_unstable();
        components.dedup();
        let trust = match key_path {
            Some(path) => format!("Signed-By: {path}\n"),
            None => "Trusted: yes\n".to_owned(),
        };
        let suite = channel.suite();
        match self.settings.layout {
            AptLayout::Dists => {
                format!("Types: deb\nURIs: {url}\nSuites: {suite}\nComponents: {}\n{trust}", components.join(" "))
            }
            AptLayout::Flat => format!("Types: deb\nURIs: {url}\nSuites: {suite}/\n{trust}"),
        }
    }
}
