//! The pipeline: which actions an edit runs.

use vb_package::read_deb;

use crate::support::TestEnv;

const BUILD: [&str; 3] = ["build", "--json", "recipes/shop.ncl"];

/// One line of the table of edits.
struct Edit {
    /// The file, below `recipes/apps`.
    file: &'static str,
    from: &'static str,
    /// What takes its place; `{}` is a text that no earlier run has built, because the tests' store stays between runs.
    to: &'static str,
    /// Every action that runs, without the name of the recipe and the platform, sorted.
    runs: &'static [&'static str],
}

const EDITS: [Edit; 12] = [
    Edit {
        file: "shop/shop/views.py",
        from: "from django",
        to: "# {}\nfrom django",
        runs: &["import check", "package", "source", "stage"],
    },
    Edit {
        file: "shop/shop/static/css/style.less",
        from: "body {",
        to: ".n{} { order: 1; }\nbody {",
        runs: &[
            "CollectStatic",
            "CompileLess style.less",
            "CompressCss style.css",
            "PrecompressStatic",
            "package",
            "source",
            "stage",
        ],
    },
    Edit {
        file: "shop/shop/static/css/colours.less",
        from: "@ink",
        to: ".c{} { order: 1; }\n@ink",
        runs: &[
            "CollectStatic",
            "CompileLess style.less",
            "CompressCss style.css",
            "PrecompressStatic",
            "package",
            "source",
            "stage",
        ],
    },
    Edit {
        file: "shop/shop/static/css/_sizes.scss",
        from: "$wide",
        to: ".s{} { order: 1; }\n$wide",
        runs: &[
            "CollectStatic",
            "CompileSass theme.scss",
            "CompressCss theme.css",
            "PrecompressStatic",
            "package",
            "source",
            "stage",
        ],
    },
    Edit {
        file: "cart/static/cart/cart.css",
        from: ".cart",
        to: ".p{} { order: 1; }\n.cart",
        runs: &["CollectStatic", "CompressCss cart/cart.css", "PrecompressStatic", "package", "source cart", "stage"],
    },
    Edit {
        file: "shop/shop/static/js/app.js",
        from: "hello",
        to: "hello {}",
        runs: &["CollectStatic", "CompressJs app.js", "PrecompressStatic", "package", "source", "stage"],
    },
    Edit {
        file: "shop/locale/de/LC_MESSAGES/django.po",
        from: "s Dinge",
        to: "s Dinge {}",
        runs: &["CompileI18n", "import check", "package", "source", "stage"],
    },
    Edit {
        file: "shop/shop/templates/base.html",
        from: "<title>",
        to: "<!-- {} --><title>",
        runs: &["AddCacheBusting base.html", "import check", "package", "source", "stage"],
    },
    Edit {
        file: "shop/debian/changelog",
        from: "vrmd-shop (1.0)",
        to: "vrmd-shop (1.1+{})",
        runs: &["AddCacheBusting base.html", "import check", "package", "source", "stage"],
    },
    Edit {
        file: "shop/shop/routes.txt",
        from: "\n",
        to: " {}\n",
        runs: &["CollectStatic", "PrecompressStatic", "Run", "import check", "package", "source", "stage"],
    },
    // The settings are read by `CollectStatic`, which collects the same.
    Edit {
        file: "shop/shop/settings.py",
        from: "import os",
        to: "# {}\nimport os",
        runs: &["CollectStatic", "import check", "package", "source", "stage"],
    },
    // What is compiled is the same, so nothing is compressed again; the file itself is collected, as Django does.
    Edit {
        file: "shop/shop/static/css/theme.scss",
        from: "main {",
        to: "// {}\nmain {",
        runs: &["CollectStatic", "CompileSass theme.scss", "PrecompressStatic", "package", "source", "stage"],
    },
];

#[test]
fn neither_npm_packages_nor_other_compilers_are_in_the_package() {
    let env = TestEnv::shop();
    env.vb(&["build", "recipes/shop.ncl"]).ok();
    let package = read_deb(&env.package()).unwrap();
    let paths: Vec<&str> = package.entries.iter().map(|entry| entry.path.trim_end_matches('/')).collect();
    assert!(paths.contains(&"./vrmd/shop/shop/collected/css/style.css"), "{paths:?}");
    let tools = ["node", "node_modules", "lessc", "less.js", "esbuild", "sassc", "msgfmt", "java"];
    for path in paths {
        let name = path.rsplit('/').next().unwrap();
        assert!(!tools.contains(&name) && !name.ends_with(".jar"), "{path} is in the package");
    }
}

#[test]
fn each_kind_of_edit_runs_the_actions_that_can_read_it_and_no_others() {
    let env = TestEnv::shop();
    env.vb(&BUILD).ok();
    assert_eq!(env.vb(&BUILD).ok().executed_events(), Vec::<String>::new());
    let unique: String = env.directory().to_string_lossy().chars().filter(char::is_ascii_alphanumeric).collect();
    for Edit { file, from, to, runs } in EDITS {
        let path = format!("recipes/apps/{file}");
        env.edit(&path, from, &to.replace("{}", &unique));
        let run = env.vb(&BUILD).ok();
        let prefixes = ["shop bookworm ", "shop "];
        let short = |label: &String| {
            prefixes.iter().find_map(|prefix| label.strip_prefix(prefix)).unwrap_or(label.as_str()).to_owned()
        };
        let mut executed: Vec<String> = run.executed_events().iter().map(short).collect();
        executed.sort();
        assert_eq!(executed, runs, "an edit of {file}");
    }
}
