//! Python indexes beside the public one: what is bound to one comes from there alone, and nobody else sees its password.

use std::{os::unix::fs::MetadataExt, path::Path, process::Command, time::SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use fs_err as fs;
use vb_recipe::{DistributionLock, Lock};

use crate::support::{IndexServer, Mirror, Run, TestEnv, write_wheel, write_wheel_requiring};

const RECIPE: &str = "recipes/desk.ncl";
const LOCK: &str = "recipes/desk.lock";

/// Its roots are those of `whois`.
const TEXT: &str = r#"let vb = import "vb.ncl" in
{
  name = "desk",
  source = 'Path "apps/desk",
  version = 'Fixed "1.0",
  python = "3.11",
  build_deps = ["libpq-dev"],
  run_deps = ["adduser", "libpq5", "runit"],
  platforms = ["bookworm"],
} | vb.Recipe
"#;

const USER: &str = "bob";
const PASSWORD: &str = "s3cr/t@Xyzzy-42";

/// An application that needs `acme-tool`, which needs `acme-base` and `one`.
struct Desk {
    env: TestEnv,
    private: std::path::PathBuf,
    public: IndexServer,
    begun: SystemTime,
    _mirror: Mirror,
}

impl Desk {
    /// `index` is what the workspace says of the index `company` beside its name and names.
    fn new(index: &str) -> Self {
        let (env, mirror) = (TestEnv::new(), Mirror::of_whois());
        mirror.use_in(&env);
        let [private, public] = ["private", "public"].map(|name| env.directory().join(name));
        [&private, &public].into_iter().for_each(|directory| fs::create_dir(directory).unwrap());
        // No other run has files of these bytes, so that each has to be fetched.
        let nonce = format!("NONCE = '{}'\n", env.directory().display());
        write_wheel_requiring(&private, ("acme_tool", "1.0"), &["acme-base", "one"], &[("acme_tool.py", &nonce)]);
        write_wheel(&private, "acme_base", "1.0", &[("acme_base.py", &nonce)]);
        write_wheel(&private, "one", "9.0", &[("one.py", "")]);
        write_wheel(&public, "one", "1.0", &[("one.py", &nonce)]);
        write_wheel(&public, "acme_tool", "99.0", &[("acme_tool.py", "")]);
        write_wheel(&mirror.links(), "acme_base", "99.0", &[("acme_base.py", "")]);
        let public = IndexServer::start(&public, None);
        let bound = format!("indexes = [{{ name = \"company\", packages = [\"acme-*\"]{index} }}]");
        let open = format!("python_indexes = [\"{}\"],\n  {bound},", public.url());
        env.edit("recipes/workspace.ncl", "python_indexes = [],", &open);
        env.write(RECIPE, TEXT);
        env.write("recipes/apps/desk/requirements.txt", "acme-tool\n");
        env.write("recipes/apps/desk/desk.py", "import acme_base\nimport acme_tool\nimport one\n");
        fs::create_dir(env.directory().join("tmp")).unwrap();
        Self { env, private, public, begun: SystemTime::now(), _mirror: mirror }
    }

    /// Starts the private index.
    fn serve(&self) -> IndexServer {
        IndexServer::start(&self.private, Some(&format!("{USER}:{PASSWORD}")))
    }

    fn command(&self, arguments: &[&str], url: &str) -> Command {
        let mut command = self.env.command(arguments);
        command.env("VB_INDEX_COMPANY_URL", url).env("TMPDIR", self.env.directory().join("tmp"));
        command
    }

    /// Runs with the login in the environment.
    fn run(&self, arguments: &[&str], url: &str, password: &str) -> Run {
        let mut command = self.command(arguments, url);
        let run = Run::of(command.env("VB_INDEX_COMPANY_USERNAME", USER).env("VB_INDEX_COMPANY_PASSWORD", password));
        assert_has_no_secret("what was printed", format!("{}{}", run.stdout, run.stderr).as_bytes());
        run
    }

    /// Returns `name version index` of what is locked.
    fn locked(&self) -> Vec<String> {
        let lock = Lock::read(&self.env.workspace().join(LOCK)).unwrap();
        let line = |locked: &DistributionLock| {
            let file = &locked.distribution;
            format!("{} {} {}", file.name, file.version, locked.index.as_deref().unwrap_or("-"))
        };
        lock.platforms["bookworm"].distributions.iter().map(line).collect()
    }

    /// Looks for the password in every file that was written since the test began.
    fn assert_nothing_has_the_password(&self) {
        let begun = self.begun.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let count = search(self.env.store(), begun) + search(self.env.directory(), begun);
        assert!(count > 100, "only {count} files were searched");
    }
}

/// Searches the files below a directory that were written since a time, and counts them. Other tests work in the store, so
/// that a file may go away meanwhile.
fn search(directory: &Path, since: u64) -> usize {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let mut count = 0;
    for entry in entries {
        let Ok(entry) = entry else { continue };
        let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
        if metadata.is_dir() {
            count += search(&entry.path(), since);
        } else if metadata.is_file() && u64::try_from(metadata.ctime()).unwrap() >= since {
            let Ok(bytes) = fs::read(entry.path()) else { continue };
            assert_has_no_secret(&entry.path().display().to_string(), &bytes);
            count += 1;
        }
    }
    count
}

fn assert_has_no_secret(place: &str, bytes: &[u8]) {
    let login = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let forms = [PASSWORD.to_owned(), "s3cr%2Ft%40Xyzzy".to_owned(), login, STANDARD.encode(PASSWORD)];
    for form in forms {
        let form = form.trim_end_matches('=').as_bytes();
        assert!(!bytes.windows(form.len()).any(|window| window == form), "{place} has the password");
    }
}

#[test]
fn what_is_bound_to_an_index_comes_from_there_alone_and_the_password_is_nowhere() {
    let desk = Desk::new("");
    let private = desk.serve();
    let refused = desk.run(&["lock", RECIPE], &private.url(), "wrong").expect(4);
    for words in ["vb::lock::python_index", "HTTP status 401", "docs/indexes.md", &private.host()] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    desk.run(&["lock", RECIPE], &private.url(), PASSWORD).ok();
    assert_eq!(desk.locked(), ["acme-base 1.0 company", "acme-tool 1.0 company", "one 1.0 -"]);
    let text = desk.env.read(LOCK);
    assert!(!text.contains("127.0.0.1") && !text.contains("://"), "{text}");
    assert_eq!(private.asked(), ["acme", "acme_base", "acme_tool"]);
    assert_eq!(desk.public.asked(), ["one"]);

    let refused = desk.run(&["build", RECIPE], &private.url(), "wrong").expect(4);
    assert!(refused.stderr.contains("vb::fetch::unauthorized"), "{}", refused.stderr);
    let url = private.url();
    drop(private);
    let gone = desk.run(&["--json", "build", RECIPE], &url, PASSWORD).expect(4);
    assert!(gone.stderr.contains("vb::fetch::not_located"), "{}", gone.stderr);
    let private = desk.serve();
    desk.run(&["plan", RECIPE], &private.url(), PASSWORD).ok();
    desk.run(&["--json", "build", RECIPE], &private.url(), PASSWORD).ok();
    desk.run(&["why", RECIPE], &private.url(), PASSWORD).ok();
    assert_eq!(desk.public.asked(), ["one"]);
    desk.assert_nothing_has_the_password();

    desk.env.edit("recipes/workspace.ncl", "\"acme-*\"", "\"acme-tool\"");
    let unbound = desk.run(&["build", RECIPE], &private.url(), PASSWORD).expect(3);
    let words = "`acme-base`: the lock has it from the index `company`, the workspace binds it to no index of its own";
    assert!(unbound.stderr.contains(words), "{}", unbound.stderr);
}

#[test]
fn logins_come_from_the_login_file_the_keyring_and_pips_configuration() {
    let desk = Desk::new("");
    let private = desk.serve();
    let login_file = desk.env.directory().join("logins");
    fs::write(&login_file, format!("machine 127.0.0.1 login {USER} password {PASSWORD}\n")).unwrap();
    let mut command = desk.command(&["lock", RECIPE], &private.url());
    Run::of(command.env("NETRC", &login_file)).ok();
    assert_eq!(desk.locked(), ["acme-base 1.0 company", "acme-tool 1.0 company", "one 1.0 -"]);

    let programs = desk.env.directory().join("bin");
    fs::create_dir(&programs).unwrap();
    let (place, host) = (private.url(), private.host());
    // It knows the host alone, and so is asked twice.
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> {}/asked\n[ \"$3\" = {USER} ] || exit 1\n[ \"$2\" = 127.0.0.1 ] && echo '{PASSWORD}'\n",
        programs.display()
    );
    let keyring = programs.join("keyring");
    fs::write(&keyring, script).unwrap();
    fs::set_permissions(&keyring, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = desk.command(&["build", RECIPE], &format!("http://{USER}@{host}/simple"));
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).env("UV_KEYRING_PROVIDER", "subprocess");
    Run::of(&mut command).ok();
    let asked = fs::read_to_string(programs.join("asked")).unwrap();
    assert_eq!(asked, format!("get {place} {USER}\nget 127.0.0.1 {USER}\n"));
}

#[test]
fn an_index_of_pips_configuration_with_a_login_is_asked_and_uv_sees_no_password() {
    let desk = Desk::new("");
    let private = desk.serve();
    let with_login = private.url().replace("://", &format!("://{USER}:s3cr%2Ft%40Xyzzy-42@"));
    let text = desk.env.read("recipes/workspace.ncl");
    let (before, rest) = text.split_once("  python_indexes = ").unwrap();
    let (_, after) = rest.split_once("],\n  find_links").unwrap();
    desk.env.write("recipes/workspace.ncl", &format!("{before}  find_links{after}"));
    desk.env.write("recipes/apps/desk/requirements.txt", "acme-base<99\n");
    let mut command = desk.env.command(&["lock", RECIPE]);
    let variables: Vec<String> = std::env::vars()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("UV_") || name.starts_with("PIP_"))
        .collect();
    for name in &variables {
        command.env_remove(name);
    }
    command.env("UV_NO_CONFIG", "1").env("PIP_CONFIG_FILE", "/dev/null");
    command.env("PIP_INDEX_URL", &with_login).env("TMPDIR", desk.env.directory().join("tmp"));
    let run = Run::of(&mut command).ok();
    assert_has_no_secret("what was printed", format!("{}{}", run.stdout, run.stderr).as_bytes());
    assert_eq!(desk.locked(), ["acme-base 1.0 -"]);
    assert_eq!(private.asked(), ["acme", "acme_base"]);
    desk.assert_nothing_has_the_password();
}
