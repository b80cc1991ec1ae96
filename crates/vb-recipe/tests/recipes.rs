//! Recipes that are wrong, each with what the user sees; and recipes that are right, each with what vb reads in them.
//!
//! The expected texts lie beside the recipes; `UPDATE_EXPECT=1 cargo test` writes them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use expect_test::expect_file;
use miette::{GraphicalReportHandler, GraphicalTheme};
use vb_recipe::{Evaluated, Loader, Platforms, RecipeErrors, Workspace, check};

/// The workspace of these tests: its root is the directory of the tests.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// What all tests share, as evaluating it takes longer than any of them.
struct Shared {
    loader: Loader,
    workspace: Evaluated<Workspace>,
    platforms: Platforms,
}

static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let loader = Loader::new(&root()).expect("the workspace of the tests is there");
    let workspace = loader.workspace().expect("its workspace file is right");
    let platforms = loader.platforms().expect("its platforms are right");
    Shared { loader, workspace, platforms }
});

fn load_and_check(paths: &[PathBuf]) -> Result<String, RecipeErrors> {
    let Shared { loader, workspace, platforms } = &*SHARED;
    let recipes = loader.recipes(paths)?;
    RecipeErrors::check(check(workspace, &recipes, platforms))?;
    let mut text = String::new();
    for recipe in &recipes {
        text += &format!("{:#?}\n", recipe.value);
        for name in recipe.value.platforms(&workspace.value) {
            text += &format!("{name}: {:#?}\n", recipe.value.for_platform(&workspace.value, name));
        }
        for file in &recipe.files {
            text += &format!("read: {}\n", file.shown);
        }
        for field in ["name", "source", "run_deps[1]", "overrides.trixie.run_deps[2]", "section"] {
            text += &format!("{field}: {}\n", recipe.place(field));
        }
    }
    Ok(text)
}

fn render(errors: &RecipeErrors) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::none()).with_width(100).with_links(false);
    handler.render_report(&mut text, errors).expect("a string can be written to");
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn check_fail(name: &str) {
    let path = root().join("recipes/fail").join(name);
    let errors = load_and_check(&[path.with_extension("ncl")]).expect_err("the recipe is wrong");
    expect_file![path.with_extension("txt")].assert_eq(&render(&errors));
}

fn check_ok(name: &str) {
    let path = root().join("recipes/ok").join(name);
    let text = match load_and_check(&[path.with_extension("ncl")]) {
        Ok(text) => text,
        Err(errors) => panic!("{}", render(&errors)),
    };
    expect_file![path.with_extension("txt")].assert_eq(&text);
}

macro_rules! fail {
    ($($test:ident: $file:literal,)*) => {
        $(#[test]
        fn $test() {
            check_fail($file);
        })*

        const FAIL: &[&str] = &[$($file),*];
    };
}

