//! `repomd.xml`: the one file of a repository that is signed, and that names all others.

use std::fmt::Write;

use super::index::IndexFile;

/// What `repomd.xml` says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// What is in it: `primary`.
    pub kind: String,
    /// Where it is, relative to the directory that holds `repodata/`.
    pub href: String,
    /// The kind of its checksum: `sha256`.
    pub checksum_type: String,
    /// Its checksum in hexadecimal digits.
    pub checksum: String,
    /// Its size in bytes, where it is told.
    pub size: Option<u64>,
}

/// Returns the text of `repomd.xml`.
///
/// The revision is what clients show; it grows with each change, so that an old index can be told from a later one. The
/// time is in seconds since 1970.
pub fn repomd(revision: u64, time: u64, files: &[&IndexFile]) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n",
    );
    out.push_str(&format!("  <revision>{revision}</revision>\n"));
    for file in files {
        put_file(&mut out, time, file).expect("a string takes everything");
    }
    out.push_str("</repomd>\n");
    out
}

fn put_file(out: &mut String, time: u64, file: &IndexFile) -> std::fmt::Result {
    writeln!(out, "  <data type=\"{}\">", file.kind.as_str())?;
    writeln!(out, "    <checksum type=\"sha256\">{}</checksum>", file.sha256)?;
    writeln!(out, "    <open-checksum type=\"sha256\">{}</open-checksum>", file.open_sha256)?;
    writeln!(out, "    <location href=\"{}\"/>", file.name())?;
    writeln!(out, "    <timestamp>{time}</timestamp>")?;
    writeln!(out, "    <size>{}</size>", file.bytes.len())?;
    writeln!(out, "    <open-size>{}</open-size>", file.open_size)?;
    writeln!(out, "  </data>")
}
