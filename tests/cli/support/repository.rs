//! A local apt repository, as a company publishes one: packages, a signed index, and the key that it is signed with.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use fs_err as fs;
use sha2::{Digest, Sha256};
use vb_platform::Deb;
use vb_testkit::archive::{Key, KeyOptions};

use super::root::copy;

/// When the first repository of a test is signed: 2023-11-14 22:15:00 UTC, as no clock is set back behind it.
const SIGNED: u32 = 1_700_000_100;
const DATES: [&str; 2] = ["Tue, 14 Nov 2023 22:15:00 UTC", "Tue, 14 Nov 2023 22:16:00 UTC"];

/// Returns a company's key.
pub(crate) fn company_key() -> Key {
    Key::generate(KeyOptions { created: SIGNED - 100, ..KeyOptions::default() })
}

/// A repository of one suite, `bookworm`, in a directory.
#[derive(Debug)]
pub(crate) struct Repository {
    directory: PathBuf,
    index: String,
}

impl Repository {
    /// Starts an empty one.
    pub(crate) fn new(directory: PathBuf) -> Self {
        fs::create_dir_all(directory.join("pool")).unwrap();
        Self { directory, index: String::new() }
    }

    /// Adds a package.
    pub(crate) fn add(&mut self, package: &Path) {
        let name = package.file_name().unwrap().to_str().unwrap();
        let target = self.directory.join("pool").join(name);
        copy(package, &target);
        let deb = Deb::open(&target).unwrap();
        let control = String::from_utf8(deb.control_file("control").unwrap().content.clone()).unwrap();
        let bytes = fs::read(&target).unwrap();
        let (size, sha256) = (bytes.len(), hex(&Sha256::digest(&bytes)));
        let fields = control.trim_end();
        writeln!(self.index, "{fields}\nFilename: pool/{name}\nSize: {size}\nSHA256: {sha256}\n").unwrap();
    }

    /// Writes the index and signs it, `revision` minutes after the first time; `key.asc` is what clients trust.
    pub(crate) fn publish(&self, key: &Key, revision: u8) {
        let signed = SIGNED + 60 * u32::from(revision);
        let suite = self.directory.join("dists/bookworm");
        fs::create_dir_all(suite.join("main/binary-amd64")).unwrap();
        fs::write(suite.join("main/binary-amd64/Packages"), &self.index).unwrap();
        let release = format!(
            "Suite: bookworm\nCodename: bookworm\nArchitectures: amd64\nComponents: main\nDate: {date}\nSHA256:\n \
             {sha256} {size} main/binary-amd64/Packages\n",
            date = DATES[usize::from(revision)],
            sha256 = hex(&Sha256::digest(&self.index)),
            size = self.index.len(),
        );
        let in_release = suite.join("InRelease");
        fs::write(&in_release, key.clearsign(&release, signed)).unwrap();
        // By its time apt sees whether a local index is another one.
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(signed.into());
        fs::File::options().write(true).open(&in_release).unwrap().file().set_modified(time).unwrap();
        fs::write(self.directory.join("key.asc"), key.to_armor()).unwrap();
    }
}

/// Writes bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
