//! Measures the `vb` program that lies beside this one, and others beside it, and prints the figures as Markdown for
//! `docs/benchmarks.md`.
//!
//! Must not be here: any judgement. A figure that depends on the machine is no test.

mod bigapp;
mod build;
mod case;
mod compare;
mod corpus;
mod environment;
mod error;
mod machine;
mod memory;
mod packing;
mod report;
mod repositories;
mod roots;
mod run;
mod solve;
mod start;
mod workspace;

use std::{io::Write, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::error::BenchError;

/// Measures vb in a copy of the workspace around the current directory, side by side with other tools where there are any.
#[derive(Debug, Parser)]
#[command(name = "vb-bench", version)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Args)]
struct Common {
    /// Few runs, to see that everything works.
    #[arg(long, global = true)]
    quick: bool,
    /// The store that has what the recipe's lock names; what it lacks is fetched.
    #[arg(long, global = true, value_name = "DIR", default_value = "cache")]
    store: PathBuf,
    /// The platform that is built for.
    #[arg(long, global = true, value_name = "NAME", default_value = "bookworm")]
    platform: String,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Repositories, beside reprepro, aptly, apt-ftparchive and createrepo_c.
    Repositories(repositories::Repositories),
    /// Builds of a recipe: cold, unchanged, one line changed.
    Build(build::Build),
    /// A root, beside mmdebstrap.
    Roots,
    /// What is installed of hundreds of distributions, compared with what uv and pip install.
    Compare(compare::Compare),
    /// Applications of the package index: builds of them, and whether what is installed starts.
    Corpus(corpus::Corpus),
    /// The environment of a large application, beside uv.
    Environment,
    /// The packages of a large application, beside dpkg-deb, rpmbuild and nfpm.
    Packing(packing::Packing),
    /// Reading and solving a distribution's index.
    Solve,
    /// The start of a command in a sandbox.
    Start,
    /// One platform and two, of one recipe, with two actions at once.
    Platforms,
}

fn main() -> Result<(), BenchError> {
    let Arguments { common, what } = Arguments::parse();
    let text = match what {
        What::Repositories(of) => repositories::measure(&of, common.quick),
        What::Build(build) => build.measure(&common),
        What::Roots => roots::measure(&common),
        What::Compare(of) => of.measure(&common),
        What::Corpus(of) => of.measure(&common),
        What::Environment => environment::measure(&common),
        What::Packing(of) => of.measure(&common),
        What::Solve => solve::measure(&common),
        What::Start => start::measure(&common),
        What::Platforms => build::measure_platforms(&common),
    }?;
    std::io::stdout().write_all(text.as_bytes()).map_err(BenchError::Io)
}
