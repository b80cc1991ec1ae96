//! What is inside of a package: the Python distributions of its environment, and an interpreter, with their licences.
//!
//! It is told twice: as a text for people, where the source has no `debian/copyright`, and as a bill of materials in
//! CycloneDX 1.6 beside the package, where the recipe wants one. Neither has a time or a random number in it.

use std::{fmt::Write as _, io, path::Path};

use fs_err as fs;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vb_graph::{Format, PackageSpec};
use vb_package::{Content, FileTree, Written, relations};
use vb_python::DistributionMetadata;

use crate::{builder::Builder, error::ExecuteError};

const METADATA: &str = ".dist-info/METADATA";
const VERSION_HEADER: &str = "/patchlevel.h";
/// How the files of a `.dist-info` begin that hold a licence; what is in its `licenses/` does anyway.
const LICENSES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS"];

/// One distribution of an environment, or an interpreter.
#[derive(Debug)]
pub(super) struct Installed {
    /// The type of its package URL.
    kind: &'static str,
    metadata: DistributionMetadata,
    /// Where the texts of its licence are installed.
    texts: Vec<String>,
}

impl Builder {
    /// Lists the distributions of a tree, by the path of their metadata, behind an interpreter.
    pub(super) fn installed(&self, tree: &FileTree) -> Result<Vec<Installed>, ExecuteError> {
        let (mut found, mut texts) = (Vec::new(), Vec::new());
        let interpreter = self.interpreter(tree)?;
        for entry in tree.entries() {
            let (path, Content::File { blob, .. }) = (&entry.path, &entry.content) else { continue };
            if let Some(stem) = path.strip_suffix(METADATA).filter(|stem| is_in_site(stem)) {
                found.push((stem.to_owned(), *blob));
            } else if is_license(path) {
                texts.push(format!("/{path}"));
            }
        }
        found.sort();
        let installed = |(stem, blob)| {
            let bytes = self.store.read_blob(&blob)?;
            let own = format!("/{stem}.dist-info/");
            let texts = texts.iter().filter(|path| path.starts_with(&own)).cloned().collect();
            let metadata = DistributionMetadata::parse(&String::from_utf8_lossy(&bytes));
            Ok(Installed { kind: "pypi", metadata, texts })
        };
        interpreter.into_iter().map(Ok).chain(found.into_iter().map(installed)).collect()
    }

    /// Finds CPython in a tree, by the header that says its version.
    fn interpreter(&self, tree: &FileTree) -> Result<Option<Installed>, ExecuteError> {
        let place = |path: &str| Some(path.strip_suffix(VERSION_HEADER)?.rsplit_once("/include/python")?.1.to_owned());
        let header = tree.entries().iter().find_map(|entry| match &entry.content {
            Content::File { blob, .. } => Some((place(&entry.path)?, *blob)),
            _ => None,
        });
        let Some((version, blob)) = header else { return Ok(None) };
        let header = String::from_utf8_lossy(&self.store.read_blob(&blob)?).into_owned();
        let end = format!("/lib/python{version}/LICENSE.txt");
        let text = tree.entries().iter().find(|entry| entry.path.ends_with(&end));
        let metadata = DistributionMetadata {
            name: "CPython".to_owned(),
            version: version_of(&header).unwrap_or_default().to_owned(),
            license_expression: Some("PSF-2.0".to_owned()),
            ..DistributionMetadata::default()
        };
        let texts = text.map(|entry| format!("/{}", entry.path)).into_iter().collect();
        Ok(Some(Installed { kind: "generic", metadata, texts }))
    }
}

/// Returns what CPython's `patchlevel.h` says: `3.13.5`.
fn version_of(header: &str) -> Option<&str> {
    header.lines().find(|line| line.starts_with("#define PY_VERSION "))?.split('"').nth(1)
}

fn is_in_site(stem: &str) -> bool {
    let mut components = stem.rsplit('/').skip(1);
    components.next() == Some("site-packages")
}

fn is_license(path: &str) -> bool {
    let Some((_, inside)) = path.rsplit_once(".dist-info/") else { return false };
    inside.starts_with("licenses/") || LICENSES.iter().any(|name| inside.to_uppercase().starts_with(name))
}

/// Writes the text that stands in for `debian/copyright`.
pub(super) fn copyright(spec: &PackageSpec, installed: &[Installed]) -> String {
    let license = spec.license.as_deref().unwrap_or("not told");
    let mut text = format!("{}\nPackaged by: {}\nLicence of the application: {license}\n", spec.name, spec.maintainer);
    if let Some(homepage) = &spec.homepage {
        writeln!(text, "Home page: {homepage}").expect(IN_MEMORY);
    }
    if !installed.is_empty() {
        text.push_str("\nThe package also holds these Python distributions.\n");
    }
    for Installed { metadata, texts, .. } in installed {
        writeln!(text, "\n{} {}", metadata.name, metadata.version).expect(IN_MEMORY);
        let license = metadata.license_expression.as_ref().or(metadata.license.as_ref());
        let fields =
            [("Copyright", metadata.author.as_ref()), ("Licence", license), ("Home page", metadata.homepage.as_ref())];
        for (name, value) in fields {
            if let Some(value) = value {
                writeln!(text, "  {name}: {}", value.replace('\n', " ")).expect(IN_MEMORY);
            }
        }
        for path in texts {
            writeln!(text, "  Text: {path}").expect(IN_MEMORY);
        }
    }
    text
}

