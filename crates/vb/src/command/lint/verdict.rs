//! What is made of what checkers found: accepted with a reason, or not.

use std::collections::{BTreeMap, BTreeSet};

use vb_build::{BuildReport, Finding, Findings, Severity};
use vb_graph::{Checker, Pattern};
use vb_recipe::{AcceptedTag, LintRecipe};
use vb_store::Matcher;

use super::looks::Look;
use crate::{display, exit::Exit, fatal::Fatal, session::Session, workbench::Workbench};

/// How many findings of one tag are shown.
const SHOWN: usize = 3;

/// What was found in each package.
pub(super) struct Verdict<'a>(Vec<Judged<'a>>);

struct Judged<'a> {
    look: &'a Look,
    found: Findings,
    /// What is accepted, the recipe's before the workspace's.
    accepted: Vec<Accepted<'a>>,
}

/// Something that is accepted, ready to be compared with what is found.
struct Accepted<'a> {
    tag: &'a AcceptedTag,
    paths: Matcher,
}

impl<'a> Accepted<'a> {
    fn of(tag: &'a AcceptedTag) -> Result<Self, Fatal> {
        let globs: Vec<Pattern> =
            tag.paths.iter().map(|path| Pattern::Glob(path.trim_start_matches('/').to_owned())).collect();
        let paths = Matcher::new(&globs).map_err(|error| {
            let message = format!("`{}` is accepted at paths that are no patterns", tag.tag);
            let help = "change `paths` in `lint` of the recipe or the workspace";
            Fatal::caused(Exit::Recipe, "vb::lint::paths", message, help, error)
        })?;
        Ok(Self { tag, paths })
    }

    fn accepts(&self, finding: &Finding) -> bool {
        let is_there = || finding.path().is_some_and(|path| self.paths.is_match(path));
        self.tag.tag == finding.tag && (self.tag.paths.is_empty() || is_there())
    }
}

impl<'a> Verdict<'a> {
    /// Judges what was looked at.
    pub(super) fn of(bench: &'a Workbench, looks: &'a [Look], report: &BuildReport) -> Result<Self, Fatal> {
        let session = &bench.session;
        let mut judged = Vec::new();
        for (look, output) in looks.iter().zip(&report.outputs) {
            let Some(output) = output else { continue };
            let found = bench.builder.findings(output).map_err(|error| {
                let help = "run `vb cache verify`, and the command again";
                Fatal::caused(Exit::Environment, "vb::lint::report", "cannot read what a checker found", help, error)
            })?;
            let recipe = look.recipe.as_ref().and_then(|path| session.recipe_at(path));
            let lists = [recipe.map(|recipe| &recipe.value.lint), Some(&session.workspace.value.lint)];
            let tags = lists.into_iter().flatten().flat_map(|lint| lint.of(look.checker));
            let accepted = tags.map(Accepted::of).collect::<Result<_, _>>()?;
            judged.push(Judged { look, found, accepted });
        }
        Ok(Self(judged))
    }

