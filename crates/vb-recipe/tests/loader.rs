//! What a loader keeps to, whatever is in the files that it is given.

use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use tempfile::TempDir;
use vb_graph::BlobDigest;
use vb_recipe::{Code, Loader, Memory, RecipeErrors, WORKSPACE_FILE, find_root, lock_path};

const WORKSPACE: &str = "{ maintainer = \"Jane Doe <jane@example.org>\" }";

/// A workspace with these files below its root.
fn workspace(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    for (name, text) in [("recipes/workspace.ncl", WORKSPACE)].iter().chain(files) {
        let path = dir.path().join(name);
        let written = fs_err::create_dir_all(path.with_file_name("")).and_then(|()| fs_err::write(path, text));
        written.expect("a temporary directory can be written to");
    }
    dir
}

fn codes(errors: &RecipeErrors) -> Vec<Code> {
    errors.diagnostics().iter().map(vb_recipe::RecipeDiagnostic::kind).collect()
}

#[test]
fn the_projects_own_recipes_are_right() {
    let root = find_root(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let loader = Loader::new(&root).unwrap();
    let workspace = loader.workspace().unwrap();
    let platforms = loader.platforms().unwrap();
    let recipes = loader.recipes(&loader.recipe_paths().unwrap()).unwrap();
    assert_eq!(workspace.value.prefix, "/vrmd");
    assert_eq!(platforms.get("bookworm").unwrap().value.name, "bookworm");
    let whois = recipes.iter().find(|recipe| recipe.value.name == "whois").unwrap();
    assert_eq!(whois.value.package_name(&workspace.value), "vrmd-whois");
    assert_eq!(whois.source_dir(), root.join("recipes/apps/whois"));
    assert_eq!(whois.place("python"), "recipes/whois.ncl:15");
    let interpreter =
        platforms.get("bookworm").unwrap().value.interpreter(whois.value.python.system().unwrap()).unwrap();
    assert_eq!(interpreter.command, "/usr/bin/python3.11");
}

#[test]
fn a_file_nested_too_deeply_is_an_error_and_the_deepest_allowed_one_no_crash() {
    // What opens and what closes one level around a value, and how many tokens that is.
    let levels = [
        ("[", "]", 1),
        ("(", ")", 1),
        ("{ a = ", "}", 3),
        ("!", "", 1),
        ("1 + ", "", 2),
        ("let a = 1 in ", "", 6),
        ("if true then ", " else 1", 5),
        ("fun a => ", "", 3),
        ("\"%{", "}\"", 2),
        ("'A (", ")", 2),
        ("x |> ", "", 2),
        ("x ", "", 1),
        ("x.", "x", 2),
    ];
    let mut files = Vec::new();
    for (index, (open, close, tokens)) in levels.into_iter().enumerate() {
        for (size, count) in [("allowed", 1900 / tokens), ("deep", 20_000)] {
            let text = format!("{{ name = let x = 1 in {}1{} }}", open.repeat(count), close.repeat(count));
            files.push((format!("recipes/{size}{index}.ncl"), text));
        }
    }
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let dir = workspace(&files);
    let loader = Loader::new(dir.path()).unwrap();
    for (name, _) in files {
        let errors = loader.recipes(&[dir.path().join(name)]).unwrap_err();
        assert_eq!(codes(&errors).contains(&Code::TooDeep), name.contains("deep"), "{name}: {errors:?}");
    }
}

#[test]
fn an_import_is_read_only_when_it_is_a_file_of_the_workspace() {
    let outside = tempfile::tempdir().unwrap();
    fs_err::write(outside.path().join("secret.ncl"), "{}").unwrap();
    let outside_name = outside.path().join("secret.ncl");
    let recipe =
        |import: &str| format!("{{ name = \"hello\", source = 'Path \"a\", variables = import \"{import}\" }}");
    let dir = workspace(&[
        ("recipes/absolute.ncl", &recipe(outside_name.to_str().unwrap())),
        ("recipes/link.ncl", &recipe("linked.ncl")),
        ("recipes/indirect.ncl", &recipe("shared.ncl")),
        ("recipes/shared.ncl", &format!("import {outside_name:?}")),
        ("recipes/escaped.ncl", &recipe(&outside_name.to_str().unwrap().replace('/', "\\u{2f}"))),
        ("recipes/fifo.ncl", &recipe("pipe.ncl")),
        ("recipes/inside.ncl", &recipe("../company.json")),
        ("company.json", "{ \"A\": \"b\" }"),
    ]);
    std::os::unix::fs::symlink(&outside_name, dir.path().join("recipes/linked.ncl")).unwrap();
    let made = Command::new("mkfifo").arg(dir.path().join("recipes/pipe.ncl")).status().unwrap();
    assert!(made.success());
    let loader = Loader::new(dir.path()).unwrap();
    let load = |name: &str| loader.recipes(&[dir.path().join(format!("recipes/{name}.ncl"))]);
    for name in ["absolute", "link", "indirect", "escaped"] {
        assert_eq!(codes(&load(name).unwrap_err()), [Code::ForeignImport], "{name}");
    }
    assert_eq!(codes(&load("fifo").unwrap_err()), [Code::Import]);
    let inside = load("inside").unwrap().remove(0);
    assert_eq!(inside.value.variables["A"], "b");
    let files: Vec<_> = inside.files.iter().map(|file| (file.shown.as_str(), file.digest)).collect();
    let json = BlobDigest::of(b"{ \"A\": \"b\" }");
    assert_eq!(files[1..], [("company.json", json)]);
}

#[test]
fn files_that_import_each_other_end() {
    let dir = workspace(&[
        ("recipes/a.ncl", "{ name = (import \"b.ncl\").name, source = 'Path \"x\" }"),
        ("recipes/b.ncl", "{ name = (import \"a.ncl\").name, source = 'Path \"x\" }"),
        ("recipes/c.ncl", "{ name = \"cc\", source = (import \"d.ncl\").source }"),
        ("recipes/d.ncl", "{ name = (import \"c.ncl\").name, source = 'Path \"x\" }"),
    ]);
    let loader = Loader::new(dir.path()).unwrap();
    let errors = loader.recipes(&[dir.path().join("recipes/a.ncl")]).unwrap_err();
    assert_eq!(codes(&errors), [Code::InfiniteRecursion]);
    let recipes = loader.recipes(&["c", "d"].map(|name| dir.path().join(format!("recipes/{name}.ncl")))).unwrap();
    assert_eq!(recipes[0].value, recipes[1].value);
}

#[test]
fn two_recipes_of_one_package_name_are_reported_at_the_second() {
    let recipe = |name: &str| format!("{{ name = \"{name}\", source = 'Path \".\", platforms = [\"x\"] }}");
    let dir = workspace(&[
        ("recipes/a.ncl", &recipe("foo_bar")),
        ("recipes/b.ncl", &recipe("foobar")),
        ("recipes/requirements.txt", ""),
        (
            "recipes/platforms/x.ncl",
            "{ family = 'Deb, codename = \"xx\", version = \"1\", architecture = \"amd64\", machine = \"m\",
               suites = [{ name = \"xx\" }], has_merged_usr = true, glibc = \"2.36\", base = [], toolchain = [],
               interpreters.\"3.11\" = { command = \"/p\", packages = [], depends = [] }, default_python = \"3.11\" }",
        ),
    ]);
    let loader = Loader::new(dir.path()).unwrap();
    let recipes = loader.recipes(&loader.recipe_paths().unwrap()).unwrap();
    let diagnostics = vb_recipe::check(&loader.workspace().unwrap(), &recipes, &loader.platforms().unwrap());
    let shown: Vec<_> = diagnostics.iter().map(|error| (error.file().unwrap(), error.to_string())).collect();
    let message = "the package `vrmd-foobar` is also that of `recipes/a.ncl:1`".to_owned();
    assert_eq!(shown, [("recipes/b.ncl", message)]);
}

#[test]
fn errors_of_platform_and_workspace_files_point_at_them() {
    let dir = workspace(&[
        ("recipes/workspace.ncl", "{ maintainer = \"nobody\", prefx = \"/srv\" }"),
        ("recipes/platforms/bookworm.ncl", "{ suites = [{ components = [\"main\"], nme = \"x\" }] }"),
    ]);
    let loader = Loader::new(dir.path()).unwrap();
    let errors = loader.workspace().unwrap_err();
    assert_eq!(codes(&errors), [Code::WrongValue, Code::UnknownField]);
    let errors = loader.platform("bookworm").unwrap_err();
    let in_suite: Vec<_> = errors.diagnostics().iter().filter(|error| error.to_string().contains("a suite")).collect();
    assert_eq!(in_suite[0].to_string(), "a suite has no field `nme`");
    assert_eq!(in_suite[1].to_string(), "a suite has to have a field `name`");
    let errors = loader.platform("bokworm").unwrap_err();
    assert_eq!(codes(&errors), [Code::UnknownPlatform]);
}

#[test]
fn what_is_wrong_with_a_bound_index_is_told_and_its_password_is_not() {
    let dir = workspace(&[(
        "recipes/workspace.ncl",
        "{ maintainer = \"Jane Doe <jane@example.org>\", indexes = [
           { name = \"company\", packages = [\"acme-*\"], url = \"https://bob:secret@index.example/simple\" },
           { name = \"company\", packages = [], url = \"https://bob@index.example/\", directory = \"wheels\" }] }",
    )]);
    fs_err::create_dir(dir.path().join("recipes/platforms")).unwrap();
    let loader = Loader::new(dir.path()).unwrap();
    let diagnostics = vb_recipe::check(&loader.workspace().unwrap(), &[], &loader.platforms().unwrap());
    let shown: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
    let expected = [
        "the address of the index `company` in the workspace file has a password",
        "there are two indexes `company`",
        "nothing is bound to the index `company`",
        "the index `company` has an address and a directory",
    ];
    assert_eq!(shown, expected);
    let first = miette::Report::new(diagnostics[0].clone());
    assert!(!format!("{first:?}").contains("secret"));
}

#[test]
fn a_lock_is_beside_its_recipe() {
    assert_eq!(lock_path(Path::new("recipes/whois.ncl")), Path::new("recipes/whois.lock"));
}

/// A memory that lives as long as the returned map; a loader with `is_frozen` must find everything in it.
fn memory(kept: &Arc<Mutex<BTreeMap<String, String>>>, is_frozen: bool) -> Memory {
    let (recalled, remembered) = (Arc::clone(kept), Arc::clone(kept));
    Memory::new(
        move |name| recalled.lock().expect("no holder panics").get(name).cloned(),
        move |name, text| {
            assert!(!is_frozen, "`{name}` was evaluated again");
            remembered.lock().expect("no holder panics").insert(name.to_owned(), text.to_owned());
        },
    )
}

#[test]
fn what_is_remembered_is_what_was_evaluated() {
    let root = find_root(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let kept = Arc::default();
    let loaders = [false, true].map(|is_frozen| Loader::new(&root).unwrap().with_memory(memory(&kept, is_frozen)));
    let paths = loaders[0].recipe_paths().unwrap();
    let [(workspaces, platforms, recipes), again] = loaders
        .each_ref()
        .map(|loader| (loader.workspace().unwrap(), loader.platforms().unwrap(), loader.recipes(&paths).unwrap()));
    assert_eq!(again.0.value, workspaces.value);
    for platform in platforms.loaded() {
        let again = again.1.get(&platform.value.name).unwrap();
        assert_eq!((&again.value, &again.positions), (&platform.value, &platform.positions));
    }
    for (recipe, again) in recipes.iter().zip(&again.2) {
        assert_eq!((&again.value, &again.positions), (&recipe.value, &recipe.positions));
        assert_eq!((again.files.as_slice(), again.place("python")), (recipe.files.as_slice(), recipe.place("python")));
    }
    assert_eq!(kept.lock().unwrap().len(), 1 + platforms.names().count() + recipes.len());
}

#[test]
fn a_changed_import_is_evaluated_again() {
    let dir = workspace(&[("recipes/owner.ncl", "\"Jane\"")]);
    let kept = Arc::default();
    let maintainer = || {
        let loader = Loader::new(dir.path()).unwrap().with_memory(memory(&kept, false));
        loader.workspace().unwrap().value.maintainer
    };
    let file = dir.path().join(WORKSPACE_FILE);
    fs_err::write(file, "{ maintainer = \"%{import \"owner.ncl\"} Doe <doe@example.org>\" }").unwrap();
    assert_eq!(maintainer(), "Jane Doe <doe@example.org>");
    fs_err::write(dir.path().join("recipes/owner.ncl"), "\"John\"").unwrap();
    assert_eq!(maintainer(), "John Doe <doe@example.org>");
}

const PLATFORM: &str = "{ family = 'Deb, codename = \"xx\", version = \"1\", architecture = \"amd64\", machine = \"m\",
    suites = [{ name = \"xx\" }], has_merged_usr = true, glibc = \"2.36\", base = [], toolchain = [],
    interpreters.\"3.11\" = { command = \"/p\", packages = [], depends = [] }, default_python = \"3.11\" }";

#[test]
fn an_override_that_is_a_function_is_evaluated_again_when_its_platform_is_another() {
    let dir = workspace(&[(
        "recipes/a.ncl",
        "{ name = \"aa\", source = 'Path \"x\", platforms = [\"x\"],
           overrides = fun platform => { variables.GLIBC = platform.glibc } }",
    )]);
    let kept = Arc::default();
    let glibc = || {
        let loader = Loader::new(dir.path()).unwrap().with_memory(memory(&kept, false));
        let recipe = loader.recipes(&[dir.path().join("recipes/a.ncl")]).unwrap().remove(0).value;
        recipe.resolved.get("x").map(|resolved| resolved.variables["GLIBC"].clone())
    };
    assert_eq!(glibc(), None, "there is no such platform, and this is not remembered");
    let file = dir.path().join("recipes/platforms/x.ncl");
    fs_err::create_dir_all(file.parent().unwrap()).unwrap();
    fs_err::write(&file, PLATFORM).unwrap();
    assert_eq!(glibc().as_deref(), Some("2.36"));
    fs_err::write(&file, PLATFORM.replace("2.36", "2.41")).unwrap();
    assert_eq!(glibc().as_deref(), Some("2.41"));

    let frozen = Loader::new(dir.path()).unwrap().with_memory(memory(&kept, true));
    let recipe = frozen.recipes(&[dir.path().join("recipes/a.ncl")]).unwrap().remove(0);
    assert_eq!(recipe.value.resolved["x"].variables["GLIBC"], "2.41");
    assert!(recipe.files.iter().any(|read| read.path.ends_with("recipes/platforms/x.ncl")));
}
