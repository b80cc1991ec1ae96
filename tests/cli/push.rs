//! `vb push`: what is published, under which version, in which channel; and that nothing is published twice.

use fs_err as fs;

use crate::support::{Run, TestEnv};

const RECIPE: &str = "recipes/whois.ncl";
const MODULE: &str = "recipes/apps/whois/whois_server/protocol.py";

/// A workspace with a signed repository, all committed.
fn workspace(fields: &str) -> TestEnv {
    let env = TestEnv::new();
    let text = env.read("recipes/workspace.ncl");
    let fields =
        format!("  repository = {{ path = \"repo\", keys = ['File \"key.asc\"] }},\n  {fields}\n}} | vb.Workspace");
    env.write("recipes/workspace.ncl", &text.replace("} | vb.Workspace", &fields));
    env.write(".gitignore", "/repo\n/dist\n/key.asc\n");
    env.commit();
    env
}

pub(crate) fn with_repository(fields: &str) -> TestEnv {
    let env = workspace(fields);
    env.vb(&["key", "new", "key.asc", "--user", "test <test@example.org>"]).ok();
    env.vb(&["repo", "init"]).ok();
    env
}

fn push(env: &TestEnv) -> Run {
    env.vb(&["push", RECIPE]).ok()
}

fn change(env: &TestEnv, text: &str) {
    env.write(MODULE, &format!("{}\n# {text}\n", env.read(MODULE)));
    env.commit();
}

/// Returns channel, name and version of everything that is published.
fn published(env: &TestEnv) -> Vec<String> {
    let list = env.vb(&["repo", "list"]).ok().stdout;
    let line = |line: &str| line.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    list.lines().map(line).collect()
}

#[test]
fn a_push_publishes_what_is_not_published_and_a_tag_goes_to_the_second_channel() {
    let env = with_repository("");
    let first = push(&env);
    assert_eq!(first.stdout, "bookworm-development  0  add vrmd-whois 1.0.0\n");
    let again = push(&env);
    assert_eq!(again.stdout, "bookworm-development  vrmd-whois 1.0.0 is published already, nothing to do\n");
    assert_eq!(env.vb(&["repo", "history"]).ok().stdout.lines().count(), 1);

    drop(env.git(&["tag", "v1.0.0"]));
    let tagged = env.vb(&["push", RECIPE, "--json"]).ok();
    let event: serde_json::Value = serde_json::from_str(tagged.stdout.lines().last().unwrap()).unwrap();
    let found = ["channel", "package", "version", "way"].map(|field| event[field].as_str().unwrap());
    assert_eq!(found, ["staging", "vrmd-whois", "1.0.0", "promoted"]);
    let all = ["bookworm-development vrmd-whois 1.0.0", "bookworm-staging vrmd-whois 1.0.0"];
    assert_eq!(published(&env), all);

    change(&env, "other bytes");
    let conflict = env.vb(&["push", RECIPE]).expect(2);
    assert!(conflict.stderr.contains("vb::repo::conflict"), "{}", conflict.stderr);
    assert_eq!(published(&env), all);
    env.vb(&["push", RECIPE, "--force-version", "1.0.0+hotfix1"]).ok();
    assert_eq!(published(&env).len(), 3);
    env.vb(&["repo", "verify"]).ok();
}

#[test]
fn the_workspaces_keys_sign_its_own_repository_however_it_is_named_and_no_other_one() {
    let env = with_repository("");
    push(&env);
    env.vb(&["key", "new", "other.asc", "--user", "other <other@example.org>"]).ok();
    env.vb(&["repo", "init", "other", "--key", "other.asc"]).ok();
    let package = env.package();
    let package = package.to_str().unwrap();
    env.vb(&["repo", "add", "other", package, "--platform", "bookworm"]).ok();
    env.vb(&["repo", "add", "recipes/../repo", package, "--platform", "bookworm", "--channel", "production"]).ok();
    for repository in ["other", "repo"] {
        env.vb(&["repo", "verify", repository]).ok();
    }
}

