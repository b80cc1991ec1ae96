//! What a recipe wants to know of its package once it is installed.

use serde::{Deserialize, Serialize};

/// One thing that has to be so: a port answers, or a command ends well. The contract lets one of both through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRecipe {
    /// The port that answers.
    #[serde(default)]
    pub tcp: Option<u16>,
    /// What is sent to it.
    #[serde(default)]
    pub send: String,
    /// The program and its arguments, where it is no port; a program that is relative is below the environment.
    #[serde(default)]
    pub command: Vec<String>,
    /// What has to be in the answer, or in what is printed.
    pub expect: String,
}
