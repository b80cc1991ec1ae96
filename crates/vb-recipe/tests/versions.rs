//! Versions out of a real git repository: what each scheme says of each state that a checkout can be in.

#![expect(clippy::unwrap_used, reason = "test support outside of test functions fails the test by panicking")]

use std::{path::PathBuf, process::Command};

use fs_err as fs;
use miette::Diagnostic as _;
use tempfile::TempDir;
use vb_recipe::{Checkouts, DeclaredVersion, Loader, SourceFacts, VersionError, VersionSubject, read_releases};

/// A workspace of two applications in a git repository, whose commits are a minute apart.
struct Scratch {
    directory: TempDir,
    minute: u32,
}

impl Scratch {
    fn new(scheme: &str) -> Self {
        let scratch = Self { directory: tempfile::tempdir().unwrap(), minute: 0 };
        let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recipes/platforms/bookworm.ncl");
        scratch.write("recipes/platforms/bookworm.ncl", &fs::read_to_string(shared).unwrap());
        scratch.write_workspace("");
        for name in ["whois", "other"] {
            let recipe = format!(
                "let vb = import \"vb.ncl\" in\n{{\n  name = \"{name}\",\n  {scheme}\n  source = 'Path \"apps/{name}\",\n  \
                 python = \"3.11\",\n}} | vb.Recipe\n"
            );
            scratch.write(&format!("recipes/{name}.ncl"), &recipe);
            scratch.write(&format!("recipes/apps/{name}/requirements.txt"), "");
        }
        scratch
    }

    fn write_workspace(&self, fields: &str) {
        let text = format!(
            "let vb = import \"vb.ncl\" in\n{{\n  maintainer = \"A <a@example.org>\",\n  platforms = [\"bookworm\"],\n  \
             {fields}\n}} | vb.Workspace\n"
        );
        self.write("recipes/workspace.ncl", &text);
    }

    /// One with a first commit.
    fn committed(scheme: &str) -> Self {
        let mut scratch = Self::new(scheme);
        scratch.git(&["init", "--quiet", "--initial-branch=main"]);
        scratch.commit();
        scratch
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("workspace")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.git_in("workspace", arguments)
    }

    fn git_in(&self, directory: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.directory.path().join(directory));
        command.env("HOME", self.directory.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        let date = format!("2026-01-02T03:{:02}:05Z", self.minute);
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "test").env(format!("GIT_{who}_EMAIL"), "test@example.org");
            command.env(format!("GIT_{who}_DATE"), &date);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits everything, a minute after the last time, and returns what a snapshot says of it.
    fn commit(&mut self) -> String {
        self.minute += 1;
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "test"]);
        let id = self.git(&["rev-parse", "HEAD"]);
        format!("~2026010203{:02}05+git{}", self.minute, &id[..11])
    }

    /// Edits the application and commits that.
    fn change(&mut self) -> String {
        self.write("recipes/apps/whois/module.py", &format!("MINUTE = {}\n", self.minute));
        self.commit()
    }

    fn try_version_of(&self, name: &str, root: &str) -> Result<String, VersionError> {
        let root = self.directory.path().join(root);
        let loader = Loader::new(&root).unwrap();
        let loaded = loader.load(&[root.join(format!("recipes/{name}.ncl"))], &Checkouts::new()).unwrap();
        let recipe = &loaded.recipes[0];
        let subject = VersionSubject { workspace: &loaded.workspace, recipe, platforms: &loaded.platforms };
        subject.version().map(|declared| match declared {
            DeclaredVersion::Known(version) => version,
            DeclaredVersion::BuildNumber => panic!("no test here has this scheme"),
        })
    }

    fn version(&self) -> String {
        self.try_version_of("whois", "workspace").unwrap()
    }

    /// Returns the code of the error, and the line that it points at.
    fn refusal(&self) -> (String, String) {
        self.refusal_in("workspace")
    }

    fn refusal_in(&self, root: &str) -> (String, String) {
        let error = self.try_version_of("whois", root).unwrap_err();
        let VersionError::Scheme(errors) = &error else { panic!("{error:?}") };
        let diagnostic = &errors.diagnostics()[0];
        let label = diagnostic.labels().unwrap().next().unwrap();
        let text = diagnostic.source_code().unwrap().read_span(label.inner(), 0, 0).unwrap();
        let shown = String::from_utf8_lossy(text.data()).into_owned();
        (diagnostic.code().unwrap().to_string(), shown)
    }
}

const SNAPSHOT: &str = "version = 'Snapshot,";
const TAG: &str = "version = 'Tag,";

