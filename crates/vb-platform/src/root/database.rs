//! The dpkg database of a root (dpkg(1), "FILES"), with every package as "install ok unpacked".
//!
//! dpkg itself would have run each `preinst`, and would keep conffiles aside until they are configured. In an empty root
//! there is nothing that a `preinst` could migrate and no conffile of a user, so the state from which
//! `dpkg --configure -a` goes on can be written down.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use super::assembly::OwnFile;
use crate::{
    deb::Deb,
    deb822::{Stanza, stanzas},
};

const DATABASE: &str = "var/lib/dpkg";

/// Returns the name, version and architecture that a `.deb` claims, with blanks between; of a malformed one, what there is.
pub(super) fn identity(deb: &Deb) -> String {
    let control = control(deb);
    let stanza = stanzas(&control).next();
    let field = |name| stanza.as_ref().and_then(|stanza| stanza.get(name)).unwrap_or_default();
    format!("{} {} {}", field("Package"), field("Version"), field("Architecture"))
}

/// Is this a text that can be part of a file's name in the database?
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-+._".contains(&byte))
}

/// Returns the files of the database, for packages with the texts of their `.list` files.
///
/// `md5` gives the MD5 of a file of the root, in hexadecimal digits; nothing, for one that is not there.
pub(super) fn files<'a>(
    packages: impl Iterator<Item = (&'a Deb, &'a str)>,
    architecture: &str,
    md5: impl Fn(&str) -> Option<String>,
) -> Vec<OwnFile> {
    let mut files = Vec::new();
    let mut status = String::new();
    let mut interests = Interests::default();
    for (deb, list) in packages {
        let control = control(deb);
        let Some(stanza) = stanzas(&control).next() else { continue };
        let name = info_name(&stanza);
        write_status(&mut status, &stanza, deb, &md5);
        interests.add(&name, deb);
        files.push(own_file(format!("info/{name}.list"), list));
        for (kind, file) in deb.control_files().filter(|(kind, _)| *kind != "control") {
            files.push(OwnFile {
                path: Path::new(DATABASE).join(format!("info/{name}.{kind}")),
                content: file.content.clone(),
                mode: if file.is_executable { 0o755 } else { 0o644 },
            });
        }
    }
    files.extend(interests.files());
    files.push(own_file("status".to_owned(), &status));
    files.push(own_file("info/format".to_owned(), "1\n"));
    files.push(own_file("arch".to_owned(), &format!("{architecture}\n")));
    for empty in ["available", "diversions", "statoverride", "triggers/Unincorp"] {
        files.push(own_file(empty.to_owned(), ""));
    }
    files
}

fn own_file(path: String, text: &str) -> OwnFile {
    OwnFile { path: Path::new(DATABASE).join(path), content: text.as_bytes().to_vec(), mode: 0o644 }
}

fn control(deb: &Deb) -> String {
    let content = deb.control_file("control").map(|file| file.content.as_slice()).unwrap_or_default();
    String::from_utf8_lossy(content).into_owned()
}

/// A package of which several architectures can be installed has its architecture in the names of its files.
fn info_name(stanza: &Stanza<'_>) -> String {
    let field = |name| stanza.get(name).unwrap_or_default();
    match field("Multi-Arch") {
        "same" => format!("{}:{}", field("Package"), field("Architecture")),
        _ => field("Package").to_owned(),
    }
}

fn write_status(status: &mut String, stanza: &Stanza<'_>, deb: &Deb, md5: impl Fn(&str) -> Option<String>) {
    for (name, value) in stanza.fields() {
        // Writing to a `String` cannot fail.
        let _ = writeln!(status, "{name}: {value}");
        if name.eq_ignore_ascii_case("Package") {
            status.push_str("Status: install ok unpacked\n");
        }
    }
    let conffiles = control_lines(deb, "conffiles");
    // `remove-on-upgrade /etc/x` names a file that the package no longer has.
    let mut conffiles = conffiles.iter().filter(|line| line.starts_with('/')).peekable();
    if conffiles.peek().is_some() {
        status.push_str("Conffiles:\n");
    }
    for path in conffiles {
        // dpkg would write `newconffile` and put the MD5 there when it moves the file into its place; it is there already.
        let digest = md5(path).unwrap_or_else(|| "newconffile".to_owned());
        let _ = writeln!(status, " {path} {digest}");
    }
    status.push('\n');
}

/// Returns a control file's lines without blanks, comments and empty ones.
fn control_lines(deb: &Deb, name: &str) -> Vec<String> {
    let content = deb.control_file(name).map(|file| file.content.as_slice()).unwrap_or_default();
    let text = String::from_utf8_lossy(content);
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim_ascii());
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Which packages want to hear of which triggers (deb-triggers(5)).
#[derive(Default)]
struct Interests {
    in_files: Vec<String>,
    in_names: BTreeMap<String, Vec<String>>,
}

impl Interests {
    fn add(&mut self, package: &str, deb: &Deb) {
        for line in control_lines(deb, "triggers") {
            let mut words = line.split_ascii_whitespace();
            let (Some(directive), Some(trigger)) = (words.next(), words.next()) else { continue };
            let listener = match directive {
                "interest" | "interest-await" => package.to_owned(),
                "interest-noawait" => format!("{package}/noawait"),
                _ => continue,
            };
            if trigger.starts_with('/') {
                self.in_files.push(format!("{trigger} {listener}\n"));
            } else if is_trigger_name(trigger) {
                self.in_names.entry(trigger.to_owned()).or_default().push(format!("{listener}\n"));
            }
        }
    }

    fn files(self) -> Vec<OwnFile> {
        let names = self.in_names.into_iter().map(|(name, lines)| (format!("triggers/{name}"), lines));
        let all = names.chain([("triggers/File".to_owned(), self.in_files)]);
        all.map(|(path, lines)| own_file(path, &lines.concat())).collect()
    }
}

/// A trigger's name becomes a file's, so it must not be a path, nor one of dpkg's own files beside it.
fn is_trigger_name(name: &str) -> bool {
    is_plain_name(&name.replace(':', "-")) && !name.starts_with('.') && !matches!(name, "File" | "Unincorp" | "Lock")
}