#[test]
fn a_push_of_what_was_added_by_hand_says_that_there_is_nothing_to_do() {
    let env = with_repository("");
    env.vb(&["build", RECIPE]).ok();
    env.vb(&["repo", "add", "repo", env.package().to_str().unwrap(), "--platform", "bookworm"]).ok();
    assert_eq!(push(&env).stdout, "bookworm-development  nothing to do\n");
}

#[test]
fn what_cannot_be_pushed_is_told_and_nothing_is_published() {
    let unset = TestEnv::new();
    assert!(unset.vb(&["push", RECIPE]).expect(2).stderr.contains("vb::repo::which"));
    let env = workspace("");
    assert!(env.vb(&["push", RECIPE]).expect(2).stderr.contains("vb::repo::none"));
    env.vb(&["key", "new", "key.asc", "--user", "test <test@example.org>"]).ok();
    env.vb(&["repo", "init"]).ok();
    let refused = |arguments: &[&str], exit: i32, code: &str| {
        let run = env.vb(&[&["push", RECIPE], arguments].concat()).expect(exit);
        assert!(run.stderr.contains(code), "{code}:\n{}", run.stderr);
        assert_eq!(published(&env), [""; 0]);
    };
    refused(&["--channel", "production"], 2, "vb::push::last_channel");
    refused(&["--channel", "nightly"], 2, "vb::repo::no_channel");
    env.write(MODULE, "import not_there_at_all\n");
    refused(&[], 2, "vb::push::modified");
    env.commit();
    refused(&[], 1, "vb::push::build");
    fs::rename(env.workspace().join("key.asc"), env.workspace().join("away.asc")).unwrap();
    refused(&[], 4, "vb::key::unreadable");
}

#[test]
fn a_build_number_grows_when_the_inputs_change_and_not_otherwise() {
    let env = with_repository("version = 'BuildNumber,");
    assert_eq!(push(&env).stdout, "bookworm-development  0  add vrmd-whois 1\n");
    drop(env.git(&["checkout", "--quiet", "-b", "other"]));
    env.write("README", "no part of the application\n");
    env.commit();
    assert!(push(&env).stdout.contains("vrmd-whois 1 is published already"));
    fs::remove_dir_all(env.workspace().join("dist")).unwrap();
    let built = env.vb(&["build", RECIPE, "--json"]).ok();
    assert!(!built.stdout.contains("vrmd-whois bookworm"), "nothing is built: {}", built.stdout);
    assert!(env.package().ends_with("vrmd-whois_1_amd64.deb"), "{:?}", env.package());

    change(&env, "a second version");
    assert!(env.vb(&["plan", RECIPE]).ok().stdout.contains(" whois bookworm stage"), "it is to be built again");
    assert_eq!(push(&env).stdout, "bookworm-development  1  add vrmd-whois 2\n");
    env.vb(&["repo", "rollback", "whois", "--channel", "development"]).ok();
    change(&env, "a third version");
    assert_eq!(push(&env).stdout, "bookworm-development  3  add vrmd-whois 3\n", "2 was there, and is not used again");
    let expected = ["bookworm-development vrmd-whois 1", "bookworm-development vrmd-whois 3"];
    assert_eq!(published(&env), expected);
}

#[test]
fn two_pushes_of_different_inputs_at_once_end_with_a_number_each() {
    let one = with_repository("version = 'BuildNumber,");
    let place = |name: &str| one.workspace().join(name).display().to_string();
    let other = TestEnv::new();
    let repository =
        format!("repository = {{ path = \"{}\", keys = ['File \"{}\"] }},", place("repo"), place("key.asc"));
    let fields = format!("  {repository}\n  version = 'BuildNumber,\n}} | vb.Workspace");
    other.edit("recipes/workspace.ncl", "} | vb.Workspace", &fields);
    change(&other, "other inputs");
    let until_done = |env: &TestEnv| {
        // Who chose the number that the other one took is refused, and has the next one when it comes again.
        let first = env.vb(&["push", RECIPE]);
        if first.code == 0 {
            return first.stdout;
        }
        assert!(first.expect(2).stderr.contains("vb::repo::conflict"));
        push(env).stdout
    };
    let said = std::thread::scope(|scope| {
        let other = scope.spawn(|| until_done(&other));
        [until_done(&one), other.join().unwrap()]
    });
    assert_eq!(published(&one), ["bookworm-development vrmd-whois 1", "bookworm-development vrmd-whois 2"], "{said:?}");
    one.vb(&["repo", "verify"]).ok();
}

