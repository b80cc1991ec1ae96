//! `vb wheels`: what an environment is made of, as a directory that pip and uv install from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use fs_err as fs;
use vb_build::Builder;
use vb_graph::{ActionIndex, Graph, Kind, Node};

use super::build::build_or_fail;
use crate::{
    arguments::{Common, Selection, Wheels},
    display::{self, Display, Surroundings},
    exit::Exit,
    fatal::Fatal,
    workbench::Workbench,
};

/// Runs the command.
pub(crate) fn run(common: &Common, command: &Wheels) -> Result<Exit, Fatal> {
    match command {
        Wheels::Export { directory, selection } => export(common, directory, selection),
    }
}

/// Writes each wheel that is unpacked into an environment; a directory may have others beside them.
fn export(common: &Common, directory: &Path, selection: &Selection) -> Result<Exit, Fatal> {
    let bench = Workbench::of(common, selection, false)?;
    let display = Display::new(common.json);
    let goals = wheels(&bench.graph);
    let outputs = build_or_fail(&bench.builder, &bench.graph, &goals, &display, &Surroundings::none());
    display.finish();
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (name, blob) in wheel_files(&bench.builder, &bench.graph, &goals, outputs?)? {
        if found.insert(name.clone(), blob.clone()).is_some_and(|other| other != blob) {
            return Err(Fatal::message(
                Exit::Usage,
                "vb::wheels::name",
                format!("two platforms or recipes have a wheel `{name}`, with other content"),
                "export one recipe and platform at a time, each into a directory of its own",
            ));
        }
    }
    for (name, blob) in &found {
        write(blob, &directory.join(name)).map_err(|error| {
            let message = format!("cannot write the wheel `{name}`");
            Fatal::caused(Exit::Environment, "vb::wheels::write", message, "check the directory and the disk", error)
        })?;
    }
    let shown = display::relative(directory);
    found.keys().for_each(|name| display.made("wheel", &shown.join(name)));
    Ok(Exit::Success)
}

/// Finds what gives the wheels that are unpacked, each once.
fn wheels(graph: &Graph) -> Vec<ActionIndex> {
    let unpacks = graph.indices().filter(|index| matches!(graph.action(*index).kind, Kind::Unpack(_)));
    let inputs = unpacks.flat_map(|index| &graph.action(index).inputs).filter(|input| input.name == "wheel");
    let mut wheels: Vec<ActionIndex> = inputs.map(|input| input.action).collect();
    wheels.sort();
    wheels.dedup();
    wheels
}

/// Returns the names of the wheels that actions gave, and where their bytes are.
pub(crate) fn wheel_files(
    builder: &Builder,
    graph: &Graph,
    actions: &[ActionIndex],
    outputs: Vec<Node>,
) -> Result<Vec<(String, PathBuf)>, Fatal> {
    // A fetched file is no node: what is built is in the order of the actions that are not fetches.
    let mut outputs = outputs.into_iter();
    let mut file = |action: &ActionIndex| match &graph.action(*action).kind {
        Kind::Fetch(fetch) => {
            let file = builder.store().fetched_file(&fetch.sha256).expect("it was fetched just before");
            Ok((fetch.file.clone(), builder.store().blob_path(&file.blob)))
        }
        _ => built(builder, &outputs.next().expect("it was built just before")),
    };
    actions.iter().map(&mut file).collect()
}

/// Returns the one file of what a build of a wheel gave.
fn built(builder: &Builder, output: &Node) -> Result<(String, PathBuf), Fatal> {
    let Node::Directory { digest, .. } = output else { unreachable!("a build of a wheel gives a directory") };
    let directory = builder.store().directory(digest).map_err(|error| {
        let message = "a wheel that was built is no longer in the store";
        Fatal::caused(Exit::Environment, "vb::store::damaged", message, "run the command again", error)
    })?;
    match directory.entries().next() {
        Some((name, Node::File { blob, .. })) => Ok((name.to_string(), builder.store().blob_path(blob))),
        _ => unreachable!("a build of a wheel that gave none has failed"),
    }
}

/// Puts a copy into its place in one step.
fn write(blob: &Path, target: &Path) -> std::io::Result<()> {
    let directory = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut temporary = tempfile::Builder::new().prefix(".vb-").tempfile_in(directory)?;
    std::io::copy(&mut fs::File::open(blob)?, &mut temporary)?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    temporary.as_file().set_permissions(permissions)?;
    temporary.persist(target)?;
    Ok(())
}
