//! Platform files: what they may say, and what is wrong across their fields.

#![expect(clippy::unwrap_used, reason = "a broken fixture must fail its test")]

use std::path::Path;

use expect_test::expect_file;
use tempfile::TempDir;
use vb_graph::{Compression, Format};
use vb_recipe::{Configure, Evaluated, Family, Image, Loader, Pin, Platform, RecipeErrors, check, find_root};

const WORKSPACE: &str = "{ maintainer = \"Jane Doe <jane@example.org>\" }";

/// A workspace with one platform, `p`; the fields that all platforms have are filled in.
fn workspace(fields: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs_err::create_dir_all(dir.path().join("recipes/platforms")).unwrap();
    fs_err::write(dir.path().join("recipes/workspace.ncl"), WORKSPACE).unwrap();
    let text = format!(
        "{{ codename = \"pp\", version = \"1\", architecture = \"x86_64\", machine = \"x86_64\",
            has_merged_usr = true, glibc = \"2.36\", base = [], toolchain = [], default_python = \"3.11\",
            interpreters.\"3.11\" = {{ command = \"/usr/bin/python3.11\", packages = [], depends = [] }},
            {fields} }}"
    );
    fs_err::write(dir.path().join("recipes/platforms/p.ncl"), text).unwrap();
    dir
}

fn load(fields: &str) -> Result<Evaluated<Platform>, RecipeErrors> {
    let dir = workspace(fields);
    let loader = Loader::new(dir.path()).unwrap();
    let platform = loader.platform("p")?;
    let workspace = loader.workspace().unwrap();
    let platforms = [platform.clone()].into_iter().collect();
    RecipeErrors::check(check(&workspace, &[], &platforms))?;
    Ok(platform)
}

fn errors(fields: &str) -> Vec<String> {
    let errors = load(fields).unwrap_err().into_diagnostics();
    errors.iter().map(|error| format!("{}: {error}", error.kind())).collect()
}

#[test]
fn a_platform_of_rpm_packages_has_repositories_and_its_own_format() {
    let platform = load("family = 'Rpm, repositories = [{ name = \"baseos\", path = \"BaseOS\" }, { name = \"crb\" }]");
    let platform = platform.unwrap().value;
    assert_eq!((platform.family, platform.name.as_str()), (Family::Rpm, "p"));
    assert_eq!(platform.repositories[0].path, "BaseOS");
    assert_eq!(platform.repositories[1].path, "");
    assert_eq!(platform.output.formats, [Format::Rpm]);
    assert_eq!(platform.output.rpm.compression, Compression::Zstd);
    assert_eq!(platform.output.deb.compression, Compression::Xz);
}

#[test]
fn only_roots_of_deb_packages_are_made_without_scripts() {
    let deb = load("family = 'Deb, suites = [{ name = \"x\" }], configure = 'Unpack").unwrap().value;
    assert_eq!(deb.configure, Configure::Unpack);
    let rpm = errors("family = 'Rpm, repositories = [{ name = \"x\" }], configure = 'Unpack");
    assert_eq!(rpm, ["vb::recipe::wrong_value: only roots of `.deb` packages can be made without their scripts"]);
    assert!(errors("family = 'Deb, suites = [{ name = \"x\" }], configure = 'Half")[0].contains("wrong_value"));
}

#[test]
fn a_root_can_be_given_whole_as_an_archive_or_a_layout() {
    let digest = "ab".repeat(32);
    let archive =
        load(&format!("family = 'Rpm, image = 'Archive {{ file = \"/srv/el9.tar.xz\", sha256 = \"{digest}\" }}"));
    let Some(Image::Archive { file, sha256 }) = archive.unwrap().value.image else { panic!("no archive") };
    assert_eq!((file.as_str(), sha256.to_string()), ("/srv/el9.tar.xz", digest.clone()));
    let layout =
        load(&format!("family = 'Deb, image = 'OciLayout {{ path = \"/srv/el9\", digest = \"sha256:{digest}\" }}"));
    let image = layout.unwrap().value.image.unwrap();
    let text = serde_json::to_string(&image).unwrap();
    assert_eq!(serde_json::from_str::<Image>(&text).unwrap(), image, "it can be remembered");
    let Image::OciLayout { path, digest: read } = image else { panic!("no layout") };
    assert_eq!((path.as_str(), read.to_string()), ("/srv/el9", digest));
}

#[test]
fn an_image_without_a_good_digest_is_refused() {
    let bad = errors("family = 'Rpm, image = 'Archive { file = \"/srv/el9.tar\", sha256 = \"abc\" }");
    assert_eq!(bad, ["vb::recipe::wrong_value: `abc` is not a SHA-256"]);
    let bad = errors("family = 'Rpm, image = 'Tarball \"x\"");
    assert_eq!(bad, ["vb::recipe::wrong_value: `'Tarball` is not an image"]);
}

