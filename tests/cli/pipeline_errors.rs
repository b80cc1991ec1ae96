//! What a user sees when a step of a pipeline fails: the file, its line, and what to do.

use expect_test::{Expect, expect};

use crate::support::{TestEnv, redact};

const RECIPE: &str = "recipes/shop.ncl";
const STATIC: &str = "recipes/apps/shop/shop/static";

/// Builds one action after some edits, and compares what is told of its failure.
fn check(action: &str, edits: &[(&str, &str, &str)], expected: &Expect) {
    check_in(&TestEnv::shop(), RECIPE, action, edits, expected);
}

fn check_in(env: &TestEnv, recipe: &str, action: &str, edits: &[(&str, &str, &str)], expected: &Expect) {
    for (file, from, to) in edits {
        env.edit(file, from, to);
    }
    let run = env.vb(&["output", recipe, action]).expect(1);
    let told = run.stderr.split_once("\nerror[").unwrap_or_else(|| panic!("{}", run.stderr)).1;
    let told = redact(env, &format!("error[{told}"));
    let lines: String = told.split_inclusive('\n').filter(|line| !line.starts_with("  whole log")).collect();
    expected.assert_eq(&lines);
}

fn css(file: &str) -> String {
    format!("{STATIC}/css/{file}")
}

#[test]
fn a_file_that_a_command_wants_and_the_step_does_not_read_is_named_with_the_line_to_add() {
    let edit = (RECIPE, "      inputs = [\"shop/routes.txt\"],\n", "");
    check(
        "Run",
        &[edit],
        &expect![[r#"
            error[vb::step::undeclared_input]: shop bookworm Run failed: the step wants `shop/routes.txt`, which is not among its inputs
              asked for at  recipes/shop.ncl:19
              command       sh -c 'sed 's/^/route: /' shop/routes.txt > shop/static/js/routes.txt'
              ended with    exit code 2
              its last 1 lines:
              | sed: can't read shop/routes.txt: No such file or directory
              help          add `inputs = ["shop/routes.txt"]` to the step in the recipe
            vb::build::failed

              x a step before this command failed
        "#]],
    );
}

#[test]
fn a_module_that_the_settings_import_and_the_step_does_not_read_is_named_with_the_line_to_add() {
    let env = TestEnv::shop();
    env.write("recipes/apps/shop/shop/local.py", "DEBUG = False\n");
    let edit = ("recipes/apps/shop/shop/settings.py", "import os\n", "import os\nfrom shop import local\n");
    check_in(
        &env,
        RECIPE,
        "CollectStatic",
        &[edit],
        &expect![[r#"
            error[vb::step::undeclared_input]: shop bookworm CollectStatic failed: the step wants `shop/local.py`, which is not among its inputs
              asked for at  recipes/shop.ncl:24
              command       /vrmd/shop/bin/python -c '"""Runs Django's collectstatic with the settings of the application in the current directory. …' /vb-build/report/report.json 
              ended with    exit code 1
              its last 20 lines:
              |   File "/vrmd/shop/lib/python3.11/site-packages/django/conf/__init__.py", line 81, in __getattr__
              |     self._setup(name)
              |   File "/vrmd/shop/lib/python3.11/site-packages/django/conf/__init__.py", line 68, in _setup
              |     self._wrapped = Settings(settings_module)
              |                     ^^^^^^^^^^^^^^^^^^^^^^^^^
              |   File "/vrmd/shop/lib/python3.11/site-packages/django/conf/__init__.py", line 166, in __init__
              |     mod = importlib.import_module(self.SETTINGS_MODULE)
              |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |   File "/usr/lib/python3.11/importlib/__init__.py", line 126, in import_module
              |     return _bootstrap._gcd_import(name[level:], package, level)
              |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |   File "<frozen importlib._bootstrap>", line 1206, in _gcd_import
              |   File "<frozen importlib._bootstrap>", line 1178, in _find_and_load
              |   File "<frozen importlib._bootstrap>", line 1149, in _find_and_load_unlocked
              |   File "<frozen importlib._bootstrap>", line 690, in _load_unlocked
              |   File "<frozen importlib._bootstrap_external>", line 940, in exec_module
              |   File "<frozen importlib._bootstrap>", line 241, in _call_with_frames_removed
              |   File "shop/settings.py", line 2, in <module>
              |     from shop import local
              | ImportError: cannot import name 'local' from 'shop' (shop/__init__.py)
              help          add `inputs = ["shop/local.py"]` to the step in the recipe
            vb::build::failed

              x a step before this command failed
        "#]],
    );
}

#[test]
fn a_file_outside_of_the_outputs_is_named() {
    let edit = (RECIPE, "> shop/static/js/routes.txt\"", "> shop/static/js/routes.txt; echo > shop/notes.txt\"");
    check(
        "Run",
        &[edit],
        &expect![[r#"
            error[vb::step::undeclared_output]: shop bookworm Run failed: the step wrote `shop/notes.txt`, which is not among its outputs
              asked for at  recipes/shop.ncl:19
              help          add "shop/notes.txt" to the step's `outputs`, or let the command write to /tmp
            vb::build::failed

              x a step before this command failed
        "#]],
    );
}

#[test]
fn a_file_of_another_step_that_a_command_overwrites_is_named_with_that_step() {
    let edits = [
        (RECIPE, "inputs = [\"shop/routes.txt\"]", "inputs = [\"shop/routes.txt\", \"**/theme.css\"]"),
        (RECIPE, "> shop/static/js/routes.txt\"", "> shop/static/js/routes.txt; echo > shop/static/css/theme.css\""),
    ];
    check(
        "Run",
        &edits,
        &expect![[r#"
            error[vb::step::undeclared_output]: shop bookworm Run failed: the step wrote `shop/static/css/theme.css`, which is not among its outputs
              asked for at  recipes/shop.ncl:19
              written by    CompressCss theme.css
              help          let the command write elsewhere, or add "shop/static/css/theme.css" to the step's `inputs` and `outputs` to change what `CompressCss theme.css` wrote
            vb::build::failed

              x a step before this command failed
        "#]],
    );
}

#[test]
fn a_file_that_two_steps_write_is_named_with_both() {
    let edits = [
        (RECIPE, "> shop/static/js/routes.txt\"", "> shop/static/css/theme.css\""),
        (RECIPE, "outputs = [\"shop/static/js/routes.txt\"]", "outputs = [\"shop/static/css/theme.css\"]"),
        (RECIPE, ", \"js/routes.txt\"", ""),
    ];
    check(
        "stage",
        &edits,
        &expect![[r#"
            error[vb::step::written_twice]: shop bookworm stage failed: `CompressCss theme.css` and `Run` both have `shop/static/css/theme.css`
              asked for at  recipes/shop.ncl:5
              help          let one of the two write the file elsewhere, or read what the other wrote
            vb::build::failed

              x a step before this command failed
        "#]],
    );
}

#[test]
fn a_declared_output_that_is_not_written_is_named() {
    let edit = (RECIPE, "outputs = [\"shop/static/js/routes.txt\"]", "outputs = [\"shop/static/js/*.txt\", \"docs\"]");
    check(
        "Run",
        &[edit],
        &expect![[r#"
            error[vb::step::not_written]: shop bookworm Run failed: the step wrote nothing that `docs` names
              asked for at  recipes/shop.ncl:19
              help          correct the step's `outputs`, or its command
            vb::build::failed

              x a step before this command failed
        "#]],
    );
}

#[test]
fn a_broken_catalogue_is_told_with_file_and_line() {
    let catalogue = "recipes/apps/shop/locale/de/LC_MESSAGES/django.po";
    let edits = [
        (catalogue, "\"%(count)s Dinge\"", "\"%(number)s Dinge\""),
        (catalogue, "msgid \"%(count)s things\"", "msgid \"%(count)s things"),
    ];
    check(
        "CompileI18n",
        &edits[..1],
        &expect![[r#"
            error[vb::action::command]: shop bookworm CompileI18n failed: the command failed
              asked for at  recipes/shop.ncl:12
              command       /bin/sh -c '# Does one thing to each file, and fails behind the last one when any of them failed. …' step msgfmt locale/de/LC_MESSAGES/django.po
              ended with    exit code 1
              its last 2 lines:
              | locale/de/LC_MESSAGES/django.po:8: a format specification for argument 'count' doesn't exist in 'msgstr'
              | msgfmt: found 1 fatal error
            vb::build::failed

              x a step before this command failed
        "#]],
    );
    check(
        "CompileI18n",
        &edits[1..],
        &expect![[r#"
            error[vb::action::command]: shop bookworm CompileI18n failed: the command failed
              asked for at  recipes/shop.ncl:12
              command       /bin/sh -c '# Does one thing to each file, and fails behind the last one when any of them failed. …' step msgfmt locale/de/LC_MESSAGES/django.po
              ended with    exit code 1
              its last 2 lines:
              | locale/de/LC_MESSAGES/django.po:8: end-of-line within string
              | msgfmt: found 1 fatal error
            vb::build::failed

              x a step before this command failed
        "#]],
    );
}

#[test]
fn errors_of_less_are_told_with_file_and_line_those_of_imported_files_too() {
    check(
        "CompileLess style.less",
        &[(&css("style.less"), "color: @ink;", "color: @missing;")],
        &expect![[r#"
            error[vb::action::command]: shop bookworm CompileLess style.less failed: the command failed
              asked for at  recipes/shop.ncl:13
              command       /bin/sh -c '# Does one thing to each file, and fails behind the last one when any of them failed. …' step lessc-map shop/static/css/style.less
              ended with    exit code 1
              its last 5 lines:
              | NameError: variable @missing is undefined in shop/static/css/style.less on line 4, column 10:
              | 3 body {
              | 4   color: @missing;
              | 5 
              | 
            vb::build::failed

              x a step before this command failed
        "#]],
    );
    check(
        "CompileLess style.less",
        &[(&css("colours.less"), "#123456;", "#123456; }")],
        &expect![[r#"
            error[vb::action::command]: shop bookworm CompileLess style.less failed: the command failed
              asked for at  recipes/shop.ncl:13
              command       /bin/sh -c '# Does one thing to each file, and fails behind the last one when any of them failed. …' step lessc-map shop/static/css/style.less
              ended with    exit code 1
              its last 4 lines:
              | ParseError: Unrecognised input. Possibly missing opening '{' in shop/static/css/colours.less on line 1, column 16:
              | 1 @ink: #123456; }
              | 2 
              | 
            vb::build::failed

              x a step before this command failed
        "#]],
    );
}

#[test]
fn errors_of_sass_are_told_with_file_and_line() {
    check(
        "CompileSass theme.scss",
        &[(&css("_sizes.scss"), "40em;", "40em; }")],
        &expect![[r#"
            error[vb::action::command]: shop bookworm CompileSass theme.scss failed: the command failed
              asked for at  recipes/shop.ncl:14
              command       /bin/sh -c '# Does one thing to each file, and fails behind the last one when any of them failed. …' step sassc shop/static/css/theme.scss
              ended with    exit code 1
              its last 6 lines:
              | Error: Invalid CSS after "$wide: 40em;": expected selector or at-rule, was "}"
              |         on line 1:13 of shop/static/css/_sizes.scss
              |         from line 1:1 of shop/static/css/theme.scss
              | >> $wide: 40em; }
              | 
              |    ------------^
            vb::build::failed

              x a step before this command failed
        "#]],
    );
}

#[test]
fn errors_of_scripts_are_told_with_file_and_line() {
    let script = format!("{STATIC}/js/app.js");
    check(
        "CompressJs app.js",
        &[(&script, "document.title", "document..title")],
        &expect![[r#"
            error[vb::action::command]: shop bookworm CompressJs app.js failed: the command failed
              asked for at  recipes/shop.ncl:16
              command       /bin/sh -c '# Does one thing to each file, and fails behind the last one when any of them failed. …' step esbuild-js shop/static/js/app.js
              ended with    exit code 1
              its last 6 lines:
              | ✘ [ERROR] Expected identifier but found "."
              | 
              |     shop/static/js/app.js:3:9:
              |       3 │ document..title = greet();
              |         ╵          ^
              | 
            vb::build::failed

              x a step before this command failed
        "#]],
    );
    let yui = (RECIPE, "with = 'Esbuild", "with = 'YuiCompressor");
    let old = (script.as_str(), "const greet = (name = \"you\") => `hello, ${name}`;", "var greet = function ( { };");
    check(
        "CompressJs app.js",
        &[yui, old],
        &expect![[r#"
        error[vb::action::command]: shop bookworm CompressJs app.js failed: the command failed
          asked for at  recipes/shop.ncl:16
          command       /bin/sh -c '# Does one thing to each file, and fails behind the last one when any of them failed. …' step yui-compressor-js shop/static/js/app.js
          ended with    exit code 1
          its last 5 lines:
          | Exception in thread "main" java.lang.reflect.InvocationTargetException
          | 	at java.base/jdk.internal.reflect.NativeMethodAccessorImpl.invoke0(Native Method)
          | 	at java.base/jdk.internal.reflect.NativeMethodAccessorImpl.invoke(NativeMethodAccessorImpl.java:77)
          | 	at java.base/jdk.internal.reflect.DelegatingMethodAccessorImpl.invoke(DelegatingMethodAccessorImpl.java:43)
          | shop/static/js/app.js: yui-compressor cannot read it, and does not say where; it knows ECMAScript 5, and esbuild what came after that
        vb::build::failed

          x a step before this command failed
    "#]],
    );
    check(
        "CompressJs app.js",
        &[yui],
        &expect![[r#"
            error[vb::action::command]: shop bookworm CompressJs app.js failed: the command failed
              asked for at  recipes/shop.ncl:16
              command       /bin/sh -c '# Does one thing to each file, and fails behind the last one when any of them failed. …' step yui-compressor-js shop/static/js/app.js
              ended with    exit code 1
              its last 5 lines:
              | Exception in thread "main" java.lang.reflect.InvocationTargetException
              | 	at java.base/jdk.internal.reflect.NativeMethodAccessorImpl.invoke0(Native Method)
              | 	at java.base/jdk.internal.reflect.NativeMethodAccessorImpl.invoke(NativeMethodAccessorImpl.java:77)
              | 	at java.base/jdk.internal.reflect.DelegatingMethodAccessorImpl.invoke(DelegatingMethodAccessorImpl.java:43)
              | shop/static/js/app.js: yui-compressor cannot read it, and does not say where; it knows ECMAScript 5, and esbuild what came after that
            vb::build::failed

              x a step before this command failed
        "#]],
    );
}

#[test]
fn a_file_without_the_marker_is_named() {
    let edit = ("recipes/apps/shop/shop/templates/base.html", "@VERSION@", "1");
    check(
        "AddCacheBusting base.html",
        &[edit],
        &expect![[r#"
            error[vb::step::no_marker]: shop bookworm AddCacheBusting base.html failed: `shop/templates/base.html` does not have the marker `@VERSION@`
              asked for at  recipes/shop.ncl:17
              help          write `@VERSION@` where the version belongs, such as `style.css?v=@VERSION@`, or name the step's `marker`
            vb::build::failed

              x a step before this command failed
        "#]],
    );
}

#[test]
fn a_file_that_was_not_collected_is_named() {
    check(
        "CollectStatic",
        &[(RECIPE, "\"js/routes.txt\"", "\"js/missing.js\"")],
        &expect![[r#"
            error[vb::step::not_collected]: shop bookworm CollectStatic failed: `js/missing.js` not among what was collected
              asked for at  recipes/shop.ncl:24
              collected to  collected
              help          correct the names, which are below the static root, or add where the files are to the step's `inputs`
            vb::build::failed

              x a step before this command failed
        "#]],
    );
}

#[test]
fn a_name_of_no_file_and_a_name_of_several_are_told() {
    check(
        "CompileLess stlye.less",
        &[(RECIPE, "[\"style.less\"]", "[\"stlye.less\"]")],
        &expect![[r#"
            error[vb::step::no_file]: shop bookworm CompileLess stlye.less failed: there is no file `stlye.less` among what the step reads
              asked for at  recipes/shop.ncl:13
              help          name a file that is there, such as `shop/static/css/style.less`, or let an earlier step write it
            vb::build::failed

              x a step before this command failed
        "#]],
    );
    let env = TestEnv::shop();
    env.write("recipes/apps/shop/shop/templates/shop/base.html", "@VERSION@\n");
    check_in(
        &env,
        RECIPE,
        "AddCacheBusting base.html",
        &[],
        &expect![[r#"
            error[vb::step::ambiguous_file]: shop bookworm AddCacheBusting base.html failed: `base.html` means 2 files
              asked for at  recipes/shop.ncl:17
              shop/templates/base.html
              shop/templates/shop/base.html
              help          give as much of the path as tells the files apart
            vb::build::failed

              x a step before this command failed
        "#]],
    );
}

#[test]
fn a_program_that_the_build_root_lacks_is_named_with_its_packages() {
    let (env, recipe) = (TestEnv::django(), "recipes/somedjangoapp.ncl");
    let to = "'CompressCss { files = [\"style.css\"], with = 'Esbuild }";
    env.edit(recipe, "'CompressCss [\"bootstrap.min.css\", \"style.css\"]", to);
    let run = env.vb(&["output", recipe, "CompressCss style.css"]).expect(1);
    for words in [
        "error[vb::step::no_tool]: somedjangoapp bookworm CompressCss style.css failed: the build root has no `esbuild`",
        "help          add \"esbuild\" to build_deps, or the npm package `esbuild` to the `package-lock.json` that `npm` \
         names, then run `vb lock`",
    ] {
        assert!(run.stderr.contains(words), "`{words}` is not in:\n{}", run.stderr);
    }
}
