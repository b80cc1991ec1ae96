//! `vb lock` with requirements in each form that is in use, and with what was locked before.

use std::path::Path;

use vb_recipe::Lock;

use crate::support::{Mirror, TestEnv, sha256, write_sdist, write_wheel};

const RECIPE: &str = "recipes/whois.ncl";
const REQUIREMENTS: &str = "recipes/apps/whois/requirements.txt";

/// Small wheels beside what whois needs.
struct Place {
    env: TestEnv,
    mirror: Mirror,
}

impl Place {
    fn new(requirements: &str) -> Self {
        let (env, mirror) = (TestEnv::new(), Mirror::of_whois());
        mirror.use_in(&env);
        for (name, version) in [("one", "1.0"), ("one", "2.0"), ("two", "1.0"), ("three", "1.0")] {
            write_wheel(&mirror.links(), name, version, &[(&format!("{name}.py"), "")]);
        }
        env.write(REQUIREMENTS, requirements);
        Self { env, mirror }
    }

    /// Sets fields of the recipe.
    fn set(&self, fields: &str) {
        let text = self.env.read(RECIPE);
        let text = text.split("  platforms = ").next().unwrap().to_owned();
        self.env.write(RECIPE, &format!("{text}  platforms = [\"bookworm\"],\n{fields}\n}} | vb.Recipe\n"));
    }

    /// Writes a file of the application.
    fn write(&self, path: &str, text: &str) {
        self.env.write(&format!("recipes/apps/whois/{path}"), text);
    }

    /// Locks and returns `name version` of what is in the environment.
    fn lock(&self, arguments: &[&str]) -> Vec<String> {
        self.env.vb(&[&["lock", RECIPE], arguments].concat()).ok();
        self.locked()
    }

    fn locked(&self) -> Vec<String> {
        let lock = Lock::read(&self.env.workspace().join("recipes/whois.lock")).unwrap();
        let files = lock.platforms["bookworm"].distributions.iter().map(|locked| &locked.distribution);
        files.map(|file| format!("{} {}", file.name, file.version)).collect()
    }

    /// The SHA-256 of a wheel.
    fn digest(&self, file: &str) -> String {
        sha256(&self.mirror.links().join(file))
    }

    fn refusal(&self, code: &str) -> String {
        let before = self.env.read("recipes/whois.lock");
        let run = self.env.vb(&["lock", RECIPE]).expect(3);
        assert_eq!(self.env.read("recipes/whois.lock"), before);
        assert!(run.stderr.contains(code), "{}", run.stderr);
        run.stderr
    }
}

#[test]
fn a_project_is_locked_with_the_extras_and_groups_that_the_recipe_names() {
    let place = Place::new("");
    let project = "[project]\nname = \"whois\"\nversion = \"1\"\ndependencies = [\"one<2\"]\n\
                   [project.optional-dependencies]\nmore = [\"two\"]\n[dependency-groups]\nprod = [\"three\"]\n";
    place.write("pyproject.toml", project);
    place.set("  requirements = \"pyproject.toml\",");
    assert_eq!(place.lock(&[]), ["one 1.0"]);
    place.set("  requirements = \"pyproject.toml\", extras = [\"more\"], groups = [\"prod\"],");
    let stale = place.env.vb(&["plan", RECIPE]).expect(3);
    assert!(stale.stderr.contains("`extras`: the lock has nothing, the recipe has `more`"), "{}", stale.stderr);
    assert_eq!(place.lock(&[]), ["one 1.0", "three 1.0", "two 1.0"]);
    place.write("pyproject.toml", &project.replace("version = \"1\"", "version = \"2\""));
    place.env.vb(&["plan", RECIPE]).ok();
    place.write("pyproject.toml", &project.replace("one<2", "one"));
    place.env.vb(&["plan", RECIPE]).expect(3);
}

