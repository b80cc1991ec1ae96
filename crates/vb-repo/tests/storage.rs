//! What every storage does, whatever it is made of.

#![expect(clippy::unwrap_used, reason = "a broken fixture must fail its test")]

use std::io::Read;

use vb_repo::{Expected, LocalDirectory, LockKind, ObjectStorage, PutOutcome, SshDirectory, Storage, Transfer};

/// Calls `check` with an empty storage of each kind.
fn each(check: impl Fn(&Storage)) {
    let directory = tempfile::tempdir().unwrap();
    check(&Storage::Local(LocalDirectory::new(directory.path().to_owned())));
    check(&Storage::Object(ObjectStorage::in_memory().unwrap()));
    check(&Storage::Ssh(far(&directory.path().join("far away's"))));
}

/// The scripts of a directory behind ssh, run by the shell of this machine: it gets the words that sshd's would.
fn far(directory: &std::path::Path) -> SshDirectory {
    let program = ["sh", "-c", "shift; eval \"$2\"", "sshd"].map(str::to_owned).to_vec();
    SshDirectory::through(program, "host", directory.to_str().unwrap())
}

fn names(storage: &Storage, directory: &str) -> Vec<String> {
    let mut names: Vec<String> = storage.list(directory).unwrap().into_iter().map(|object| object.name).collect();
    names.sort();
    names
}

#[test]
fn what_was_put_is_there_and_what_was_not_is_no_error() {
    each(|storage| {
        assert_eq!(storage.get("pool/a/b").unwrap(), None);
        assert_eq!(storage.metadata("pool/a/b").unwrap(), None);
        assert!(storage.open("pool/a/b").unwrap().is_none());
        assert_eq!(storage.list("pool").unwrap(), []);
        storage.delete("pool/a/b").unwrap();
        storage.put("pool/a/b", b"one").unwrap();
        storage.put("pool/a/b", b"two!").unwrap();
        let (bytes, token) = storage.get("pool/a/b").unwrap().unwrap();
        assert_eq!(bytes, b"two!");
        let metadata = storage.metadata("pool/a/b").unwrap().unwrap();
        assert_eq!((metadata.name.as_str(), metadata.size, &metadata.token), ("pool/a/b", 4, &token));
        storage.delete("pool/a/b").unwrap();
        assert_eq!(storage.get("pool/a/b").unwrap(), None);
    });
}

#[test]
fn a_list_has_the_whole_names_of_what_is_below_a_directory_alone() {
    each(|storage| {
        for name in ["pool/a/b", "pool/a/c/d", "poolside/a", "state/a b+c~d%"] {
            storage.put(name, b"").unwrap();
        }
        assert_eq!(names(storage, "pool"), ["pool/a/b", "pool/a/c/d"]);
        assert_eq!(names(storage, "pool/"), ["pool/a/b", "pool/a/c/d"]);
        assert_eq!(names(storage, "state"), ["state/a b+c~d%"]);
    });
}

#[test]
fn a_conditional_put_succeeds_once() {
    each(|storage| {
        let absent = Expected::Absent;
        assert_eq!(storage.put_if("state/p", b"1", &absent).unwrap(), PutOutcome::Written);
        assert_eq!(storage.put_if("state/p", b"2", &absent).unwrap(), PutOutcome::Refused);
        let first = Expected::Unchanged(storage.get("state/p").unwrap().unwrap().1);
        assert_eq!(storage.put_if("state/p", b"3", &first).unwrap(), PutOutcome::Written);
        assert_eq!(storage.put_if("state/p", b"4", &first).unwrap(), PutOutcome::Refused);
        assert_eq!(storage.get("state/p").unwrap().unwrap().0, b"3");
        storage.delete("state/p").unwrap();
        assert_eq!(storage.put_if("state/p", b"5", &first).unwrap(), PutOutcome::Refused);
        assert_eq!(storage.get("state/p").unwrap(), None);
    });
}

#[test]
fn of_many_conditional_puts_at_once_each_builds_on_the_one_before() {
    each(|storage| {
        storage.put("state/count", b"0").unwrap();
        let count_up = || {
            let mut left = 25;
            while left > 0 {
                let (bytes, token) = storage.get("state/count").unwrap().unwrap();
                let next = String::from_utf8(bytes).unwrap().parse::<u32>().unwrap() + 1;
                let put = storage.put_if("state/count", next.to_string().as_bytes(), &Expected::Unchanged(token));
                left -= u32::from(put.unwrap() == PutOutcome::Written);
            }
        };
        std::thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(count_up)));
        });
        assert_eq!(storage.get("state/count").unwrap().unwrap().0, b"100");
    });
}

#[test]
fn a_file_of_many_parts_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("package");
    // More than two parts, and no part is like another.
    let content: Vec<u8> = (0_u32..5 << 20).flat_map(|number| (number * 7).to_le_bytes()).collect();
    fs_err::write(&file, &content).unwrap();
    each(|storage| {
        storage.put_immutable_file("pool/package", &file, Transfer::Copy).unwrap();
        storage.put_immutable_file("pool/package", &file, Transfer::Copy).unwrap();
        let mut back = Vec::new();
        storage.open("pool/package").unwrap().unwrap().read_to_end(&mut back).unwrap();
        assert!(back == content);
        storage.copy("pool/package", "pool/copy").unwrap();
        storage.copy("pool/package", "pool/copy").unwrap();
        assert!(storage.get("pool/copy").unwrap().unwrap().0 == content);
    });
}

#[test]
fn a_lock_keeps_out_who_is_far_away_and_who_is_near() {
    let directory = tempfile::tempdir().unwrap();
    let near = Storage::Local(LocalDirectory::new(directory.path().to_owned()));
    let far = Storage::Ssh(far(directory.path()));
    near.put("count", b"0").unwrap();
    // Without the lock, counts would be lost: these are no conditional puts.
    let count_up = |storage: &Storage| {
        for _ in 0..20 {
            let _lock = storage.lock("counting", LockKind::Exclusive).unwrap().unwrap();
            let (bytes, _) = storage.get("count").unwrap().unwrap();
            let next = String::from_utf8(bytes).unwrap().parse::<u32>().unwrap() + 1;
            storage.put("count", next.to_string().as_bytes()).unwrap();
        }
    };
    std::thread::scope(|scope| {
        for storage in [&near, &far, &far] {
            scope.spawn(|| count_up(storage));
        }
    });
    assert_eq!(near.get("count").unwrap().unwrap().0, b"60");
}
