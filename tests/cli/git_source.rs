//! Sources that are in git: which commit is locked, and what is built of it.

use std::{path::PathBuf, process::Command};

use expect_test::expect;
use fs_err as fs;
use vb_package::read_deb;

use crate::support::{Mirror, Run, TestEnv, redact};

const RECIPE: &str = "recipes/whois.ncl";
const LOCK: &str = "recipes/whois.lock";
const BUILD: [&str; 4] = ["build", RECIPE, "--platform", "bookworm"];

/// A workspace whose application is in `server` of a repository beside the workspace.
struct Upstream {
    env: TestEnv,
    mirror: Mirror,
}

impl Upstream {
    fn new() -> Self {
        let (env, mirror) = (TestEnv::new(), Mirror::of_whois());
        mirror.use_in(&env);
        let upstream = env.directory().join("upstream");
        fs::create_dir_all(&upstream).unwrap();
        fs::rename(env.workspace().join("recipes/apps/whois"), upstream.join("server")).unwrap();
        let source = r#"'Git { url = "../../upstream", branch = "main", subdir = "server" }"#;
        env.edit(RECIPE, r#"'Path "apps/whois""#, source);
        let upstream = Self { env, mirror };
        upstream.git(&["init", "--quiet", "--initial-branch", "main"]);
        upstream.commit();
        upstream
    }

    fn directory(&self) -> PathBuf {
        self.env.directory().join("upstream")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.directory()).env("HOME", self.env.home());
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "test").env(format!("GIT_{who}_EMAIL"), "test@example.org");
        }
        Run::of(&mut command).ok().stdout.trim().to_owned()
    }

    /// Commits everything, and returns the commit.
    fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "test"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn lock(&self, arguments: &[&str]) -> Run {
        self.env.vb(&[&["lock", RECIPE, "--platform", "bookworm"], arguments].concat())
    }

    /// Returns the line of the built package's description that names its source.
    fn origin(&self) -> String {
        let package = read_deb(&self.env.package()).unwrap();
        let description = package.field("Description").unwrap_or_default();
        description.lines().find(|line| line.contains("Commit:")).unwrap_or_default().trim().to_owned()
    }
}