/// A second platform like bookworm, and a second application like whois, for both.
fn add_platform_and_recipe(env: &TestEnv) {
    env.write("recipes/platforms/second.ncl", &env.read("recipes/platforms/bookworm.ncl"));
    let path = env.workspace().join("recipes/whois.lock");
    let mut lock = vb_recipe::Lock::read(&path).unwrap();
    let bookworm = lock.platforms["bookworm"].clone();
    lock.platforms.insert("second".to_owned(), bookworm);
    lock.write(&path).unwrap();
    lock.write(&path.with_file_name("other.lock")).unwrap();
    env.edit(RECIPE, "platforms = [\"bookworm\"]", "platforms = [\"bookworm\", \"second\"]");
    let own =
        env.read(RECIPE).replace("name = \"whois\"", "name = \"other\"").replace("services.whois", "services.other");
    env.write("recipes/other.ncl", &own);
    env.commit();
}

#[test]
fn a_push_of_several_recipes_for_several_platforms_changes_each_channel_once_or_none() {
    // A bill of materials beside each package is no package.
    let env = with_repository("sbom = true,");
    add_platform_and_recipe(&env);
    let all = ["push", RECIPE, "recipes/other.ncl"];
    let module = env.read(MODULE);
    env.edit("recipes/other.ncl", "source = 'Path \"apps/whois\"", "source = 'Path \"apps/broken\"");
    env.git(&["mv", "recipes/apps/whois", "recipes/apps/broken"]);
    env.git(&["checkout", "HEAD", "--", "recipes/apps/whois"]);
    env.write("recipes/apps/broken/whois_server/protocol.py", "import not_there_at_all\n");
    env.commit();
    assert!(env.vb(&all).expect(1).stderr.contains("vb::push::build"));
    assert_eq!(published(&env), [""; 0], "one package of four could not be built");

    env.write("recipes/apps/broken/whois_server/protocol.py", &module);
    env.commit();
    let pushed = env.vb(&all).ok().stdout;
    assert_eq!(
        pushed,
        "bookworm-development  0  add vrmd-whois 1.0.0, vrmd-other 1.0.0\n\
         second-development  0  add vrmd-whois 1.0.0, vrmd-other 1.0.0\n"
    );
    assert_eq!(env.vb(&["repo", "history"]).ok().stdout.lines().count(), 2);
    env.vb(&["repo", "verify"]).ok();

    // One of each channel goes on by what another channel holds, one is built.
    drop(env.git(&["tag", "v1.0.0"]));
    env.vb(&["repo", "remove", "vrmd-other", "--channel", "development", "--platform", "second"]).ok();
    let tagged = env.vb(&all).ok().stdout;
    assert_eq!(
        tagged,
        "bookworm-staging  0  promote vrmd-whois 1.0.0, vrmd-other 1.0.0 from development\n\
         second-staging  0  add vrmd-whois 1.0.0, vrmd-other 1.0.0\n"
    );
    assert!(env.vb(&all).ok().stdout.lines().all(|line| line.ends_with(" is published already, nothing to do")));
}

#[test]
fn a_build_number_without_a_repository_is_refused_at_its_line() {
    let env = TestEnv::new();
    env.edit("recipes/workspace.ncl", "} | vb.Workspace", "  version = 'BuildNumber,\n} | vb.Workspace");
    let run = env.vb(&["build", RECIPE]).expect(3);
    assert!(run.stderr.contains("vb::version::no_repository"), "{}", run.stderr);
    assert!(run.stderr.contains("version = 'BuildNumber"), "{}", run.stderr);
}