fail! {
    a_number_for_a_version_is_refused: "wrong_type",
    a_bad_package_name_is_shown_at_its_element: "bad_package_name",
    all_errors_of_a_file_are_shown_together: "several_errors",
    each_wrong_element_of_a_list_is_shown: "not_a_list_element",
    an_unknown_field_is_shown_at_its_key: "unknown_field",
    an_unknown_field_like_no_other_gets_the_list: "unknown_field_without_likeness",
    a_missing_field_is_shown_at_the_records_end: "missing_field",
    a_missing_field_is_shown_without_the_contract_too: "missing_field_without_contract",
    a_missing_comma_is_shown: "syntax_error",
    an_unclosed_bracket_is_shown: "unclosed",
    a_forgotten_import_is_shown: "unbound",
    a_word_of_python_is_told_with_nickels: "python_true",
    a_none_of_python_is_told: "python_none",
    a_colon_in_the_place_of_an_equals_sign_is_told: "colon",
    text_in_single_quotes_is_told: "single_quotes",
    one_word_in_single_quotes_is_told: "single_quotes_of_one",
    a_source_of_an_unknown_kind_is_refused: "source_tag",
    a_source_in_git_has_one_reference: "source_git",
    what_git_could_take_for_an_option_is_refused: "source_git_option",
    a_source_without_its_kind_is_refused: "source_text",
    an_absolute_source_is_refused: "source_absolute",
    a_version_that_is_a_number_is_refused: "version_tag",
    an_unknown_platform_is_shown_at_its_element: "unknown_platform",
    an_override_for_an_unknown_platform_is_shown_at_its_key: "unknown_override",
    an_unknown_field_of_an_override_is_shown_at_its_key: "unknown_override_field",
    a_recipe_for_no_platform_is_refused: "no_platform",
    a_python_that_the_platform_lacks_is_refused: "unknown_python",
    a_python_that_the_overridden_platform_lacks_is_refused: "unknown_python_in_override",
    what_a_python_2_cannot_have_is_shown_where_it_is_asked_for: "old_python",
    a_tag_that_is_no_interpreter_is_refused: "wrong_interpreter",
    a_source_that_is_not_there_is_shown: "missing_source",
    missing_requirements_are_shown_at_the_source: "missing_requirements",
    missing_requirements_that_are_named_are_shown_at_their_name: "missing_named_requirements",
    a_bad_name_of_a_variable_is_shown_at_its_key: "bad_variable",
    requirements_outside_the_source_are_refused: "requirements_outside",
    an_import_from_outside_the_workspace_is_refused: "foreign_import",
    a_missing_import_is_shown_at_its_path: "missing_import",
    values_that_define_each_other_are_shown: "infinite_recursion",
    a_user_that_nobody_makes_is_shown_where_it_is_named: "unknown_user",
    users_that_nothing_can_make_are_refused: "no_user_tool",
    a_configuration_file_in_a_foreign_place_is_shown: "bad_config_file",
    a_directory_that_is_not_the_packages_is_shown: "bad_directory",
    an_accepted_tag_needs_its_reason: "bad_lint",
    checks_that_ask_nothing_or_too_much_are_shown: "bad_check",
    two_services_of_one_name_are_shown_with_both_places: "service_twice",
    what_is_wrong_in_a_service_is_shown_together: "wrong_service",
    a_function_is_no_recipe: "function",
    a_contract_of_the_recipes_own_is_shown: "own_contract",
    values_that_contradict_each_other_are_shown: "merge",
    overrides_of_two_files_that_contradict_each_other_name_both_places: "override_conflict",
    an_unknown_step_is_shown: "unknown_step",
    an_unknown_option_of_a_step_is_shown: "unknown_step_option",
    a_missing_option_of_a_step_is_shown: "missing_step_option",
    a_file_that_two_steps_write_is_shown_at_the_second: "written_twice",
    what_is_wrong_in_an_override_that_is_a_function_is_shown_there: "override_function",
    a_skipped_import_without_a_reason_is_refused: "skip_without_reason",
    what_is_wrong_in_a_package_is_shown_at_its_place: "wrong_package",
    a_package_that_the_recipe_does_not_have_is_shown_where_it_is_needed: "unknown_package",
    what_is_wrong_in_an_overridden_service_is_shown_in_the_override: "wrong_override_service",
    a_user_that_nobody_makes_on_one_platform_is_shown_in_the_override: "unknown_override_user",
}

#[test]
fn every_wrong_recipe_has_a_test() {
    let files = fs_err::read_dir(root().join("recipes/fail")).unwrap().map(|entry| entry.unwrap().path());
    let recipes = files.filter(|path| path.extension().is_some_and(|extension| extension == "ncl"));
    let names: BTreeSet<_> = recipes.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names, FAIL.iter().map(|name| (*name).to_owned()).collect());
}

#[test]
fn a_recipe_needs_a_name_and_a_source_and_nothing_else() {
    check_ok("minimal");
}

#[test]
fn a_recipe_can_say_everything() {
    check_ok("full");
}

#[test]
fn services_and_what_belongs_to_them_are_read_with_their_defaults() {
    check_ok("services");
}

#[test]
fn packages_are_read_with_their_defaults_and_services_are_merged_for_one_platform() {
    check_ok("packages");
}

#[test]
fn two_recipes_with_services_of_one_name_are_refused() {
    let paths = ["services", "same_service"].map(|name| root().join("recipes/ok").join(name).with_extension("ncl"));
    let errors = load_and_check(&paths).unwrap_err();
    let shown: Vec<_> = errors.diagnostics().iter().map(|error| (error.kind().as_str(), error.to_string())).collect();
    let message = "the service `hello` is also one of `recipes/ok/services.ncl:6`".to_owned();
    assert_eq!(shown, [("vb::recipe::duplicate_service", message)]);
}

#[test]
fn an_override_can_be_a_function_of_the_platform_and_fields_computed_from_it_follow() {
    check_ok("functions");
}

#[test]
fn an_interpreter_has_a_tag_or_is_a_version_alone() {
    check_ok("interpreter");
}

#[test]
fn errors_of_all_files_are_reported_together_in_order() {
    let paths = ["wrong_type", "not_there", "unknown_field"]
        .map(|name| root().join("recipes/fail").join(name).with_extension("ncl"));
    let errors = load_and_check(&paths).unwrap_err();
    let shown: Vec<_> = errors.diagnostics().iter().map(|error| (error.file(), error.kind().as_str())).collect();
    assert_eq!(
        shown,
        [
            (None, "vb::recipe::unreadable"),
            (Some("recipes/fail/unknown_field.ncl"), "vb::recipe::unknown_field"),
            (Some("recipes/fail/wrong_type.ncl"), "vb::recipe::wrong_value"),
        ]
    );
}
