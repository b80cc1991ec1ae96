//! The command line as its users meet it: one test binary, the real program, real packages.

#![expect(clippy::unwrap_used, reason = "test support outside of test functions fails the test by panicking")]

mod apt_oracle;
mod bad_archives;
mod bad_input;
mod bad_names;
mod build;
mod ci;
mod distributions;
mod django;
mod dnf_oracle;
mod el9;
mod images;
mod import_check;
mod indexes;
mod install;
mod libraries;
mod lintian;
mod lock;
mod metadata;
mod nix;
mod npm;
mod packages;
mod pipeline;
mod pipeline_errors;
mod plan_why;
mod policy;
mod push;
mod recipe_errors;
mod refresh;
mod repo_apt;
mod repo_import;
mod repo_s3;
mod repo_sign;
mod repo_ssh;
mod repo_yum;
mod reproducible;
mod requirements;
mod robust;
mod rpm;
mod setup_install;
mod subpackages;
mod support;
mod transitions;
mod trusty;
mod versions;