fn refused(code: &str, shown: &str) -> (String, String) {
    (code.to_owned(), shown.to_owned())
}

#[test]
fn a_snapshot_comes_after_the_last_release_and_a_tagged_commit_is_the_release() {
    let mut scratch = Scratch::committed(SNAPSHOT);
    scratch.git(&["tag", "v1.0.0"]);
    assert_eq!(scratch.version(), "1.0.0");
    let after = scratch.change();
    assert_eq!(scratch.version(), format!("1.0.0+0{after}"));
    scratch.git(&["tag", "--annotate", "--message", "candidate", "v1.1.0rc1"]);
    assert_eq!(scratch.version(), "1.1.0~rc1");
}

#[test]
fn a_snapshot_before_any_release_comes_before_everything() {
    let scratch = Scratch::committed(SNAPSHOT);
    let commit = scratch.git(&["rev-parse", "HEAD"]);
    assert_eq!(scratch.version(), format!("0~20260102030105+git{}", &commit[..11]));
}

#[test]
fn a_snapshot_comes_before_the_release_that_the_changelog_prepares() {
    let mut scratch = Scratch::committed(SNAPSHOT);
    scratch.git(&["tag", "v1.0.0"]);
    scratch.write("recipes/apps/whois/debian/changelog", "whois (1.1.0) UNRELEASED; urgency=low\n");
    let prepared = scratch.commit();
    assert_eq!(scratch.version(), format!("1.1.0{prepared}"));
    scratch.write("recipes/apps/whois/debian/changelog", "whois (1.1.0) bookworm; urgency=low\n");
    let released = scratch.commit();
    assert_eq!(scratch.version(), format!("1.1.0+0{released}"));
    scratch.git(&["tag", "v1.2.0", "HEAD~1"]);
    assert_eq!(scratch.version(), format!("1.2.0+0{released}"), "the later of tag and changelog counts");
}

#[test]
fn a_commit_that_touches_nothing_of_the_application_changes_no_version() {
    let mut scratch = Scratch::committed(SNAPSHOT);
    scratch.git(&["tag", "v1.0.0"]);
    scratch.write("recipes/apps/other/module.py", "");
    scratch.commit();
    assert_eq!(scratch.version(), "1.0.0");
    let change = scratch.change();
    scratch.write("README", "");
    scratch.commit();
    assert_eq!(scratch.version(), format!("1.0.0+0{change}"));
}

#[test]
fn recipe_lock_workspace_and_platform_are_part_of_what_a_commit_can_touch() {
    for path in ["recipes/whois.lock", "recipes/workspace.ncl", "recipes/platforms/bookworm.ncl", "recipes/whois.ncl"] {
        let mut scratch = Scratch::committed(SNAPSHOT);
        scratch.git(&["tag", "v1.0.0"]);
        let text = fs::read_to_string(scratch.root().join(path)).unwrap_or_default();
        scratch.write(path, &format!("{text}# A comment.\n"));
        let change = scratch.commit();
        assert_eq!(scratch.version(), format!("1.0.0+0{change}"), "{path}");
    }
}

#[test]
fn a_change_that_is_in_no_commit_is_marked_and_is_no_release() {
    let scratch = Scratch::committed(SNAPSHOT);
    scratch.git(&["tag", "v1.0.0"]);
    scratch.write("recipes/apps/whois/module.py", "");
    let commit = scratch.git(&["rev-parse", "HEAD"]);
    assert_eq!(scratch.version(), format!("1.0.0+0~20260102030105+git{}+modified", &commit[..11]));
    let scratch = Scratch::committed(TAG);
    scratch.git(&["tag", "v1.0.0"]);
    scratch.write("recipes/apps/whois/module.py", "");
    assert_eq!(scratch.refusal(), refused("vb::version::modified", "'Tag"));
}

#[test]
fn of_several_tags_on_a_commit_the_latest_version_counts() {
    let scratch = Scratch::committed(TAG);
    for tag in ["v1.9", "v1.10", "v1.10rc1", "whois-1.2", "other-9.0", "not-a-version"] {
        scratch.git(&["tag", tag]);
    }
    assert_eq!(scratch.version(), "1.10");
    assert_eq!(scratch.try_version_of("other", "workspace").unwrap(), "9.0");
}

