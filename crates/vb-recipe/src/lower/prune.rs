//! What of the locked distributions is left out of the environment: whole ones, and files.

use super::LowerError;
use crate::{diagnostic::did_you_mean, lock::PlatformLock, position::Evaluated, recipe::Recipe};

/// Distributions that an environment need not have been given, so that leaving them out is no mistake.
const INSTALLERS: [&str; 3] = ["pip", "setuptools", "wheel"];
/// What tests of distributions are called.
const TESTS: [&str; 2] = ["**/test", "**/tests"];

/// What is left out.
#[derive(Debug, Default)]
pub(super) struct Prune {
    distributions: Vec<String>,
    /// Globs of files below the directory of packages.
    pub(super) globs: Vec<String>,
}

impl Prune {
    /// Reads the list of a recipe. A name that is neither locked nor an installer is an error.
    pub(super) fn of(recipe: &Evaluated<Recipe>, lock: &PlatformLock, platform: &str) -> Result<Self, LowerError> {
        let mut prune = Self::default();
        for (index, text) in recipe.value.prune.iter().enumerate() {
            if text == "tests" {
                prune.globs.extend(TESTS.map(str::to_owned));
            } else if text.contains(['/', '*']) {
                prune.globs.push(text.clone());
            } else {
                let name = normalized(text);
                let is_locked = lock.distributions.iter().any(|locked| locked.distribution.name == name);
                if !is_locked && !INSTALLERS.contains(&name.as_str()) {
                    return Err(LowerError::NoPruned {
                        platform: platform.to_owned(),
                        distribution: text.clone(),
                        place: recipe.place(&format!("prune[{index}]")),
                        help: help(text, &name, lock),
                    });
                }
                prune.distributions.push(name);
            }
        }
        Ok(prune)
    }

    /// Is a distribution left out?
    pub(super) fn has(&self, distribution: &str) -> bool {
        self.distributions.iter().any(|name| name == distribution)
    }
}

fn help(text: &str, name: &str, lock: &PlatformLock) -> String {
    match did_you_mean(name, lock.distributions.iter().map(|locked| locked.distribution.name.as_str())) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("take it out of `prune`, or write a pattern of files: `**/{text}/**`"),
    }
}

/// Writes a name as locks have it (PEP 503).
fn normalized(name: &str) -> String {
    let mut normalized = String::new();
    for char in name.chars() {
        match char {
            '-' | '_' | '.' if normalized.ends_with('-') => {}
            '-' | '_' | '.' => normalized.push('-'),
            _ => normalized.extend(char.to_lowercase()),
        }
    }
    normalized
}
