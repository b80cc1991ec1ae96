//! Environments, commands and the pinned tool of Python 2.7.

use vb_graph::InterpreterSpec;

use super::*;
use crate::{lock::Dependencies, pylock::BinaryPolicy};

fn files(module_paths: &[&str]) -> String {
    let environment = Environment {
        prefix: "/vrmd/old".into(),
        interpreter: InterpreterSpec { version: "2.7".into(), command: "/usr/bin/python2.7".into() },
        module_paths: module_paths.iter().map(|path| (*path).to_owned()).collect(),
        prune: vec![],
    };
    let show = |(path, file): (String, EnvironmentFile)| match file {
        EnvironmentFile::Symlink(target) => format!("{path} -> {target}\n"),
        EnvironmentFile::File { mode, .. } => format!("{path} {mode:o}\n"),
    };
    crate::environment_files(&environment).into_iter().map(show).collect()
}

#[test]
fn an_environment_has_landmarks_and_its_own_site() {
    assert_eq!(
        files(&["/vrmd/old/old"]),
        "bin/activate 644\n\
         bin/python -> python2.7\n\
         bin/python2 -> python2.7\n\
         lib/python2.7/lib-dynload -> /usr/lib/python2.7/lib-dynload\n\
         lib/python2.7/os.py -> /usr/lib/python2.7/os.py\n\
         lib/python2.7/site-packages/_vb_application.pth 644\n\
         lib/python2.7/site.py 644\n\
         lib64 -> lib\n"
    );
    assert!(!files(&[]).contains(".pth"));
}

#[test]
fn pip_downloads_of_one_index() {
    let policy = BinaryPolicy { no_binary: vec!["lxml".into()], only_binary: vec![] };
    let request = DownloadRequest {
        python: "/usr/bin/python2.7",
        pip: "/in/pip",
        index: "http://127.0.0.1/simple/",
        policy: &policy,
        requirements: "/in/requirements.txt",
        constraints: Some("/in/constraints.txt"),
        dependencies: Dependencies::Listed,
        output: "/out",
        tools: "/tools",
    };
    assert_eq!(
        request.arguments().join(" "),
        "/usr/bin/python2.7 /in/pip/pip download --isolated --quiet --no-input --no-cache-dir \
         --disable-pip-version-check --no-python-version-warning --index-url http://127.0.0.1/simple/ --use-pep517 \
         --no-binary lxml --no-deps --constraint /in/constraints.txt --dest /out --requirement /in/requirements.txt"
    );
    assert!(request.tools_arguments().unwrap().ends_with(&["/tools".to_owned(), "setuptools".to_owned()]));
    let wheels = BinaryPolicy { no_binary: vec![], only_binary: vec![":all:".into()] };
    assert_eq!(DownloadRequest { policy: &wheels, ..request }.tools_arguments(), None);
}

#[test]
fn the_pinned_pip_is_a_wheel_of_its_version() {
    let file = PIP.locked_file();
    assert!(file.is_wheel() && file.file.contains(PIP.version));
    assert_eq!(file.sha256.to_string(), "217ae5161a0e08c0fb873858806e3478c9775caffce5168b50ec885e358c199d");
}

#[test]
fn a_project_has_its_dependencies_and_those_of_chosen_extras() {
    let text =
        "[project]\ndependencies = [\"six\"]\n[project.optional-dependencies]\nPg_Sql = [\"psycopg2\"]\nx = [\"y\"]\n";
    assert_eq!(project_requirements(text, &[]).unwrap(), Ok("six\n".to_owned()));
    assert_eq!(project_requirements(text, &["pg-sql".to_owned()]).unwrap(), Ok("psycopg2\nsix\n".to_owned()));
    assert_eq!(project_requirements(text, &["z".to_owned()]).unwrap(), Err("z".to_owned()));
}
