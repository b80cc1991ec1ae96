//! What the three indexes say of one package: made once, when the package is added.

use std::{collections::HashSet, fmt::Write};

use vb_package::{RpmComparison, RpmFile, RpmFileKind, RpmMetadata, RpmRelation};

use super::{package::EpochVersionRelease, xml::xml};

/// As `createrepo_c` has it; a client that wants more reads the package.
const MOST_CHANGES: usize = 10;

/// The text of one `<package>` element in each index, ending with a newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragments {
    /// Of `primary.xml`: what a resolver needs.
    pub primary: String,
    /// Of `filelists.xml`: all paths.
    pub filelists: String,
    /// Of `other.xml`: the changelog.
    pub other: String,
}

/// A package as it lies in the pool.
#[derive(Clone, Copy, Debug)]
pub struct PooledFile<'a> {
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: &'a str,
    /// Its size in bytes.
    pub size: u64,
    /// Where it is, relative to the directory that holds `repodata/`.
    pub href: &'a str,
}

/// Returns what the indexes say of a package.
///
/// Where `createrepo_c` has the time of the file, this has the time of the build: the same package has the same text
/// wherever it lies.
pub fn fragments(package: &RpmMetadata, file: PooledFile<'_>) -> Fragments {
    Fragments { primary: primary(package, file), filelists: filelists(package, file), other: other(package, file) }
}

fn architecture(package: &RpmMetadata) -> &str {
    if package.is_source { "src" } else { &package.architecture }
}

/// Writes to a string, which cannot fail.
macro_rules! put {
    ($out:expr, $($argument:tt)*) => {
        writeln!($out, $($argument)*).expect("a string takes everything")
    };
}

fn primary(package: &RpmMetadata, file: PooledFile<'_>) -> String {
    let mut out = String::from("<package type=\"rpm\">\n");
    put!(out, "  <name>{}</name>", xml(&package.name));
    put!(out, "  <arch>{}</arch>", xml(architecture(package)));
    put!(out, "  {}", version(package));
    put!(out, "  <checksum type=\"sha256\" pkgid=\"YES\">{}</checksum>", file.sha256);
    put!(out, "  <summary>{}</summary>", xml(&package.summary));
    put!(out, "  <description>{}</description>", xml(&package.description));
    put!(out, "  <packager>{}</packager>", optional(package.packager.as_ref()));
    put!(out, "  <url>{}</url>", optional(package.url.as_ref()));
    put!(out, "  <time file=\"{0}\" build=\"{0}\"/>", package.build_time);
    let (installed, archive) = (package.installed_size, package.archive_size.unwrap_or_default());
    put!(out, "  <size package=\"{}\" installed=\"{installed}\" archive=\"{archive}\"/>", file.size);
    put!(out, "  <location href=\"{}\"/>", xml(file.href));
    put!(out, "  <format>");
    put!(out, "    <rpm:license>{}</rpm:license>", xml(&package.license));
    put!(out, "    <rpm:vendor>{}</rpm:vendor>", optional(package.vendor.as_ref()));
    put!(out, "    <rpm:group>{}</rpm:group>", optional(package.group.as_ref()));
    put!(out, "    <rpm:buildhost>{}</rpm:buildhost>", optional(package.build_host.as_ref()));
    put!(out, "    <rpm:sourcerpm>{}</rpm:sourcerpm>", optional(package.source_rpm.as_ref()));
    let header = &package.header_range;
    put!(out, "    <rpm:header-range start=\"{}\" end=\"{}\"/>", header.start, header.end);
    let requires = needed_from_others(package);
    for (kind, relations) in [
        ("provides", package.provides.iter().collect::<Vec<_>>()),
        ("requires", requires),
        ("conflicts", package.conflicts.iter().collect()),
        ("obsoletes", package.obsoletes.iter().collect()),
        ("suggests", package.suggests.iter().collect()),
        ("enhances", package.enhances.iter().collect()),
        ("recommends", package.recommends.iter().collect()),
        ("supplements", package.supplements.iter().collect()),
    ] {
        put_relations(&mut out, kind, &relations);
    }
    for file in package.files.iter().filter(|file| is_primary(&file.path)) {
        put!(out, "    {}", path(file));
    }
    out.push_str("  </format>\n</package>\n");
    out
}

