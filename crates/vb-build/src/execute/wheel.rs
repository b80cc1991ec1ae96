//! An sdist to a wheel, by uv as the PEP 517 front end, offline, with locked build requirements.

use std::{
    io,
    path::{Path, PathBuf},
};

use fs_err as fs;
use sha2::{Digest, Sha256 as Hasher};
use vb_graph::{InputDigest, LockedDistribution, LockedFile, Node, Sha256, Wheel};
use vb_package::LeakScanner;
use vb_python::{BuildRequest, UV, build_constraints};
use vb_store::{FIXED_TIME, export_copy};

use super::{
    command::{Prepared, layered, private, read_only, read_write},
    package::leak_patterns,
};
use crate::{builder::Builder, error::ExecuteError, inputs::Inputs};

impl Builder {
    pub(super) fn prepare_wheel(&self, wheel: &Wheel, inputs: &Inputs) -> Result<Prepared, ExecuteError> {
        let scratch = self.scratch()?;
        let input = scratch.path().join("in");
        let source = self.source_of_wheel(inputs, scratch.path())?;
        let requirements = self.place_requirements(inputs, &input.join("requirements"))?;
        fs::write(input.join("constraints.txt"), build_constraints(&requirements)).map_err(ExecuteError::scratch)?;
        if wheel.interpreter.is_python_2() {
            return self.prepare_python_2_wheel(wheel, inputs, scratch, &source);
        }
        UV.extract(&inputs.file(&self.store, "uv")?.blob, &input.join("uv"))?;
        for name in ["out", "work"] {
            fs::create_dir(scratch.path().join(name)).map_err(ExecuteError::scratch)?;
        }
        let request = BuildRequest {
            uv: &private("in/uv"),
            python: &wheel.interpreter.command,
            sdist: &private("source"),
            requirements: &private("in/requirements"),
            constraints: &private("in/constraints.txt"),
            output: &private("out"),
            cache: &private("work"),
            epoch: FIXED_TIME.unsigned_abs(),
            extra_variables: &wheel.variables,
        };
        let binds = vec![
            read_only(&input, &private("in")),
            read_write(&source, &private("source")),
            read_write(&scratch.path().join("out"), &private("out")),
            read_write(&scratch.path().join("work"), &private("work")),
        ];
        let mut spec = layered(vec![self.layer(&inputs.directory("root"))?], request.arguments(), binds);
        spec.env.extend(request.variables());
        Ok(Prepared { spec, scratch })
    }

    /// Puts what is built into a directory: the application's source, or what is in an sdist. An sdist is unpacked here and
    /// shown at a fixed path; uv would unpack it at a random one, which compilers write down.
    fn source_of_wheel(&self, inputs: &Inputs, scratch: &Path) -> Result<PathBuf, ExecuteError> {
        let source = scratch.join("source");
        if inputs.has("source") {
            self.on_data_pool(|| export_copy(&self.store, &inputs.directory("source"), &source))?;
            return Ok(source);
        }
        let sdist = inputs.file(&self.store, "sdist")?.place(&scratch.join("sdist"))?;
        Ok(vb_python::unpack_sdist(&sdist, &source)?)
    }

    /// Shows the wheels of the build requirements in a directory.
    fn place_requirements(&self, inputs: &Inputs, directory: &Path) -> Result<Vec<LockedDistribution>, ExecuteError> {
        fs::create_dir_all(directory).map_err(ExecuteError::scratch)?;
        inputs
            .of_kind("requirement")
            .map(|(name, input)| {
                let wheel = self.wheel_input(input)?;
                wheel.place(directory)?;
                let sha256 = match input {
                    InputDigest::File { sha256, .. } => *sha256,
                    InputDigest::Node(_) => sha256_of(&wheel.blob).map_err(ExecuteError::Store)?,
                };
                Ok(to_distribution(name, LockedFile { file: wheel.file, size: None, sha256 }))
            })
            .collect()
    }

    pub(super) fn finish_wheel(&self, prepared: &Prepared) -> Result<Node, ExecuteError> {
        let out = prepared.path("out");
        let found: Vec<String> = fs::read_dir(&out)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect())
            .map_err(ExecuteError::scratch)?;
        let [wheel] = found.as_slice() else { return Err(ExecuteError::WheelCount { found }) };
        self.check_wheel_for_leaks(&out.join(wheel))?;
        self.take_in(&out)
    }

    /// A path of the build inside a wheel that was built here would be in every package that holds it.
    fn check_wheel_for_leaks(&self, wheel: &Path) -> Result<(), ExecuteError> {
        let scanner = LeakScanner::new(&leak_patterns(&self.store, self.home.as_deref()))
            .expect("the patterns are absolute paths");
        let mut leak = None;
        vb_python::read_members(wheel, &mut |member, reader| {
            let found = scanner.find_leaks(reader)?;
            if let (None, Some(first)) = (&leak, found.first()) {
                leak = Some((member.to_owned(), first.name.to_owned()));
            }
            Ok(())
        })?;
        leak.map_or(Ok(()), |(path, what)| Err(ExecuteError::Leak { path, what, is_in_source: false }))
    }
}

/// An input that is a build requirement is named `requirement <name> <version>`.
fn to_distribution(name: &str, file: LockedFile) -> LockedDistribution {
    let (name, version) = name.split_once(' ').expect("lowering names requirements with name and version");
    LockedDistribution { name: name.to_owned(), version: version.to_owned(), file }
}

/// Digests a wheel that was built here as pip's hashes have it.
fn sha256_of(blob: &Path) -> io::Result<Sha256> {
    let mut hasher = Hasher::new();
    io::copy(&mut fs::File::open(blob)?, &mut hasher)?;
    Ok(Sha256::from_bytes(hasher.finalize().into()))
}
