//! `vb push`: packages are built, and then published; what is published already is left.

use vb_repo::{ChannelId, Format, PushedPackage, Record, Wanted};

use super::{
    build::build_and_place,
    repo::{
        errors::{add_error, change_error, state_error},
        open::{LazyWorkspace, Opened, Purpose, Surroundings, publisher},
        show::tell,
    },
};
use crate::{
    arguments::{Common, Push},
    display::{self, Display},
    exit::Exit,
    fatal::Fatal,
    published::{deep_keys, version_in},
    session::{Session, Target, spec_of},
    workbench::Workbench,
};

/// A package, and where it goes.
#[derive(Debug)]
struct Item {
    channel: ChannelId,
    name: String,
    /// As the repository has it.
    version: String,
    made_of: String,
    way: Way,
}

/// How a package comes into its channel.
#[derive(Debug)]
enum Way {
    /// It is there.
    Present,
    /// Another channel has it.
    Promote(ChannelId),
    /// It is built.
    Build(Target),
}

/// Runs the command.
pub(crate) fn run(common: &Common, arguments: &Push) -> Result<Exit, Fatal> {
    let session = Session::open(common, &arguments.selection)?.with_version(&arguments.version);
    let bench = Workbench::with(common, session.with_repository(&arguments.place))?;
    let surroundings = Surroundings {
        root: bench.session.root.clone(),
        workspace: bench.session.workspace.clone(),
        platforms: bench.session.platforms.clone(),
    };
    let workspace = LazyWorkspace::of(surroundings);
    let mut opened = Opened::in_workspace(&arguments.place, None, Purpose::Write, workspace)?;
    let items = items(&bench, &opened, arguments)?;

    let targets: Vec<Target> = items.iter().filter_map(Item::target).cloned().collect();
    let display = Display::new(common.json);
    let output = bench.session.root.join("dist");
    let placed = build_and_place(&bench, &targets, &output, &display)?;
    display.finish();

    let built = items.iter().filter(|item| item.target().is_some());
    let mut parts: Vec<(ChannelId, Vec<PushedPackage>)> = Vec::new();
    for (item, path) in built.zip(placed) {
        let format = vb_repo::format_of(&path).unwrap_or(Format::Deb);
        opened.know_platform(&item.channel.platform, format, std::slice::from_ref(&path))?;
        let package = PushedPackage { path, made_of: item.made_of.clone() };
        match parts.iter_mut().find(|(channel, _)| *channel == item.channel) {
            Some((_, packages)) => packages.push(package),
            None => parts.push((item.channel.clone(), vec![package])),
        }
    }
    let mut changes = opened.repository.push(&parts, &publisher()).map_err(add_error)?;
    for item in &items {
        let Way::Promote(from) = &item.way else { continue };
        let wanted = [Wanted { name: item.name.clone(), version: Some(item.version.clone()) }];
        let changed = opened.repository.promote(from, &item.channel, &wanted, &publisher()).map_err(change_error)?;
        changes.push((item.channel.clone(), changed));
    }
    if common.json {
        display::lines(&items.iter().map(Item::event).collect::<Vec<_>>());
        return Ok(Exit::Success);
    }
    changes.iter().for_each(|(channel, changed)| tell(channel, changed));
    let present = items.iter().filter(|item| matches!(item.way, Way::Present));
    display::lines(&present.map(Item::present_line).collect::<Vec<_>>());
    Ok(Exit::Success)
}

impl Item {
    fn target(&self) -> Option<&Target> {
        match &self.way {
            Way::Build(target) => Some(target),
            Way::Present | Way::Promote(_) => None,
        }
    }

    fn present_line(&self) -> String {
        format!("{}  {} {} is published already, nothing to do", self.channel, self.name, self.version)
    }