#[test]
fn pins_name_a_suite_of_the_platform() {
    let suites = "family = 'Deb, suites = [{ name = \"s\" }, { name = \"s-backports\" }]";
    let pin = |suite: &str| format!("pins = [{{ packages = [\"python3*\"], suite = \"{suite}\", priority = -1 }}]");
    let platform = load(&format!("{suites}, {}", pin("s-backports"))).unwrap().value;
    let expected = Pin { packages: vec!["python3*".to_owned()], suite: "s-backports".to_owned(), priority: -1 };
    assert_eq!(platform.pins, [expected]);
    let wrong = errors(&format!("{suites}, {}", pin("t")));
    assert_eq!(wrong, ["vb::recipe::unknown_suite: the platform has no suite `t`"]);
}

#[test]
fn a_platform_without_an_archive_or_an_image_is_refused() {
    for family in ["'Deb", "'Rpm"] {
        let wrong = errors(&format!("family = {family}"));
        assert_eq!(wrong, ["vb::recipe::no_archive: the platform `p` has nothing that its roots are made of"]);
    }
}

#[test]
fn a_refused_format_has_a_reason_and_is_not_asked_for() {
    let family = "family = 'Rpm, repositories = [{ name = \"a\" }]";
    let platform = load(&format!("{family}, output = {{ formats = [\"tar\"], refused.rpm = \"it is too old\" }}"));
    assert_eq!(platform.unwrap().value.output.refused[&Format::Rpm], "it is too old");
    let wrong = errors(&format!("{family}, output = {{ formats = [\"rpm\"], refused.rpm = \"it is too old\" }}"));
    assert_eq!(wrong, ["vb::recipe::refused_format: the platform refuses the format `rpm` that it asks for"]);
}

#[test]
fn misspelled_fields_of_the_output_policy_are_shown() {
    let wrong =
        errors("family = 'Rpm, image = 'Archive 1, output = { debs = {}, rpm.compresion = 'Xz, refused.dep = \"x\" }");
    for message in ["`output` has no field `debs`", "`rpm` has no field `compresion`", "`refused` has no field `dep`"] {
        assert!(wrong.contains(&format!("vb::recipe::unknown_field: {message}")), "{message}: {wrong:?}");
    }
}

/// The platforms of the project as a table in Markdown.
fn table() -> String {
    let root = find_root(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let platforms = Loader::new(&root).unwrap().platforms().unwrap();
    let mut text = String::from(
        "| platform | release | architecture | glibc | Pythons | written by default | `.deb` | `.rpm` |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for platform in platforms.loaded().map(|platform| &platform.value) {
        let output = &platform.output;
        let own = |version: &&str| {
            if *version == platform.default_python { format!("**{version}**") } else { (*version).to_owned() }
        };
        let pythons: Vec<String> = platform.python_versions().iter().map(own).collect();
        let formats: Vec<String> = output.formats.iter().map(|format| format!("`{format}`")).collect();
        let written = |format: Format, compression: Compression| match output.refused.get(&format) {
            Some(reason) => format!("refused: {reason}"),
            None => compression.extension().to_owned(),
        };
        let cells = [
            format!("`{}`", platform.name),
            format!("{} {}", platform.distribution.as_deref().unwrap_or_default(), platform.version),
            platform.architecture.clone(),
            platform.glibc.clone(),
            pythons.join(", "),
            formats.join(", "),
            written(Format::Deb, output.deb.compression),
            written(Format::Rpm, output.rpm.compression),
        ];
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

#[test]
fn the_documented_table_of_platforms_is_what_their_files_say() {
    let path = find_root(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap().join("docs/platforms.md");
    let text = fs_err::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("<!-- platforms -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /platforms -->").unwrap();
    expect_file![path].assert_eq(&format!("{before}<!-- platforms -->\n{}<!-- /platforms -->{after}", table()));
}

#[test]
fn the_project_has_the_platforms_that_it_says_it_has() {
    let root = find_root(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let names = Loader::new(&root).unwrap().platform_names().unwrap();
    let debian = ["bullseye", "bookworm", "trixie", "forky", "sid"];
    let ubuntu = ["precise", "trusty", "xenial", "bionic", "focal", "jammy", "noble"];
    let rpm = ["el7", "el8", "el9", "fedora44"];
    for name in debian.iter().chain(&ubuntu).chain(&rpm) {
        assert!(names.iter().any(|known| known == name), "{name} is not there");
    }
}