#[test]
fn tags_have_the_form_that_workspace_or_recipe_say() {
    let scratch = Scratch::committed(TAG);
    scratch.git(&["tag", "release/2.0/whois"]);
    assert_eq!(scratch.refusal(), refused("vb::version::no_tag", "'Tag"));
    scratch.write_workspace("tags = [\"release/{version}/{name}\"],");
    scratch.git(&["commit", "--quiet", "--all", "--amend", "--message", "test"]);
    scratch.git(&["tag", "--force", "release/2.0/whois"]);
    assert_eq!(scratch.version(), "2.0");
    let scratch = Scratch::committed("version = 'Tag, tags = [\"w{version}\"],");
    scratch.git(&["tag", "v3.0"]);
    scratch.git(&["tag", "w2.0"]);
    assert_eq!(scratch.version(), "2.0");
}

#[test]
fn the_scheme_of_the_workspace_is_that_of_a_recipe_without_one_and_errors_point_there() {
    let scratch = Scratch::new("");
    scratch.write_workspace("version = 'Tag,");
    assert_eq!(scratch.refusal(), refused("vb::version::no_commit", "'Tag"));
    scratch.git(&["init", "--quiet"]);
    assert_eq!(scratch.refusal(), refused("vb::version::no_commit", "'Tag"), "a repository without a commit");
}

#[test]
fn a_shallow_clone_knows_the_version_of_a_tagged_commit_and_no_other() {
    for (scheme, code) in [(SNAPSHOT, "vb::version::shallow"), (TAG, "vb::version::no_tag")] {
        let mut scratch = Scratch::committed(scheme);
        scratch.git(&["tag", "v0.9"]);
        scratch.change();
        let source = format!("file://{}", scratch.root().display());
        let clone = |at: &str| scratch.git_in(".", &["clone", "--quiet", "--depth=1", &source, at]);
        clone("shallow");
        let (found, _) = scratch.refusal_in("shallow");
        assert_eq!(found, code);
        scratch.git(&["tag", "v1.0"]);
        clone("tagged");
        assert_eq!(scratch.try_version_of("whois", "tagged").unwrap(), "1.0");
    }
}

/// Returns the changelog of `whois` as git tells it.
fn changelog(scratch: &Scratch, root: &str) -> Option<String> {
    let source = scratch.directory.path().join(root).join("recipes/apps/whois");
    let patterns = ["v{version}".to_owned()];
    let releases = read_releases(&source, &patterns, "whois").unwrap();
    SourceFacts { releases, ..SourceFacts::NONE }.changelog("vrmd-whois", "1.2-1", "A <a@example.org>")
}

fn commit_as(scratch: &mut Scratch, subject: &str) {
    scratch.change();
    scratch.git(&["commit", "--quiet", "--amend", "--message", subject]);
}

#[test]
fn the_changelog_of_a_source_without_one_has_the_commits_of_each_tag_that_touched_it() {
    let mut scratch = Scratch::committed(TAG);
    assert_eq!(changelog(&scratch, "workspace"), None);
    scratch.git(&["tag", "v1.0"]);
    commit_as(&mut scratch, "whois: a first change");
    commit_as(&mut scratch, "whois: a\tsecond change");
    scratch.write("elsewhere", "");
    scratch.commit();
    scratch.git(&["tag", "--annotate", "--message", "1.1", "v1.1"]);
    scratch.git(&["tag", "other-9.0"]);
    let tagged = changelog(&scratch, "workspace").unwrap();
    assert!(
        tagged.starts_with("vrmd-whois (1.2-1) unstable; urgency=medium\n\n  * whois: a second change\n"),
        "{tagged}"
    );
    commit_as(&mut scratch, &"long ".repeat(60));
    let expect = format!(
        "vrmd-whois (1.2-1) unstable; urgency=medium\n\n  * {}…\n\n -- A <a@example.org>  Fri, 02 Jan 2026 03:05:05 \
         +0000\n\nvrmd-whois (1.1) unstable; urgency=medium\n\n  * whois: a second change\n  * whois: a first change\n\n \
         -- A <a@example.org>  Fri, 02 Jan 2026 03:04:05 +0000\n\nvrmd-whois (1.0) unstable; urgency=medium\n\n  * test\n\n \
         -- A <a@example.org>  Fri, 02 Jan 2026 03:01:05 +0000\n",
        "long ".repeat(60).chars().take(159).collect::<String>()
    );
    assert_eq!(changelog(&scratch, "workspace").unwrap(), expect);

    let url = format!("file://{}", scratch.root().display());
    scratch.git_in(".", &["clone", "--quiet", "--depth", "1", &url, "shallow"]);
    assert_eq!(changelog(&scratch, "shallow"), None);
}