#[test]
fn locks_of_other_tools_are_taken_as_they_are() {
    let place = Place::new("");
    let (one, two) = (place.digest("one-1.0-py3-none-any.whl"), place.digest("two-1.0-py3-none-any.whl"));
    place.write(
        "pylock.toml",
        &format!(
            "lock-version = \"1.0\"\ncreated-by = \"test\"\nextras = [\"more\"]\n\
             [[packages]]\nname = \"one\"\nversion = \"1.0\"\nwheels = [{{ name = \"one-1.0-py3-none-any.whl\", hashes = {{ sha256 = \"{one}\" }} }}]\n\
             [[packages]]\nname = \"two\"\nversion = \"1.0\"\nmarker = \"'more' in extras and python_version >= '3.9'\"\n\
             wheels = [{{ name = \"two-1.0-py3-none-any.whl\", hashes = {{ sha256 = \"{two}\" }} }}]\n\
             [[packages]]\nname = \"three\"\nversion = \"1.0\"\nmarker = \"sys_platform == 'win32'\"\n\
             wheels = [{{ name = \"x\", hashes = {{ sha256 = \"{two}\" }} }}]\n"
        ),
    );
    place.write(
        "poetry.lock",
        &format!(
            "[[package]]\nname = \"one\"\nversion = \"1.0\"\ngroups = [\"main\"]\n\
             files = [{{ file = \"one-1.0-py3-none-any.whl\", hash = \"sha256:{one}\" }}]\n\
             [[package]]\nname = \"two\"\nversion = \"1.0\"\noptional = true\ngroups = [\"main\"]\nmarkers = \"extra == \\\"more\\\"\"\n\
             files = [{{ file = \"two-1.0-py3-none-any.whl\", hash = \"sha256:{two}\" }}]\n\
             [extras]\nmore = [\"two\"]\n[metadata]\nlock-version = \"2.1\"\n"
        ),
    );
    place.write(
        "pyproject.toml",
        "[project]\nname = \"whois\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"one\"]\n\
         [project.optional-dependencies]\nmore = [\"two\"]\n",
    );
    let registry = "source = { registry = \"https://index.example/simple\" }";
    place.write(
        "uv.lock",
        &format!(
            "version = 1\nrevision = 3\nrequires-python = \">=3.9\"\n\
             [[package]]\nname = \"one\"\nversion = \"1.0\"\n{registry}\n\
             wheels = [{{ url = \"https://index.example/one-1.0-py3-none-any.whl\", hash = \"sha256:{one}\" }}]\n\
             [[package]]\nname = \"two\"\nversion = \"1.0\"\n{registry}\n\
             wheels = [{{ url = \"https://index.example/two-1.0-py3-none-any.whl\", hash = \"sha256:{two}\" }}]\n\
             [[package]]\nname = \"whois\"\nversion = \"1\"\nsource = {{ virtual = \".\" }}\ndependencies = [{{ name = \"one\" }}]\n\
             [package.optional-dependencies]\nmore = [{{ name = \"two\" }}]\n\
             [package.metadata]\nrequires-dist = [{{ name = \"one\" }}, {{ name = \"two\", marker = \"extra == 'more'\" }}]\n\
             provides-extras = [\"more\"]\n"
        ),
    );
    for file in ["pylock.toml", "poetry.lock", "uv.lock"] {
        place.set(&format!("  requirements = \"{file}\","));
        assert_eq!(place.lock(&[]), ["one 1.0"], "{file}");
        place.set(&format!("  requirements = \"{file}\", extras = [\"more\"],"));
        assert_eq!(place.lock(&["--upgrade"]), ["one 1.0", "two 1.0"], "{file}");
        assert!(!place.env.read("recipes/whois.lock").contains("index.example"));
    }
}

#[test]
fn an_old_lock_of_poetry_is_read_with_its_project_for_each_platform() {
    let place = Place::new("");
    let file = |name: &str, version: &str| {
        let file = format!("{name}-{version}-py3-none-any.whl");
        let digest = place.digest(&file);
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\noptional = false\npython-versions = \"*\"\n\
             files = [{{ file = \"{file}\", hash = \"sha256:{digest}\" }}]\n"
        )
    };
    let packages = [file("one", "1.0"), file("two", "1.0"), file("three", "1.0")].concat();
    place.write("poetry.lock", &format!("{packages}[metadata]\nlock-version = \"2.0\"\ncontent-hash = \"x\"\n"));
    let project = "[tool.poetry]\nname = \"whois\"\n[tool.poetry.dependencies]\npython = \"^3.8\"\none = \"*\"\n\
                   [tool.poetry.group.prod.dependencies]\ntwo = \"*\"\n";
    place.write("pyproject.toml", project);
    place.set("  requirements = \"poetry.lock\",");
    assert_eq!(place.lock(&[]), ["one 1.0"]);
    place.set("  requirements = \"poetry.lock\",\n  overrides.bookworm = { groups = [\"prod\"] },");
    let stale = place.env.vb(&["plan", RECIPE]).expect(3);
    assert!(stale.stderr.contains("`groups`: the lock has nothing, the recipe has `prod`"), "{}", stale.stderr);
    assert_eq!(place.lock(&[]), ["one 1.0", "two 1.0"]);
    place.write("pyproject.toml", &project.replace("two", "three"));
    place.env.vb(&["plan", RECIPE]).expect(3);
}

#[test]
fn what_a_back_end_asks_for_when_it_runs_is_locked_and_the_wheel_is_built_with_it() {
    let place = Place::new("extra\n");
    let setup = "import sys\nfrom setuptools import setup\n\
                 if 'bdist_wheel' in sys.argv:\n    import two\n\
                 setup(name='extra', version='1.0', py_modules=['extra'], setup_requires=['two'])\n";
    // Its bytes are its own, so that no other run has built it.
    let nonce = format!("# {}\n", place.env.directory().display());
    write_sdist(&place.mirror.links(), "extra", "1.0", &[("setup.py", setup), ("extra.py", &nonce)]);
    assert_eq!(place.lock(&[]), ["extra 1.0"]);
    let lock = Lock::read(&place.env.workspace().join("recipes/whois.lock")).unwrap();
    let built = lock.platforms["bookworm"].distributions[0].build.iter();
    let built: Vec<&str> = built.map(|lock| lock.distribution.name.as_str()).collect();
    assert!(built.contains(&"setuptools") && built.contains(&"two"), "{built:?}");
    place.env.vb(&["output", RECIPE, "whois bookworm wheel extra"]).ok();
}

