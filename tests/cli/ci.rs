//! The examples for CI: the scripts that `docs/ci` shows are run, as a runner does, on commits and tags.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use fs_err as fs;
use saphyr::{LoadableYamlNode as _, Yaml};

use crate::support::{Run, TestEnv, repository};

/// What a runner is started by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    Branch(&'static str),
    Tag(&'static str),
}

/// A workspace that is pushed from, and the repository that its CI publishes to.
struct Company {
    env: TestEnv,
    key: String,
}

impl Company {
    fn new() -> Self {
        let env = TestEnv::new();
        env.edit("recipes/workspace.ncl", "} | vb.Workspace", "  version = 'Snapshot,\n} | vb.Workspace");
        fs::remove_file(env.workspace().join("recipes/apps/whois/debian/changelog")).unwrap();
        env.commit();
        let key = env.directory().join("key.asc").display().to_string();
        env.vb(&["key", "new", &key, "--user", "test <test@example.org>"]).ok();
        let company = Self { env, key };
        company.env.vb(&["repo", "init", &company.packages(), "--key", &company.key]).ok();
        company
    }

    fn packages(&self) -> String {
        self.env.directory().join("packages").display().to_string()
    }

    /// Commits a change of the application and returns the beginning of the commit's id.
    fn change(&self, text: &str) -> String {
        let path = "recipes/apps/whois/whois_server/protocol.py";
        self.env.write(path, &format!("{}\n# {text}\n", self.env.read(path)));
        self.env.commit();
        self.env.git(&["rev-parse", "HEAD"]).stdout[..11].to_owned()
    }

    /// Returns channel and version of what is published.
    fn published(&self) -> Vec<String> {
        let list = self.env.vb(&["repo", "list", &self.packages()]).ok().stdout;
        let field = |line: &str, index| line.split_whitespace().nth(index).unwrap_or_default().to_owned();
        list.lines().map(|line| format!("{} {}", field(line, 0), field(line, 2))).collect()
    }

    /// Runs scripts in a fresh clone of what triggered them, detached from any branch as runners have it.
    fn run(&self, trigger: Trigger, scripts: &[String], variables: &[(&str, &str)]) {
        let clone = self.env.directory().join(format!("clone-{}", fs::read_dir(self.env.directory()).unwrap().count()));
        let name = match trigger {
            Trigger::Branch(name) => format!("origin/{name}"),
            Trigger::Tag(name) => name.to_owned(),
        };
        let at = clone.to_str().unwrap();
        drop(self.env.git(&["clone", "--quiet", "--no-checkout", ".", at]));
        drop(self.env.git(&["-C", at, "checkout", "--quiet", "--detach", &name]));
        for script in scripts {
            let model = self.env.command(&[]);
            let mut shell = Command::new("/bin/sh");
            shell.args(["-e", "-c", script]).current_dir(&clone).env_clear();
            shell.envs(model.get_envs().filter_map(|(name, value)| Some((name, value?))));
            shell.env("PATH", search_path()).env("VB_REPO", self.packages()).envs(variables.iter().copied());
            Run::of(&mut shell).ok();
        }
    }
}

/// The search path, with the program before everything else.
fn search_path() -> std::ffi::OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_vb")).parent().unwrap().to_owned();
    let own = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(program).chain(std::env::split_paths(&own))).unwrap()
}

fn example(name: &str) -> Yaml<'static> {
    let path: PathBuf = repository().join("docs/ci").join(name);
    let text: &'static str = String::leak(fs::read_to_string(path).unwrap());
    Yaml::load_from_str(text).unwrap().remove(0)
}

fn text(yaml: &Yaml<'_>) -> String {
    yaml.as_str().unwrap_or_else(|| panic!("{yaml:?} is a text")).to_owned()
}

/// Returns the scripts of the jobs that GitLab would start.
fn gitlab_scripts(trigger: Trigger) -> Vec<String> {
    let file = example("gitlab-ci.yml");
    assert_eq!(text(&file["variables"]["GIT_DEPTH"]), "0");
    let applies = |job: &Yaml<'_>| match job.as_mapping_get("rules") {
        None => true,
        Some(rules) => match text(&rules[0]["if"]).as_str() {
            "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" => trigger == Trigger::Branch("main"),
            "$CI_COMMIT_TAG" => matches!(trigger, Trigger::Tag(_)),
            other => panic!("the test does not know the rule `{other}`"),
        },
    };
    let jobs = ["build", "snapshot", "release"].map(|name| &file[name]);
    let scripts = jobs.into_iter().filter(|job| applies(job)).map(|job| job["script"].as_sequence().unwrap());
    scripts.map(|lines| lines.iter().map(text).collect::<Vec<_>>().join("\n")).collect()
}

/// Returns the scripts of the steps that GitHub would run.
fn github_scripts(trigger: Trigger) -> Vec<String> {
    let file = example("github-actions.yml");
    let steps = file["jobs"]["packages"]["steps"].as_sequence().unwrap();
    let applies = |step: &Yaml<'_>| match step.as_mapping_get("if").map(text).as_deref() {
        None => true,
        Some("github.ref == 'refs/heads/main' || github.ref_type == 'tag'") => trigger != Trigger::Branch("feature"),
        Some(other) => panic!("the test does not know the condition `{other}`"),
    };
    let scripts = steps.iter().filter(|step| applies(step)).filter_map(|step| step.as_mapping_get("run"));
    scripts.map(text).collect()
}

fn check(scripts: fn(Trigger) -> Vec<String>, variables: impl Fn(&Company) -> Vec<(&'static str, String)>) {
    let company = Company::new();
    let variables = variables(&company);
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let run = |trigger| company.run(trigger, &scripts(trigger), &variables);

    drop(company.env.git(&["checkout", "--quiet", "-b", "feature"]));
    let commit = company.change("a feature");
    run(Trigger::Branch("feature"));
    assert_eq!(company.published(), [""; 0], "a branch builds and publishes nothing");

    drop(company.env.git(&["checkout", "--quiet", "main"]));
    drop(company.env.git(&["merge", "--quiet", "feature"]));
    run(Trigger::Branch("main"));
    let snapshot = format!("bookworm-development 0~20260102030405+git{commit}");
    assert_eq!(company.published(), std::slice::from_ref(&snapshot));
    run(Trigger::Branch("main"));
    assert_eq!(company.published(), std::slice::from_ref(&snapshot), "the same commit again publishes nothing");

    drop(company.env.git(&["tag", "v1.1.0rc1"]));
    run(Trigger::Tag("v1.1.0rc1"));
    assert_eq!(company.published(), [snapshot, "bookworm-staging 1.1.0~rc1".to_owned()]);
}

#[test]
fn what_the_example_for_gitlab_shows_publishes_snapshots_and_releases() {
    check(gitlab_scripts, |company| vec![("VB_REPO_KEY", company.key.clone())]);
}

#[test]
fn what_the_example_for_github_shows_publishes_snapshots_and_releases() {
    check(github_scripts, |company| {
        let directory = company.env.directory().display().to_string();
        vec![("RUNNER_TEMP", directory), ("VB_SIGNING_KEY", fs::read_to_string(&company.key).unwrap())]
    });
}
