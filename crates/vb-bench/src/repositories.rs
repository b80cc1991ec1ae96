//! `vb-bench repositories`: vb beside reprepro, aptly, apt-ftparchive and `createrepo_c`, in one run.
//!
//! The other tools are the machine's own; one that is not there is left out. Runs take turns, so that what else the
//! machine does falls on all of them alike. Processor time is printed beside the wall's: it says more on a machine that
//! is not quiet.

mod figures;
mod packages;
mod tools;

use std::path::Path;

use clap::Args;
use fs_err as fs;

use self::{
    figures::{Comparison, table},
    packages::{write_debs, write_rpms},
    tools::{Tool, Workplace},
};
use crate::error::BenchError;

/// Measures how long repositories take to make and to grow, vb's and others'.
#[derive(Args, Debug)]
pub(crate) struct Repositories {
    /// How many packages the repository has that one is added to.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    packages: usize,
    /// How many packages the repository has whose memory is measured.
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    many: usize,
    /// How often each is run.
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
}

/// How many packages are added at once.
const BATCH: usize = 1000;

/// Runs everything and returns the tables; quickly, with few packages, to see that it works.
pub(crate) fn measure(arguments: &Repositories, quick: bool) -> Result<String, BenchError> {
    let (packages, many, batch, runs) = match quick {
        true => (40, 80, 20, 1),
        false => (arguments.packages, arguments.many, BATCH, arguments.runs),
    };
    let place = Workplace::new()?;
    let (debs, rpms) = (place.path().join("debs"), place.path().join("rpms"));
    write_debs(&debs, 0..packages)?;
    write_rpms(&rpms, 0..packages)?;
    let mut text = String::new();
    for (title, of) in [("debs", &debs), ("rpms", &rpms)] {
        let some = place.path().join(format!("some-{title}"));
        link_some(of, &some, batch)?;
        let comparison = at_once(&place, &some, runs)?;
        text.push_str(&table(&format!("{batch} {title} at once, into an empty repository"), &comparison));
        let comparison = one_more(&place, of, runs)?;
        text.push_str(&table(&format!("one more package, {packages} {title} are there"), &comparison));
        fs::remove_dir_all(&some)?;
    }
    for (title, of) in [("debs", &debs), ("rpms", &rpms)] {
        match title {
            "debs" => write_debs(of, packages..many)?,
            _ => write_rpms(of, packages..many)?,
        }
        let comparison = memory(&place, of)?;
        text.push_str(&table(&format!("memory of vb with {many} {title}"), &comparison));
    }
    Ok(text)
}

/// Each tool makes a repository of all packages of a directory.
fn at_once(place: &Workplace, packages: &Path, runs: usize) -> Result<Comparison, BenchError> {
    let mut comparison = Comparison::default();
    for _ in 0..runs {
        for tool in place.tools_for(packages)? {
            tool.begin(place)?;
            comparison.add(tool.name(), tool.add_all(place, packages)?);
        }
    }
    Ok(comparison)
}

/// Each tool adds one package to a repository that it made of all the others.
fn one_more(place: &Workplace, packages: &Path, runs: usize) -> Result<Comparison, BenchError> {
    let tools: Vec<Tool> = place.tools_for(packages)?.into_iter().filter(|tool| tool.is_incremental()).collect();
    for tool in &tools {
        tool.begin(place)?;
        tool.add_all(place, packages)?;
    }
    let mut comparison = Comparison::default();
    for run in 0..runs {
        let one = place.fresh_package(packages, run)?;
        for tool in &tools {
            comparison.add(tool.name(), tool.add_one(place, &one)?);
        }
    }
    Ok(comparison)
}

/// vb alone makes a large repository, and adds one package to it.
fn memory(place: &Workplace, packages: &Path) -> Result<Comparison, BenchError> {
    let mut comparison = Comparison::default();
    let vb = place.vb_for(packages);
    vb.begin(place)?;
    comparison.add("vb repo add, all at once", vb.add_all(place, packages)?);
    let one = place.fresh_package(packages, 0)?;
    comparison.add("vb repo add, one more", vb.add_one(place, &one)?);
    Ok(comparison)
}

fn link_some(from: &Path, to: &Path, count: usize) -> Result<(), BenchError> {
    fs::create_dir_all(to)?;
    let mut names: Vec<_> =
        fs::read_dir(from)?.map(|entry| Ok(entry?.file_name())).collect::<Result<_, BenchError>>()?;
    names.sort();
    for name in names.iter().take(count) {
        fs::hard_link(from.join(name), to.join(name))?;
    }
    Ok(())
}