#[test]
fn a_branch_is_built_at_the_commit_that_is_locked_until_another_is() {
    let upstream = Upstream::new();
    let env = &upstream.env;
    let first = upstream.git(&["rev-parse", "HEAD"]);
    let run = env.vb(&BUILD).expect(3);
    expect![[r"
        vb::lock::commit

          x the lock of `recipes/whois.ncl` has no commit for the branch `main` of `source`
          help: run `vb lock recipes/whois.ncl`
    "]]
    .assert_eq(&redact(env, &run.stderr));

    upstream.lock(&[]).ok();
    let locked = format!("[commits]\nsource = {{ branch = \"main\", commit = \"{first}\" }}\n");
    assert!(env.read(LOCK).contains(&locked), "{}", env.read(LOCK));
    env.vb(&BUILD).ok();
    assert_eq!(upstream.origin(), format!("Branch: main Commit: {first}"));

    let module = upstream.directory().join("server/whois_server/__init__.py");
    fs::write(&module, format!("{}\nCHANGED = True\n", fs::read_to_string(&module).unwrap())).unwrap();
    let second = upstream.commit();
    let run = env.vb(&BUILD).ok();
    assert!(run.stderr.contains(" 0 actions executed"), "{}", run.stderr);
    upstream.lock(&[]).ok();
    assert!(env.read(LOCK).contains(&first), "without being told, nothing moves");

    let run = upstream.lock(&["--source"]).ok();
    assert_eq!(run.stdout, format!("whois:\n  ~ source {first} → {second}\n{LOCK}\n"));
    env.vb(&BUILD).ok();
    assert_eq!(upstream.origin(), format!("Branch: main Commit: {second}"));

    // What is locked and fetched needs no repository any more, not even for a commit that no branch has.
    fs::remove_dir_all(upstream.directory()).unwrap();
    env.edit(LOCK, &second, &first);
    env.vb(&[&BUILD[..], &["--offline"]].concat()).ok();
    assert_eq!(upstream.origin(), format!("Branch: main Commit: {first}"));
    let run = env.vb(&[&BUILD[..], &["--offline", "--store", "another"]].concat()).expect(4);
    assert!(run.stderr.contains("vb::git::offline") && run.stderr.contains(&first), "{}", run.stderr);
    drop(upstream.mirror);
}

#[test]
fn what_a_repository_does_not_have_is_told() {
    let upstream = Upstream::new();
    let env = &upstream.env;
    let check = |from: &str, to: &str, exit: i32, code: &str, named: &[&str]| {
        env.edit(RECIPE, from, to);
        let run = upstream.lock(&[]).expect(exit);
        let told = run.stderr.replace("\n  │ ", " ");
        assert!(told.contains(code), "{code}: {told}");
        named.iter().for_each(|name| assert!(told.contains(name), "{name}: {told}"));
        env.edit(RECIPE, to, from);
    };
    check("\"main\"", "\"mian\"", 3, "vb::git::reference", &["branch `mian`", "../../upstream"]);
    check("branch = \"main\"", "tag = \"v1\"", 3, "vb::git::reference", &["tag `v1`"]);
    check("subdir = \"server\"", "subdir = \"client\"", 3, "vb::git::subdir", &["no directory `client`"]);
    check("../../upstream", "../../downstream", 4, "vb::git::failed", &["branch `main`", "../../downstream"]);
    let commit = "0123456789".repeat(4);
    let named = format!("commit = \"{commit}\"");
    check("branch = \"main\"", &named, 4, "vb::git::failed", &[&commit]);

    // A password is in no message, though git repeats the location.
    let secret = "http://user:secret@127.0.0.1:1/x.git";
    env.edit(RECIPE, "../../upstream", secret);
    let run = upstream.lock(&[]).expect(4);
    assert!(run.stderr.contains("127.0.0.1:1/x.git") && !run.stderr.contains("secret"), "{}", run.stderr);
}

#[test]
fn a_tag_and_a_commit_are_built_and_a_line_end_is_not_changed() {
    let upstream = Upstream::new();
    let env = &upstream.env;
    let commit = upstream.git(&["rev-parse", "HEAD"]);
    upstream.git(&["tag", "--annotate", "v1.0", "--message", "test"]);
    upstream.git(&["commit", "--quiet", "--allow-empty", "--message", "later"]);
    // The user's configuration would give every file other bytes.
    fs::write(env.home().join(".gitconfig"), "[core]\n\tautocrlf = true\n").unwrap();
    env.edit(RECIPE, "branch = \"main\"", "tag = \"v1.0\"");
    upstream.lock(&[]).ok();
    assert!(env.read(LOCK).contains(&format!("source = {{ tag = \"v1.0\", commit = \"{commit}\" }}")));
    env.vb(&BUILD).ok();
    assert_eq!(upstream.origin(), format!("Branch: (none) Commit: {commit}"));
    let package = fs::read(env.package()).unwrap();

    env.edit(RECIPE, "tag = \"v1.0\"", &format!("commit = \"{commit}\""));
    upstream.lock(&[]).ok();
    assert!(!env.read(LOCK).contains("[commits]"), "a recipe that names its commit needs no other");
    env.vb(&BUILD).ok();
    assert!(package == fs::read(env.package()).unwrap());
    let mut checkouts = fs::read_dir(env.store().join("checkouts")).unwrap().map(|entry| entry.unwrap().path());
    let checkout = checkouts.find(|path| path.to_string_lossy().ends_with(&commit)).unwrap();
    let requirements = fs::read_to_string(checkout.join("server/requirements.txt")).unwrap();
    assert!(!requirements.contains('\r'));
}
