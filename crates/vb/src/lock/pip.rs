//! What stands in for uv where the interpreter is Python 2.7: its last pip, and the build back end run without a front end.
//!
//! pip asks a relay alone, which gives it pages as it reads them; so it needs neither certificates nor logins.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use fs_err as fs;
use vb_build::CommandFailure;
use vb_graph::LockedDistribution;
use vb_python::{
    BuildBackend, exact_requirements,
    python2::{
        BACKEND, BackendRequest, BackendTask, DownloadError, DownloadRequest, exact_constraints, read_downloads,
    },
};

use super::{
    python::scratch_error,
    uv::{Answer, Question, Uv, private},
};
use crate::{exit::Exit, fatal::Fatal};

impl Uv<'_> {
    /// Has the interpreter none of the tools of today?
    pub(super) fn is_for_python_2(&self) -> bool {
        self.target.python.0 == 2
    }

    /// Resolves by downloading. What is preferred is what is taken, if that is a solution.
    pub(super) fn compile_with_pip(&self, question: &Question<'_>) -> Result<Answer, Fatal> {
        if !question.preferred.is_empty()
            && let Answer::Resolved(distributions) = self.download(question, Some(question.preferred))?
        {
            return Ok(Answer::Resolved(distributions));
        }
        self.download(question, None)
    }

    fn download(&self, question: &Question<'_>, pins: Option<&[(String, String)]>) -> Result<Answer, Fatal> {
        let place = self.place(question.files)?;
        if let Some(pins) = pins {
            fs::write(place.input.join("pins.txt"), exact_constraints(pins)).map_err(scratch_error)?;
        }
        let relay = self.relay.as_ref().expect("pip always has a relay");
        let pins = pins.map(|_| private("in/pins.txt"));
        let request = DownloadRequest {
            python: &self.command,
            pip: &private("in/pip"),
            index: &relay.index(),
            policy: question.policy,
            requirements: &private(&format!("in/requirements/{}", question.main)),
            constraints: pins.as_deref(),
            dependencies: question.dependencies,
            output: &private("out/files"),
            tools: &private("out/tools"),
        };
        if let Some(arguments) = request.tools_arguments() {
            let ended = self.run(arguments, request.variables(), place.shown(), &place)?;
            relay.check()?;
            if let Err(failure) = ended {
                return Ok(Answer::Failed(failure));
            }
        }
        let ended = self.run(request.arguments(), request.variables(), place.shown(), &place)?;
        relay.check()?;
        if let Err(failure) = ended {
            return Ok(Answer::Failed(failure));
        }
        let files = place.output.join("files");
        fs::create_dir_all(&files).map_err(scratch_error)?;
        read_downloads(&files, &place.output.join("sdists")).map(Answer::Resolved).map_err(|error: DownloadError| {
            let message = format!("cannot lock {} for `{}`", question.what, self.platform);
            let help = "change the requirements, or `no_binary` and `only_binary` in the recipe";
            Fatal::caused(Exit::Recipe, "vb::lock::python", message, help, error)
        })
    }

    pub(super) fn ask_backend_of_python_2(
        &self,
        project: &Path,
        backend: &BuildBackend,
        (locked, wheels): (&[LockedDistribution], &[(String, PathBuf)]),
        extra_variables: &BTreeMap<String, String>,
    ) -> Result<Result<Vec<String>, Box<CommandFailure>>, Fatal> {
        let files = [("backend.py", BACKEND.to_owned()), ("exact.txt", exact_requirements(locked))];
        let files = files.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())).collect();
        let mut place = self.place(&files)?;
        place.put_wheels(wheels)?;
        let work = place.output.join("work");
        fs::create_dir(&work).map_err(scratch_error)?;
        let request = BackendRequest {
            python: &self.command,
            program: &private("in/requirements/backend.py"),
            task: BackendTask::Ask,
            pip: &private("in/pip"),
            wheels: &private("in/wheels"),
            requirements: &private("in/requirements/exact.txt"),
            work: &private("out/work"),
            project: &private("source"),
            backend,
            output: &private("out/requires.json"),
            extra_variables,
        };
        place.project = Some(project.to_owned());
        if let Err(failure) = self.run_isolated(request.arguments(), request.variables(), &place)? {
            return Ok(Err(failure));
        }
        place.asked().map(Ok)
    }
}
