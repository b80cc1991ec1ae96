//! A repository on a server that one reaches by ssh.

use fs_err as fs;
use vb_testkit::archive::{Compression, Package};

use crate::support::{Run, SshServer, TestEnv};

const PUBLISHERS: usize = 3;

#[test]
fn publishers_far_away_and_on_the_server_keep_one_repository_by_ssh() {
    let env = TestEnv::new();
    let server = SshServer::start();
    let (far, near) = server.place("repo");
    let near = near.display().to_string();
    let vb = |arguments: &[&str]| {
        let mut command = env.command(arguments);
        server.show(&mut command);
        Run::of(&mut command).ok().stdout
    };
    vb(&["key", "new", "key.asc", "--user", "test <test@example.org>"]);
    vb(&["repo", "init", &far, "--key", "key.asc"]);
    let directory = env.workspace().join("dist/bookworm");
    fs::create_dir_all(&directory).unwrap();
    std::thread::scope(|scope| {
        for number in 0..PUBLISHERS {
            // One of them works on the server itself.
            let place = if number == 0 { &near } else { &far };
            let package = Package::new(&format!("package-{number}"), "1.0")
                .field("Maintainer", "test <test@example.org>")
                .field("Description", "one of some")
                .compression(Compression::Plain);
            let path = directory.join(format!("package-{number}_1.0_amd64.deb"));
            fs::write(&path, package.to_deb()).unwrap();
            let vb = &vb;
            scope.spawn(move || vb(&["repo", "add", place, path.to_str().unwrap()]));
        }
    });
    vb(&["repo", "promote", "package-1", "--from", "development", "--to", "production", "--repo", &far]);
    let list = vb(&["repo", "list", &far]);
    assert_eq!(list.lines().count(), PUBLISHERS + 1, "{list}");
    assert_eq!(list, vb(&["repo", "list", &near]));
    vb(&["repo", "verify", &far]);
    vb(&["repo", "verify", &near]);
}