    fn event(&self) -> String {
        let way = match &self.way {
            Way::Present => "present",
            Way::Promote(_) => "promoted",
            Way::Build(_) => "added",
        };
        let event = serde_json::json!({
            "event": "push", "platform": self.channel.platform, "channel": self.channel.channel,
            "package": self.name, "version": self.version, "way": way,
        });
        event.to_string()
    }
}

/// Decides for each package where it goes, and whether it has to be built for that.
fn items(bench: &Workbench, opened: &Opened, arguments: &Push) -> Result<Vec<Item>, Fatal> {
    let session = &bench.session;
    let own = |target: &&Target| target.is_own;
    let answered = bench.answers.iter().map(|(target, _)| target);
    let targets: Vec<&Target> = bench.targets.iter().chain(answered).filter(own).collect();
    let mut items = Vec::new();
    for (recipe, platform) in session.pairs() {
        let pair = (recipe.path().to_owned(), platform.name.clone());
        let made: Vec<&&Target> = targets.iter().filter(|target| target.pair == pair).collect();
        if made.is_empty() {
            return Err(Fatal::message(
                Exit::Recipe,
                "vb::push::format",
                format!("`{}` makes no package for `{}` that a repository can hold", recipe.value.name, platform.name),
                format!("add `{}` to `formats`", platform.family.format()),
            ));
        }
        let checked_out = session.subject(recipe).checked_out().map_err(|error| Fatal::new(Exit::Recipe, error))?;
        if checked_out.is_some_and(|checked_out| checked_out.is_modified) && !arguments.allow_modified {
            return Err(Fatal::message(
                Exit::Usage,
                "vb::push::modified",
                format!("`{}` has changes that are in no commit", recipe.value.name),
                "commit them; `--allow-modified` publishes what nobody else can build again",
            ));
        }
        let is_tagged = checked_out.is_some_and(|checked_out| checked_out.is_tagged);
        let channel = opened.channel(&platform.name, &channel_of(opened, arguments, is_tagged)?)?;
        let keys = deep_keys(session, &bench.builder, (recipe, platform))?;
        for target in made {
            let key = keys.iter().find(|(name, _)| *name == target.name).map(|(_, key)| key.to_string());
            items.push(item(bench, opened, &channel, target, key.unwrap_or_default())?);
        }
    }
    Ok(items)
}

/// Decides how one package comes into its channel.
fn item(
    bench: &Workbench,
    opened: &Opened,
    channel: &ChannelId,
    target: &Target,
    made_of: String,
) -> Result<Item, Fatal> {
    let spec = spec_of(&bench.graph, target.package);
    let version = version_in(spec.format, &spec.version);
    let found = opened.repository.packages_of_platform(&target.platform, &spec.name).map_err(state_error)?;
    let is_same = |record: &Record| record.key.version == version && record.made_of() == Some(made_of.as_str());
    let mut same = found.into_iter().filter(|(_, record)| is_same(record)).map(|(channel, _)| channel).peekable();
    let way = match same.peek().cloned() {
        None => Way::Build(target.clone()),
        Some(_) if same.any(|own| own == *channel) => Way::Present,
        Some(first) => Way::Promote(first),
    };
    Ok(Item { channel: channel.clone(), name: spec.name.clone(), version, made_of, way })
}

/// The channel that is asked for; else the first, and for a tagged commit the second. The last one is for people.
fn channel_of(opened: &Opened, arguments: &Push, is_tagged: bool) -> Result<String, Fatal> {
    let channels = &opened.repository.settings().channels;
    let open = channels.len().max(2) - 1;
    if let Some(name) = &arguments.channel {
        return match channels.iter().position(|own| own == name) {
            Some(at) if at >= open => Err(Fatal::message(
                Exit::Usage,
                "vb::push::last_channel",
                format!("nothing is pushed to `{name}`, the last of the channels"),
                "push to an earlier channel, and move it with `vb repo promote`",
            )),
            _ => Ok(name.clone()),
        };
    }
    let at = usize::from(is_tagged).min(open - 1);
    Ok(channels.get(at).cloned().unwrap_or_default())
}
