//! Action results, fetched files and remembered values.

use fs_err as fs;
use vb_graph::{BlobDigest, Sha256};
use vb_store::{FetchedFile, OpenError, Store};

use crate::fixture::{Entry, Fixture, action, alter, result, truncate};

#[test]
fn an_action_result_is_found_by_its_key_and_its_label() {
    let fixture = Fixture::new();
    let output = fixture.ingest("tree", &Entry::directory([]));
    let (first, second) = (result("first", output.clone(), None), result("second", output, None));
    for result in [&first, &second] {
        fixture.store.put_action_result(&result.action.digest(), result).unwrap();
    }
    let key = action("first").digest();
    assert_eq!(fixture.store.action_result(&key), Some(first.clone()));
    assert_eq!(fixture.store.latest_action(&first.label), Some(key));
    assert_eq!(fixture.store.latest_action(&second.label), Some(action("second").digest()));
    assert_eq!(fixture.store.latest_action("another label"), None);
    fixture.store.remove_action_result(&key).unwrap();
    fixture.store.remove_action_result(&key).unwrap();
    assert_eq!(fixture.store.action_result(&key), None);
    assert_eq!(fixture.store.action_result(&second.action.digest()), Some(second));
}

#[test]
fn a_damaged_action_result_is_none() {
    for damage in [alter, truncate] {
        let fixture = Fixture::new();
        let result = result("it", fixture.ingest("tree", &Entry::directory([])), None);
        let key = result.action.digest();
        fixture.store.put_action_result(&key, &result).unwrap();
        damage(&fixture.place("results", &key));
        assert_eq!(fixture.store.action_result(&key), None);
    }
}

#[test]
fn a_fetched_file_is_found_while_its_blob_is_there() {
    let fixture = Fixture::new();
    let sha256 = Sha256::from_bytes([7; 32]);
    assert_eq!(fixture.store.fetched_file(&sha256), None);
    let file = FetchedFile { blob: fixture.store.put_bytes(b"wheel").unwrap(), size: 5 };
    fixture.store.put_fetched_file(&sha256, &file).unwrap();
    assert_eq!(fixture.store.fetched_file(&sha256), Some(file));
    fs::remove_file(fixture.store.blob_path(&file.blob)).unwrap();
    assert_eq!(fixture.store.fetched_file(&sha256), None);
    fixture.store.put_bytes(b"wheel").unwrap();
    fixture.store.remove_fetched_file(&sha256).unwrap();
    assert_eq!(fixture.store.fetched_file(&sha256), None);
}

fn memory_of(fixture: &Fixture, name: &str) -> std::path::PathBuf {
    fixture.place("memory", &BlobDigest::of(name.as_bytes()))
}

#[test]
fn a_remembered_value_comes_back_and_a_damaged_one_is_none() {
    let fixture = Fixture::new();
    let names: Vec<String> = (0..6).map(|index| format!("name {index}")).collect();
    for name in &names {
        fixture.store.remember(name, &vec![name.clone()]).unwrap();
        assert_eq!(fixture.store.recall(name), Some(vec![name.clone()]));
    }
    let paths: Vec<_> = names.iter().map(|name| memory_of(&fixture, name)).collect();
    alter(&paths[0]);
    truncate(&paths[1]);
    fs::write(&paths[2], "").unwrap();
    fs::write(&paths[3], [0xff; 200]).unwrap();
    fs::remove_file(&paths[4]).unwrap();
    for name in &names[..5] {
        assert_eq!(fixture.store.recall::<Vec<String>>(name), None, "{name}");
    }
    assert_eq!(fixture.store.recall::<u64>(&names[5]), None);
    assert_eq!(fixture.store.recall(&names[5]), Some(vec![names[5].clone()]));
}

#[test]
fn a_store_of_another_layout_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("version"), "vb store 9\n").unwrap();
    let error = Store::open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::Version { found, .. } if found == "vb store 9"));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_store_that_was_half_made_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("blobs")).unwrap();
    let blob = Store::open(directory.path()).unwrap().put_bytes(b"1").unwrap();
    assert!(Store::open(directory.path()).unwrap().has_blob(&blob, 1));
}