fn optional(text: Option<&String>) -> String {
    text.map(|text| xml(text).into_owned()).unwrap_or_default()
}

fn version(package: &RpmMetadata) -> String {
    let epoch = package.epoch.unwrap_or_default();
    format!("<version epoch=\"{epoch}\" ver=\"{}\" rel=\"{}\"/>", xml(&package.version), xml(&package.release))
}

/// The paths by which packages commonly name each other; a resolver needs no other index for these.
fn is_primary(path: &str) -> bool {
    path.starts_with("/etc/") || path == "/usr/lib/sendmail" || path.contains("bin/")
}

fn path(file: &RpmFile) -> String {
    let kind = match (&file.kind, file.is_ghost) {
        (RpmFileKind::Directory, _) => " type=\"dir\"",
        (_, true) => " type=\"ghost\"",
        _ => "",
    };
    format!("<file{kind}>{}</file>", xml(&file.path))
}

/// Leaves out what needs no other package: features of rpm itself, the package's own files and names, and what is
/// there already.
fn needed_from_others(package: &RpmMetadata) -> Vec<&RpmRelation> {
    let own_paths: HashSet<&str> =
        package.files.iter().map(|file| file.path.as_str()).filter(|path| is_primary(path)).collect();
    let provided: HashSet<&str> = package.provides.iter().map(|relation| relation.name.as_str()).collect();
    let is_own = |name: &str| name.starts_with("rpmlib(") || own_paths.contains(name) || provided.contains(name);
    let mut seen = HashSet::new();
    let mut needed = Vec::new();
    for relation in &package.requires {
        if !is_own(&relation.name) && seen.insert(relation) {
            needed.push(relation);
        }
    }
    needed
}

fn put_relations(out: &mut String, kind: &str, relations: &[&RpmRelation]) {
    if relations.is_empty() {
        return;
    }
    put!(out, "    <rpm:{kind}>");
    for relation in relations {
        put!(out, "      {}", entry(relation, kind == "requires"));
    }
    put!(out, "    </rpm:{kind}>");
}

fn entry(relation: &RpmRelation, can_be_pre: bool) -> String {
    let mut out = format!("<rpm:entry name=\"{}\"", xml(&relation.name));
    if let Some((comparison, version)) = &relation.version {
        out.push_str(&format!(" flags=\"{}\"", flags(*comparison)));
        let version = EpochVersionRelease::parse(version);
        out.push_str(&format!(" epoch=\"{}\" ver=\"{}\"", version.epoch, xml(&version.version)));
        if !version.release.is_empty() {
            out.push_str(&format!(" rel=\"{}\"", xml(&version.release)));
        }
    }
    out.push_str(if can_be_pre && relation.is_pre { " pre=\"1\"/>" } else { "/>" });
    out
}

fn flags(comparison: RpmComparison) -> &'static str {
    match comparison {
        RpmComparison::Less => "LT",
        RpmComparison::LessOrEqual => "LE",
        RpmComparison::Equal => "EQ",
        RpmComparison::GreaterOrEqual => "GE",
        RpmComparison::Greater => "GT",
    }
}

fn package_tag(package: &RpmMetadata, file: PooledFile<'_>) -> String {
    let (name, architecture) = (xml(&package.name), xml(architecture(package)));
    format!("<package pkgid=\"{}\" name=\"{name}\" arch=\"{architecture}\">\n  {}\n", file.sha256, version(package))
}

fn filelists(package: &RpmMetadata, file: PooledFile<'_>) -> String {
    let mut out = package_tag(package, file);
    for file in &package.files {
        put!(out, "  {}", path(file));
    }
    out.push_str("</package>\n");
    out
}

/// The newest entries, the oldest of these first.
fn other(package: &RpmMetadata, file: PooledFile<'_>) -> String {
    let mut out = package_tag(package, file);
    let newest = &package.changelog[..package.changelog.len().min(MOST_CHANGES)];
    for change in newest.iter().rev() {
        let (author, text) = (xml(change.author.trim_end()), xml(&change.text));
        put!(out, "  <changelog author=\"{author}\" date=\"{}\">{text}</changelog>", change.time);
    }
    out.push_str("</package>\n");
    out
}
