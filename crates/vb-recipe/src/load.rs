//! Everything that a run over some recipes needs, loaded and checked, with all errors of all files together.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use crate::{
    check::{check, check_named},
    diagnostic::{RecipeDiagnostic, RecipeErrors},
    loader::Loader,
    platform::Platform,
    position::Evaluated,
    recipe::Recipe,
    workspace::Workspace,
};

/// The directories of sources that are in git: by the recipe's file, and by the path of its field.
pub type Checkouts = BTreeMap<PathBuf, BTreeMap<String, String>>;

/// Recipes with all that they refer to.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The workspace file.
    pub workspace: Evaluated<Workspace>,
    /// The recipes, in the order in which they were asked for.
    pub recipes: Vec<Evaluated<Recipe>>,
    /// The recipes of interpreters that these name, by the paths of their files.
    pub interpreters: BTreeMap<PathBuf, Evaluated<Recipe>>,
    /// The platforms of the workspace; those that the recipes are for are loaded.
    pub platforms: Platforms,
}

/// The platforms of a workspace: the names of all, and what some of the files say.
#[derive(Clone, Debug, Default)]
pub struct Platforms {
    names: BTreeSet<String>,
    loaded: BTreeMap<String, Evaluated<Platform>>,
}

impl Platforms {
    /// Returns the names of all platforms, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.iter().map(String::as_str)
    }

    /// Is there a platform of that name?
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Returns a platform that is loaded.
    pub fn get(&self, name: &str) -> Option<&Evaluated<Platform>> {
        self.loaded.get(name)
    }

    /// Returns the platforms that are loaded, by name.
    pub fn loaded(&self) -> impl Iterator<Item = &Evaluated<Platform>> {
        self.loaded.values()
    }
}

impl FromIterator<Evaluated<Platform>> for Platforms {
    /// Takes these platforms as all that there are.
    fn from_iter<I: IntoIterator<Item = Evaluated<Platform>>>(platforms: I) -> Self {
        let named = platforms.into_iter().map(|platform| (platform.value.name.clone(), platform));
        let loaded: BTreeMap<_, _> = named.collect();
        Self { names: loaded.keys().cloned().collect(), loaded }
    }
}

impl Loader {
    /// Loads and checks the workspace file, recipes, and the platforms that these are for. Checkouts take the place of
    /// sources that are in git.
    ///
    /// # Errors
    /// All errors of all these files: of those that evaluate, also what they mean to each other.
    pub fn load(&self, paths: &[PathBuf], checkouts: &Checkouts) -> Result<Loaded, RecipeErrors> {
        let mut errors = Vec::new();
        let mut keep = |failed: RecipeErrors| errors.extend(failed.into_diagnostics());
        let workspace = self.workspace().map_err(&mut keep).ok();
        let mut recipes: Vec<Evaluated<Recipe>> =
            paths.iter().filter_map(|path| self.recipe(path).map_err(&mut keep).ok()).collect();
        for recipe in &mut recipes {
            if let Some(checkouts) = checkouts.get(recipe.path()) {
                recipe.value.check_out(checkouts);
            }
        }
        let mut platforms = Platforms::default();
        match self.platform_names() {
            Ok(names) => platforms.names.extend(names),
            Err(failed) => keep(failed),
        }
        let names = workspace.iter().flat_map(|workspace| {
            recipes.iter().flat_map(|recipe| recipe.value.platforms(&workspace.value).iter().cloned())
        });
        let wanted: BTreeSet<String> = names.filter(|name| platforms.has(name)).collect();
        for name in wanted {
            if let Ok(platform) = self.platform(&name).map_err(&mut keep) {
                platforms.loaded.insert(name, platform);
            }
        }
        let mut interpreters = BTreeMap::new();
        if let Some(workspace) = &workspace {
            for recipe in &recipes {
                errors.extend(self.load_interpreters(&workspace.value, recipe, &mut interpreters));
            }
        }
        errors.extend(workspace.iter().flat_map(|workspace| check(workspace, &recipes, &platforms)));
        RecipeErrors::check(errors)?;
        let workspace = workspace.expect("what is not there has an error");
        Ok(Loaded { workspace, recipes, interpreters, platforms })
    }

    /// Loads the interpreters that a recipe names, and says what is wrong with them or their names.
    fn load_interpreters(
        &self,
        workspace: &Workspace,
        recipe: &Evaluated<Recipe>,
        interpreters: &mut BTreeMap<PathBuf, Evaluated<Recipe>>,
    ) -> Vec<RecipeDiagnostic> {
        let mut diagnostics = Vec::new();
        for platform in recipe.value.platforms(workspace) {
            let python = recipe.value.for_platform(workspace, platform).python;
            let Some(path) = recipe.interpreter_path(&python) else { continue };
            if !interpreters.contains_key(&path) && path.is_file() {
                match self.recipe(&path) {
                    Ok(interpreter) => drop(interpreters.insert(path.clone(), interpreter)),
                    Err(errors) => {
                        diagnostics.extend(errors.into_diagnostics());
                        continue;
                    }
                }
            }
            let name = python.recipe().unwrap_or_default();
            diagnostics.extend(check_named(workspace, recipe, (platform.as_str(), name), interpreters.get(&path)));
        }
        diagnostics
    }
}
