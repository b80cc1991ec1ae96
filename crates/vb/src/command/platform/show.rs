//! `vb platform show`: everything that is said of one platform, and by whom.

use vb_recipe::{Configure, Family, Image, Loader, Platform, Workspace};

use super::{aligned, load, release};
use crate::{display, exit::Exit, fatal::Fatal, machine::Machine, session::recipe_errors};

/// Runs the command.
pub(super) fn run(loader: &Loader, name: &str) -> Result<Exit, Fatal> {
    let platform = load(loader, name)?;
    let workspace = loader.workspace().map_err(recipe_errors)?;
    let machine = Machine::read()?;
    let file = ("file", display::relative(platform.path()).display().to_string());
    let mut rows = vec![("name", name.to_owned()), file];
    rows.extend(system(&platform.value));
    rows.extend(archive(&machine, &workspace.value, &platform.value));
    rows.extend(packages(&platform.value));
    rows.extend(output(&platform.value));
    display::lines(&aligned(without_repetition(rows)));
    Ok(Exit::Success)
}

type Row = (&'static str, String);

fn system(platform: &Platform) -> Vec<Row> {
    vec![
        ("family", platform.family.format().to_string()),
        ("release", format!("{} ({})", release(platform), platform.codename)),
        ("architecture", format!("{} ({})", platform.architecture, platform.machine)),
        ("glibc", platform.glibc.clone()),
        ("merged /usr", if platform.has_merged_usr { "yes" } else { "no" }.to_owned()),
        ("scripts in roots", configure_text(platform.configure).to_owned()),
    ]
}

fn configure_text(configure: Configure) -> &'static str {
    match configure {
        Configure::Full => "are run",
        Configure::Unpack => "are not run",
    }
}

fn archive(machine: &Machine, workspace: &Workspace, platform: &Platform) -> Vec<Row> {
    let mut rows: Vec<Row> = platform.image.iter().map(|image| ("image", image_text(image))).collect();
    match platform.family {
        Family::Deb => rows.extend(suites(machine, workspace, platform)),
        Family::Rpm => rows.extend(repositories(workspace, platform)),
    }
    for pin in &platform.pins {
        rows.push(("pin", format!("{} from {}, priority {}", pin.packages.join(" "), pin.suite, pin.priority)));
    }
    let validity = if platform.check_valid_until { "refused" } else { "accepted" };
    rows.push(("an old index", format!("{validity} after its `Valid-Until`")));
    rows
}

fn image_text(image: &Image) -> String {
    match image {
        Image::Archive { file, sha256 } => format!("{file}, SHA-256 {sha256}"),
        Image::OciLayout { path, digest } => format!("{path}, manifest sha256:{digest}"),
    }
}

/// Each suite with its places, who names these, and the keys that sign it.
fn suites(machine: &Machine, workspace: &Workspace, platform: &Platform) -> Vec<Row> {
    let mut rows = Vec::new();
    for suite in &platform.suites {
        rows.push(("suite", format!("{} {}", suite.name, suite.components.join(" "))));
        let archive = machine.archive(workspace, platform, &suite.name);
        let by = archive.origin.describe(&platform.name);
        for location in &archive.locations {
            rows.push(("", format!("at {} by {by}", location.base)));
        }
        if archive.locations.is_empty() {
            let help = format!("name one in `archives.{}` of the workspace", platform.name);
            rows.push(("", format!("at no place: the machine's apt has none; {help}")));
        }
        let keyrings = archive.keyrings();
        rows.extend(keyrings.iter().map(|path| ("", format!("signed by a key of {}", path.display()))));
    }
    rows
}

fn repositories(workspace: &Workspace, platform: &Platform) -> Vec<Row> {
    let named = workspace.archives.get(&platform.name).unwrap_or(&platform.archives);
    let mut rows: Vec<Row> = platform
        .repositories
        .iter()
        .map(|repository| ("repository", format!("{} {}", repository.name, repository.path).trim_end().to_owned()))
        .collect();
    rows.extend(named.iter().map(|base| ("archive", base.clone())));
    rows.extend(platform.keyring.iter().map(|path| ("keyring", path.clone())));
    rows
}

fn packages(platform: &Platform) -> Vec<Row> {
    let mut rows = vec![("base", platform.base.join(" ")), ("toolchain", platform.toolchain.join(" "))];
    for version in platform.python_versions() {
        let interpreter = &platform.interpreters[version];
        let own = if version == platform.default_python { ", its own" } else { "" };
        rows.push(("python", format!("{version}{own}: {}", interpreter.command)));
        rows.push(("", format!("packages: {}", interpreter.packages.join(" "))));
        rows.push(("", format!("to build: {}", interpreter.build_packages.join(" "))));
        rows.push(("", format!("depends on: {}", interpreter.depends.join(", "))));
    }
    rows
}

fn output(platform: &Platform) -> Vec<Row> {
    let output = &platform.output;
    let formats: Vec<String> = output.formats.iter().map(ToString::to_string).collect();
    let mut rows = vec![
        ("formats", formats.join(" ")),
        (".deb", format!("data in {}", output.deb.compression.extension())),
        (".rpm", format!("payload in {}", output.rpm.compression.extension())),
    ];
    rows.retain(|(name, _)| !output.refused.keys().any(|format| *name == format!(".{format}")));
    rows.extend(output.refused.iter().map(|(format, reason)| ("refused", format!("{format}: {reason}"))));
    rows
}

/// Leaves out a name that is the same as in the row above.
fn without_repetition(rows: Vec<Row>) -> Vec<[String; 2]> {
    let mut last = "";
    let mut shown = Vec::new();
    for (name, value) in rows {
        let is_same = name == last && name != "python" && name != "suite";
        shown.push([if is_same { String::new() } else { name.to_owned() }, value]);
        last = name;
    }
    shown
}
