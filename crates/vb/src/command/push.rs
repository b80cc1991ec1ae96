//! `vb push`: packages are built, and then published; what is published already is left.

use std::collections::BTreeMap;

use vb_recipe::{Evaluated, Platform, Recipe};
use vb_repo::{Changed, ChannelId, Format, PushedPackage, Record};

use super::{
    build::build_and_place,
    repo::{
        errors::{add_error, state_error},
        open::{LazyWorkspace, Opened, Purpose, Surroundings, publisher},
        show::tell,
    },
};
use crate::{
    arguments::{Common, Push},
    display::{self, Display},
    exit::Exit,
    fatal::Fatal,
    published::{deep_keys, key_of, version_in},
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

    let parts = build(common, &bench, &mut opened, &items)?;
    let changes = opened.repository.push(&parts, &publisher()).map_err(add_error)?;
    if common.json {
        display::lines(&items.iter().map(Item::event).collect::<Vec<_>>());
        return Ok(Exit::Success);
    }
    // Of a channel that gets nothing, the packages that are there say so themselves.
    let is_told = |channel: &ChannelId| parts.get(channel).is_some_and(|part| !part.is_empty());
    let told = changes.iter().filter(|(channel, changed)| *changed != Changed::Nothing || is_told(channel));
    told.for_each(|(channel, changed)| tell(channel, changed));
    let present = items.iter().filter(|item| matches!(item.way, Way::Present));
    display::lines(&present.map(Item::present_line).collect::<Vec<_>>());
    Ok(Exit::Success)
}

/// Builds what has to be built; returns what comes into each channel, which is nothing where all is there.
fn build(
    common: &Common,
    bench: &Workbench,
    opened: &mut Opened,
    items: &[Item],
) -> Result<BTreeMap<ChannelId, Vec<PushedPackage>>, Fatal> {
    let targets: Vec<Target> = items.iter().filter_map(Item::target).cloned().collect();
    let display = Display::new(common.json);
    let output = bench.session.root.join("dist");
    let mut placed = build_and_place(bench, &targets, &output, &display)?.into_iter();
    display.finish();
    let mut parts: BTreeMap<ChannelId, Vec<PushedPackage>> = BTreeMap::new();
    for item in items {
        let part = parts.entry(item.channel.clone()).or_default();
        match &item.way {
            Way::Present => {}
            Way::Promote(from) => {
                let (name, version) = (item.name.clone(), item.version.clone());
                part.push(PushedPackage::Held { from: from.clone(), name, version });
            }
            Way::Build(_) => {
                let path = placed.next().expect("each package that is built has a place");
                let format = vb_repo::format_of(&path).unwrap_or(Format::Deb);
                opened.know_platform(&item.channel.platform, format, std::slice::from_ref(&path))?;
                part.push(PushedPackage::File { path, made_of: item.made_of.clone() });
            }
        }
    }
    Ok(parts)
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
        let made = targets_of(&targets, recipe, platform);
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
        // Nobody could install the application where its interpreter is not.
        for recipe in session.needed_interpreter(recipe, platform).into_iter().chain([recipe]) {
            let keys = deep_keys(session, &bench.builder, (recipe, platform))?;
            for target in targets_of(&targets, recipe, platform) {
                if items.iter().any(|item: &Item| item.channel == channel && item.name == target.name) {
                    continue;
                }
                let key = keys.iter().find(|(name, _)| *name == target.name).map(|(_, key)| key.to_string());
                items.push(item(bench, opened, &channel, target, key.unwrap_or_default())?);
            }
        }
    }
    Ok(items)
}

fn targets_of<'a>(targets: &[&'a Target], recipe: &Evaluated<Recipe>, platform: &Platform) -> Vec<&'a Target> {
    let pair = key_of(&(recipe, platform));
    targets.iter().filter(|target| target.pair == pair).copied().collect()
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