#[test]
fn a_missing_header_of_a_build_is_told_with_the_package_that_has_it() {
    let mut place = Place::new("extra\n");
    let setup = "from setuptools import Extension, setup\n\
                 setup(name='extra', version='1.0', ext_modules=[Extension('extra', ['extra.c'])])\n";
    write_sdist(&place.mirror.links(), "extra", "1.0", &[("setup.py", setup), ("extra.c", "#include <zstd.h>\n")]);
    place.mirror.publish_contents("usr/include/zstd.h libdevel/libzstd-dev\nusr/share/doc/zstd.h doc/zstd\n");
    place.lock(&[]);
    let failed = place.env.vb(&["build", RECIPE]).expect(1);
    let words = "help          `zstd.h` is in `libzstd-dev`: add it to `build_deps`, and run `vb lock`";
    assert!(failed.stderr.contains("vb::action::command") && failed.stderr.contains(words), "{}", failed.stderr);
}

#[test]
fn a_file_whose_hash_the_requirements_do_not_give_is_not_locked() {
    let place = Place::new("");
    let digest = place.digest("one-1.0-py3-none-any.whl");
    place.env.write(REQUIREMENTS, &format!("one==1.0 \\\n    --hash=sha256:{digest}\n"));
    assert_eq!(place.lock(&[]), ["one 1.0"]);
    place.env.write(REQUIREMENTS, &format!("one==1.0 --hash=sha256:{}\n", "0".repeat(64)));
    let told = place.refusal("vb::lock::");
    assert!(told.contains("one"), "{told}");
    place.env.write(REQUIREMENTS, &format!("one==1.0 --hash=sha256:{digest}\ntwo==1.0\n"));
    let told = place.refusal("vb::lock::");
    assert!(told.contains("two"), "{told}");
}

#[test]
fn a_line_that_no_lock_can_hold_is_refused_with_its_place() {
    let place = Place::new("-r more.txt\n");
    place.write("more.txt", "one\n# the application\n-e .\n");
    let told = place.refusal("vb::lock::requirement");
    for words in ["`more.txt`, line 3: `-e .` is an editable installation", "set `setup_install = true`"] {
        assert!(told.contains(words), "{told}");
    }
    place.write("more.txt", "one\n--extra-index-url https://bob:secret@index.example/simple\n");
    let told = place.refusal("vb::lock::requirement");
    assert!(told.contains("`--extra-index-url` says where files come from") && !told.contains("secret"), "{told}");
    place.write("more.txt", "one\n");
    place.set("  extras = [\"more\"],");
    place.refusal("vb::lock::no_extras");
}

#[test]
fn variables_of_the_environment_are_put_in() {
    let place = Place::new("one==${ONE_VERSION}\n");
    let told = place.refusal("vb::lock::variable");
    assert!(told.contains("`ONE_VERSION`, which is not set"), "{told}");
    let output = place.env.command(&["lock", RECIPE]).env("ONE_VERSION", "1.0").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(place.locked(), ["one 1.0"]);
}

#[test]
fn a_locked_version_stays_until_it_is_upgraded_and_what_moved_is_told() {
    let place = Place::new("one\ntwo\n");
    let newer = |name: &str| place.mirror.links().join(format!("{name}-2.0-py3-none-any.whl"));
    let away = place.env.directory().join("one-2.0-py3-none-any.whl");
    let move_file = |from: &Path, to: &Path| fs_err::rename(from, to).unwrap();
    move_file(&newer("one"), &away);
    assert_eq!(place.lock(&[]), ["one 1.0", "two 1.0"]);
    move_file(&away, &newer("one"));
    write_wheel(&place.mirror.links(), "two", "2.0", &[("two.py", "")]);
    assert_eq!(place.lock(&[]), ["one 1.0", "two 1.0"]);
    let run = place.env.vb(&["lock", RECIPE, "--upgrade", "One"]).ok();
    assert_eq!(place.locked(), ["one 2.0", "two 1.0"]);
    assert_eq!(run.stdout, "whois bookworm:\n  ~ one 1.0 → 2.0\nrecipes/whois.lock\n");
    assert_eq!(place.lock(&["--upgrade"]), ["one 2.0", "two 2.0"]);
    let run = place.env.vb(&["lock", RECIPE, "--upgrade", "absent"]).expect(2);
    assert!(run.stderr.contains("no lock has a distribution `absent`"), "{}", run.stderr);
    place.env.vb(&["lock", "--upgrade", RECIPE]).expect(2);
}