    /// Says what is not accepted, for people.
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.iter().flat_map(Judged::lines).collect()
    }

    /// Says everything, each finding as a line of JSON.
    pub(super) fn events(&self) -> Vec<String> {
        self.0.iter().flat_map(Judged::events).collect()
    }

    /// Says how much is not accepted; nothing where all is.
    pub(super) fn refused(&self) -> Option<String> {
        let count = |severity| self.0.iter().map(|judged| judged.count(severity)).sum();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        (errors + warnings > 0).then(|| {
            let errors = display::counted(errors, "error");
            format!("{errors} and {} that nobody has accepted", display::counted(warnings, "warning"))
        })
    }

    /// Names the accepted tags that no checker finds any more: those of recipes and, where all of these were looked at,
    /// those of the workspace.
    pub(super) fn unused(&self, session: &Session, is_all: bool) -> Result<Vec<String>, Fatal> {
        let paths: BTreeSet<_> = self.0.iter().filter_map(|judged| judged.look.recipe.as_ref()).collect();
        let mut lines = Vec::new();
        for recipe in paths.into_iter().filter_map(|path| session.recipe_at(path)) {
            let is_of = |judged: &&Judged<'_>| judged.look.recipe.as_deref() == Some(recipe.path());
            lines.extend(self.unused_of(&recipe.value.lint, is_of, |field| recipe.place(field))?);
        }
        if is_all {
            let workspace = &session.workspace;
            lines.extend(self.unused_of(&workspace.value.lint, |_| true, |field| workspace.place(field))?);
        }
        Ok(lines)
    }

    fn unused_of(
        &self,
        lint: &LintRecipe,
        is_of: impl Fn(&&Judged<'_>) -> bool,
        place: impl Fn(&str) -> String,
    ) -> Result<Vec<String>, Fatal> {
        let mut lines = Vec::new();
        for checker in [Checker::Lintian, Checker::Rpmlint] {
            let looks: Vec<_> = self.0.iter().filter(|judged| judged.look.checker == checker).filter(&is_of).collect();
            let tags = lint.of(checker).iter().enumerate().filter(|_| !looks.is_empty());
            for (index, tag) in tags {
                let accepted = Accepted::of(tag)?;
                if looks.iter().flat_map(|judged| &judged.found.findings).any(|finding| accepted.accepts(finding)) {
                    continue;
                }
                let (checker, name) = (checker.as_str(), &tag.tag);
                let place = place(&format!("lint.{checker}[{index}]"));
                let at = if tag.paths.is_empty() { "" } else { " at such a path" };
                lines.push(format!("{place}: {checker} no longer finds `{name}`{at}, which is accepted there"));
            }
        }
        Ok(lines)
    }
}

impl Judged<'_> {
    /// Returns why a finding is accepted, if it is.
    fn reason(&self, finding: &Finding) -> Option<&str> {
        let accepted = self.accepted.iter().find(|accepted| accepted.accepts(finding))?;
        Some(&accepted.tag.reason)
    }

    fn count(&self, severity: Severity) -> usize {
        let is_refused = |finding: &&Finding| finding.severity == severity && self.reason(finding).is_none();
        self.found.findings.iter().filter(is_refused).count()
    }

    fn lines(&self) -> Vec<String> {
        let mut refused: BTreeMap<(Severity, &str), Vec<&str>> = BTreeMap::new();
        for finding in self.found.findings.iter().filter(|finding| self.reason(finding).is_none()) {
            refused.entry((finding.severity, &finding.tag)).or_default().push(&finding.details);
        }
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        let accepted = self.found.findings.len() - errors - warnings;
        let [errors, warnings] = [(errors, "error"), (warnings, "warning")].map(|(n, word)| display::counted(n, word));
        let mut lines = vec![format!("{}: {errors}, {warnings}, {accepted} accepted", self.look.label)];
        for ((severity, tag), details) in refused {
            let explanation = self.found.explanations.get(tag).map(|text| format!(": {text}")).unwrap_or_default();
            lines.push(format!("  {:<8} {tag}{explanation}", severity.as_str()));
            let shown = details.iter().filter(|details| !details.is_empty()).take(SHOWN);
            lines.extend(shown.map(|details| format!("           {details}")));
            if details.len() > SHOWN {
                lines.push(format!("           and {} more", details.len() - SHOWN));
            }
        }
        lines
    }

    fn events(&self) -> Vec<String> {
        let event = |finding: &Finding| {
            let accepted = self.reason(finding);
            serde_json::json!({
                "event": "finding", "label": self.look.label, "checker": self.look.checker.as_str(),
                "severity": finding.severity, "tag": finding.tag, "details": finding.details, "accepted": accepted,
            })
            .to_string()
        };
        self.found.findings.iter().map(event).collect()
    }
}