const IN_MEMORY: &str = "writing to a string cannot fail";

/// Writes the bill of materials of a package into the directory that it is in: `<file>.cdx.json`.
pub(super) fn write_bill(
    spec: &PackageSpec,
    written: &Written,
    installed: &[Installed],
    directory: &Path,
) -> io::Result<()> {
    let mut sha256 = Sha256::new();
    io::copy(&mut fs::File::open(directory.join(&written.file_name))?, &mut sha256)?;
    let bill = bill(spec, written, installed, &hex::encode(sha256.finalize()));
    let text = serde_json::to_string_pretty(&bill).expect("the bill is plain data") + "\n";
    fs::write(directory.join(format!("{}.cdx.json", written.file_name)), text)
}

fn bill(spec: &PackageSpec, written: &Written, installed: &[Installed], sha256: &str) -> Value {
    let kind = match spec.format {
        Format::Deb => "deb",
        Format::Rpm => "rpm",
        Format::Tar => "generic",
    };
    let architecture = written.architecture.as_str();
    let purl = format!("pkg:{kind}/{}@{}?arch={architecture}", encode(&spec.name), encode(&spec.version));
    let depends = relations(spec).into_iter().map(|relation| json!({ "name": "vb:depends", "value": relation }));
    let mut component = json!({
        "type": "application",
        "bom-ref": purl,
        "name": spec.name,
        "version": spec.version,
        "description": spec.summary,
        "purl": purl,
        "hashes": [{ "alg": "SHA-256", "content": sha256 }],
        "properties": depends.collect::<Vec<_>>(),
    });
    if let Some(license) = &spec.license {
        component["licenses"] = json!([{ "license": { "name": license } }]);
    }
    let components: Vec<Value> =
        installed.iter().map(|installed| library(installed.kind, &installed.metadata)).collect();
    let references: Vec<&Value> = components.iter().map(|component| &component["bom-ref"]).collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": component },
        "dependencies": [{ "ref": purl, "dependsOn": references }],
        "components": components,
    })
}

fn library(kind: &str, metadata: &DistributionMetadata) -> Value {
    let name = metadata.name.to_lowercase().replace(['_', '.'], "-");
    let purl = format!("pkg:{kind}/{}@{}", encode(&name), encode(&metadata.version));
    let mut component = json!({
        "type": "library",
        "bom-ref": purl,
        "name": metadata.name,
        "version": metadata.version,
        "purl": purl,
    });
    match (&metadata.license_expression, &metadata.license) {
        (Some(expression), _) => component["licenses"] = json!([{ "expression": expression }]),
        (None, Some(license)) => component["licenses"] = json!([{ "license": { "name": license } }]),
        (None, None) => {}
    }
    if let Some(author) = &metadata.author {
        component["author"] = json!(author);
    }
    if let Some(homepage) = &metadata.homepage {
        component["externalReferences"] = json!([{ "type": "website", "url": homepage }]);
    }
    component
}

/// Writes a part of a package URL: everything but letters, digits and `.-_~` in hexadecimal digits.
fn encode(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_and_licences_are_those_of_the_environment_itself() {
        for (path, expect) in [
            ("vrmd/x/lib/python3.11/site-packages/attrs-26.1.0", true),
            ("vrmd/x/lib/python3.11/site-packages/setuptools/_vendor/wheel-0.45", false),
        ] {
            assert_eq!(is_in_site(path), expect, "{path}");
        }
        for (path, expect) in [
            ("site-packages/a-1.dist-info/licenses/whatever.txt", true),
            ("site-packages/a-1.dist-info/License.md", true),
            ("site-packages/a-1.dist-info/RECORD", false),
            ("site-packages/LICENSE", false),
        ] {
            assert_eq!(is_license(path), expect, "{path}");
        }
    }

    #[test]
    fn the_version_of_an_interpreter_is_in_its_header() {
        let header = "#define PY_MAJOR_VERSION 3\n#define PY_VERSION      \t\"3.13.5\"\n";
        assert_eq!(version_of(header), Some("3.13.5"));
        assert_eq!(version_of("#define PY_VERSION_HEX 1\n"), None);
    }

    #[test]
    fn a_library_is_known_by_its_package_url() {
        let metadata = DistributionMetadata {
            name: "Zope.Interface_x".to_owned(),
            version: "1.0+local".to_owned(),
            license: Some("ZPL".to_owned()),
            ..DistributionMetadata::default()
        };
        let component = library("pypi", &metadata);
        assert_eq!(component["purl"], "pkg:pypi/zope-interface-x@1.0%2Blocal");
        assert_eq!(component["licenses"], json!([{ "license": { "name": "ZPL" } }]));
    }
}
