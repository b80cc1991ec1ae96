//! Python indexes beside the public one: what is bound to one comes from there alone, and nobody else sees its password.

use std::{os::unix::fs::MetadataExt, path::Path, time::SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use fs_err as fs;

use crate::support::{Desk, PASSWORD, Run, USER};

const RECIPE: &str = Desk::RECIPE;

/// Looks for the password in every file that was written since the test began.
fn assert_nothing_has_the_password(desk: &Desk) {
    let begun = desk.begun.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let count = search(desk.env.store(), begun) + search(desk.env.directory(), begun);
    assert!(count > 100, "only {count} files were searched");
}

/// Runs with a password, and looks at what is printed.
fn run(desk: &Desk, arguments: &[&str], url: &str, password: &str) -> Run {
    let run = desk.run_with(arguments, url, password);
    assert_has_no_secret("what was printed", format!("{}{}", run.stdout, run.stderr).as_bytes());
    run
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
        assert!(memchr::memmem::find(bytes, form).is_none(), "{place} has the password");
    }
}

#[test]
fn what_is_bound_to_an_index_comes_from_there_alone_and_the_password_is_nowhere() {
    let desk = Desk::new("");
    let private = desk.serve();
    let refused = run(&desk, &["lock", RECIPE], &private.url(), "wrong").expect(4);
    for words in ["vb::lock::python_index", "HTTP status 401", "docs/indexes.md", &private.host()] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    run(&desk, &["lock", RECIPE], &private.url(), PASSWORD).ok();
    assert_eq!(desk.locked(), ["acme-base 1.0 company", "acme-tool 1.0 company", "one 1.0 -"]);
    let text = desk.env.read(Desk::LOCK);
    assert!(!text.contains("127.0.0.1") && !text.contains("://"), "{text}");
    assert_eq!(private.asked(), ["acme", "acme_base", "acme_tool"]);
    assert_eq!(desk.public.asked(), ["one"]);

    let refused = run(&desk, &["build", RECIPE], &private.url(), "wrong").expect(4);
    assert!(refused.stderr.contains("vb::fetch::unauthorized"), "{}", refused.stderr);
    let url = private.url();
    drop(private);
    let gone = run(&desk, &["--json", "build", RECIPE], &url, PASSWORD).expect(4);
    assert!(gone.stderr.contains("vb::fetch::not_located"), "{}", gone.stderr);
    let private = desk.serve();
    run(&desk, &["plan", RECIPE], &private.url(), PASSWORD).ok();
    run(&desk, &["--json", "build", RECIPE], &private.url(), PASSWORD).ok();
    run(&desk, &["why", RECIPE], &private.url(), PASSWORD).ok();
    assert_eq!(desk.public.asked(), ["one"]);
    assert_nothing_has_the_password(&desk);

    desk.env.edit("recipes/workspace.ncl", "\"acme-*\"", "\"acme-tool\"");
    let unbound = run(&desk, &["build", RECIPE], &private.url(), PASSWORD).expect(3);
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
    assert_nothing_has_the_password(&desk);
}
