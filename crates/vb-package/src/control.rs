//! The text of the control file (Debian Policy 5.3).
//!
//! Must not be here: checks of values; the spec has passed [`check_spec`](crate::fields::check_spec).

use vb_graph::{PackageArchitecture, PackageSpec};

use crate::tree::{Content, FileTree};

/// Renders the control file of a package.
///
/// Fields stand in the order in which `dpkg-deb` shows them; one that has nothing to say is left out.
pub(crate) fn render(spec: &PackageSpec, architecture: &PackageArchitecture, installed_size_kib: u64) -> String {
    let mut text = String::new();
    let mut field = |name: &str, value: &str| {
        for part in [name, ": ", value, "\n"] {
            text.push_str(part);
        }
    };
    field("Package", &spec.name);
    field("Version", &spec.version);
    field("Architecture", architecture.as_str());
    field("Maintainer", &spec.maintainer);
    field("Installed-Size", &installed_size_kib.to_string());
    let depends = relations(spec);
    if !depends.is_empty() {
        field("Depends", &depends.join(", "));
    }
    field("Section", &spec.section);
    field("Priority", &spec.priority);
    if let Some(homepage) = &spec.homepage {
        field("Homepage", homepage);
    }
    for (kind, place) in &spec.vcs {
        field(&format!("Vcs-{kind}"), place);
    }
    field("Description", &spec.summary);
    for line in &spec.description {
        text.push_str(&fold(line));
        text.push('\n');
    }
    text
}

/// Returns what a package depends on, companions of its own version among it, in Debian's words.
pub fn relations(spec: &PackageSpec) -> Vec<String> {
    let companions = spec.companions.iter().map(|name| format!("{name} (= {})", spec.version));
    companions.chain(spec.depends.iter().cloned()).collect()
}

/// Makes a line of the extended description (Policy 5.6.13): a blank one becomes ` .`, and one that begins with a full
/// stop, which Policy reserves, is shown verbatim by a second space.
fn fold(line: &str) -> String {
    let line = line.trim_end();
    match line.chars().next() {
        None => " .".to_owned(),
        Some('.') => format!("  {line}"),
        Some(_) => format!(" {line}"),
    }
}

/// Returns the size in KiB that an unpacked tree takes, as `dpkg-gencontrol` counts: files and symbolic links by their
/// length rounded up, every directory, the root too, as one.
pub(crate) fn installed_size_kib(tree: &FileTree) -> u64 {
    let sizes = tree.entries().iter().map(|entry| match &entry.content {
        Content::File { size, .. } => size.div_ceil(1024),
        Content::Symlink { target } => (target.len() as u64).div_ceil(1024),
        Content::Directory => 1,
    });
    1 + sizes.sum::<u64>()
}

#[cfg(test)]
mod tests {
    use vb_graph::{BlobDigest, Compression, Format};

    use super::*;
    use crate::tree::Entry;

    fn spec() -> PackageSpec {
        PackageSpec {
            format: Format::Deb,
            name: "vrmd-whois".into(),
            version: "2:1.2.3-1~deb12".into(),
            native_architecture: "amd64".into(),
            maintainer: "Őri Ops <ops@example.org>".into(),
            section: "web".into(),
            priority: "optional".into(),
            homepage: Some("https://example.org/whois".into()),
            license: None,
            summary: "whois over the web".into(),
            description: vec![
                "First paragraph.  ".into(),
                String::new(),
                "  verbatim".into(),
                ".NET".into(),
                " ".into(),
            ],
            depends: vec!["python3 (>= 3.11)".into(), "libpq5 | libpq6".into()],
            compression: Compression::Xz,
            epoch: 1_700_000_000,
            application: "/vrmd/whois/whois".into(),
            vcs: [("Git".into(), "https://example.org/whois.git".into())].into(),
            has_bill: false,
            companions: vec![],
            changelog: None,
            lifecycle: Box::default(),
        }
    }

    #[test]
    fn every_field_stands_in_the_control_file() {
        let native = PackageArchitecture::Native("amd64".into());
        let expect = "\
Package: vrmd-whois
Version: 2:1.2.3-1~deb12
Architecture: amd64
Maintainer: Őri Ops <ops@example.org>
Installed-Size: 17
Depends: python3 (>= 3.11), libpq5 | libpq6
Section: web
Priority: optional
Homepage: https://example.org/whois
Vcs-Git: https://example.org/whois.git
Description: whois over the web
 First paragraph.
 .
   verbatim
  .NET
 .
";
        assert_eq!(render(&spec(), &native, 17), expect);
    }

    #[test]
    fn fields_without_a_value_are_left_out() {
        let bare = PackageSpec { homepage: None, vcs: [].into(), description: vec![], depends: vec![], ..spec() };
        let expect = "\
Package: vrmd-whois
Version: 2:1.2.3-1~deb12
Architecture: all
Maintainer: Őri Ops <ops@example.org>
Installed-Size: 1
Section: web
Priority: optional
Description: whois over the web
";
        assert_eq!(render(&bare, &PackageArchitecture::All, 1), expect);
    }

    #[test]
    fn the_installed_size_counts_as_dpkg_gencontrol_does() {
        let entry = |path: &str, content| Entry { path: path.into(), mode: 0o644, content };
        let file = |size| Content::File { blob: BlobDigest::of(b""), size };
        let tree = FileTree::from_entries([
            entry("a/empty", file(0)),
            entry("a/one", file(1)),
            entry("a/full", file(1024)),
            entry("a/more", file(1025)),
            entry("b", Content::Directory),
            entry("link", Content::Symlink { target: "a/one".into() }),
        ]);
        assert_eq!(installed_size_kib(&tree.unwrap()), 1 + 1 + 1 + 1 + 2 + 1 + 1);
        assert_eq!(installed_size_kib(&FileTree::default()), 1);
    }
}
