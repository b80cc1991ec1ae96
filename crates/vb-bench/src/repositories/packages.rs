//! Small packages, as many as are asked for: a module of some kilobytes, no two alike.

use std::{fmt::Write as _, io::Write as _, ops::Range, path::Path};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use fs_err as fs;
use rpm::{BuildConfig, CompressionWithLevel, FileOptions, PackageBuilder};

use crate::error::BenchError;

const TIME: u32 = 1_700_000_000;
/// Lines of a package's one module.
const LINES: u64 = 120;

/// Writes `.deb` files, each of another name.
pub(super) fn write_debs(directory: &Path, numbers: Range<usize>) -> Result<(), BenchError> {
    fs::create_dir_all(directory)?;
    for number in numbers {
        write_deb(directory, &format!("bench-{number:05}"), "1.0")?;
    }
    Ok(())
}

/// Writes `.rpm` files, each of another name.
pub(super) fn write_rpms(directory: &Path, numbers: Range<usize>) -> Result<(), BenchError> {
    fs::create_dir_all(directory)?;
    for number in numbers {
        write_rpm(directory, &format!("bench-{number:05}"), "1.0")?;
    }
    Ok(())
}

/// Writes one `.deb`.
pub(super) fn write_deb(directory: &Path, name: &str, version: &str) -> Result<(), BenchError> {
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: Bench <bench@example.org>\n\
         Section: python\nPriority: optional\nInstalled-Size: 12\nDepends: python3 (>= 3.11), libc6\n\
         Description: bench package {name}\n Long description of the package.\n"
    );
    let control = tar_gz("./control", control.as_bytes())?;
    let data = tar_gz(&format!("./opt/venvs/{name}.py"), module(name).as_bytes())?;
    let mut bytes = b"!<arch>\n".to_vec();
    for (member, content) in [("debian-binary", &b"2.0\n"[..]), ("control.tar.gz", &control), ("data.tar.gz", &data)] {
        writeln!(bytes, "{member:<16}{TIME:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, "100644", content.len())?;
        bytes.extend_from_slice(content);
        if content.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    Ok(fs::write(directory.join(format!("{name}_{version}_amd64.deb")), bytes)?)
}

fn tar_gz(path: &str, content: &[u8]) -> Result<Vec<u8>, BenchError> {
    let gzip: GzEncoder<Vec<u8>> = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    let mut builder = tar::Builder::new(gzip);
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(TIME.into());
    builder.append_data(&mut header, path, content)?;
    Ok(builder.into_inner()?.finish()?)
}

/// Writes one `.rpm`.
pub(super) fn write_rpm(directory: &Path, name: &str, version: &str) -> Result<(), BenchError> {
    let config = BuildConfig::v4().compression(CompressionWithLevel::None).source_date(TIME);
    let mut builder = PackageBuilder::new(name, version, "MIT", "x86_64", "bench package");
    builder.using_config(config).description("Long description of the package.");
    let made = builder
        .with_file_contents(module(name), FileOptions::new(format!("/opt/venvs/{name}.py")))
        .and_then(|builder| builder.build())
        .and_then(|package| package.write_file(directory.join(format!("{name}-{version}-1.x86_64.rpm"))));
    made.map_err(|source| BenchError::Rpm(Box::new(source)))
}

/// Lines that compress as a module's do; a multiplicative generator (Knuth's constants) makes them differ.
fn module(name: &str) -> String {
    let mut state = name.bytes().fold(1_u64, |state, byte| state.wrapping_mul(31).wrapping_add(byte.into()));
    let mut text = String::new();
    for line in 0..LINES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        writeln!(text, "value_{line} = {state}").expect("a string grows");
    }
    text
}
