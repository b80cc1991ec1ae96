//! Triggers: scripts of a package that rpm runs because of other packages, or of files of theirs (rpm-spec(7)).
//!
//! They are written as in a spec file, one behind the other in `rpm/triggers`: a line `%triggerin [-p interpreter] --
//! package, package >= 1.0`, or `%transfiletriggerin -- /usr/share/fonts`, and the script below it. In the header each of
//! the three families has tags of its own: its scripts, and for each condition the script that it belongs to.

use std::fmt;

use rpm::{Dependency, DependencyFlags, Header, IndexTag};

use super::{
    read::{RpmRelation, RpmScript, optional},
    scriptlet::script_of,
};
use crate::maintainer::MaintainerFileError;

/// What rpm gives to file triggers that have no other priority.
pub(crate) const PRIORITY: u32 = 1_000_000;

/// A script, and what makes rpm run it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpmTrigger {
    pub(crate) family: Family,
    /// What has to happen to what it waits for: to come, or to go.
    when: DependencyFlags,
    /// Packages, with versions where they have some; for the families of files, beginnings of paths.
    conditions: Vec<Dependency>,
    pub(crate) script: RpmScript,
}

/// What a trigger waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// A package.
    Package,
    /// Files, after each package that has some.
    File,
    /// Files, once in a transaction.
    Transaction,
}

/// The tags of a family: scripts, their interpreters and priorities, and of conditions names, versions, flags and scripts.
pub(crate) struct Tags {
    pub(crate) scripts: IndexTag,
    pub(crate) programs: IndexTag,
    pub(crate) priorities: Option<IndexTag>,
    pub(crate) conditions: [IndexTag; 4],
}

impl Family {
    pub(crate) const ALL: [Self; 3] = [Self::Package, Self::File, Self::Transaction];

    pub(crate) fn tags(self) -> Tags {
        use IndexTag as Tag;
        match self {
            Self::Package => Tags {
                scripts: Tag::RPMTAG_TRIGGERSCRIPTS,
                programs: Tag::RPMTAG_TRIGGERSCRIPTPROG,
                priorities: None,
                conditions: [
                    Tag::RPMTAG_TRIGGERNAME,
                    Tag::RPMTAG_TRIGGERVERSION,
                    Tag::RPMTAG_TRIGGERFLAGS,
                    Tag::RPMTAG_TRIGGERINDEX,
                ],
            },
            Self::File => Tags {
                scripts: Tag::RPMTAG_FILETRIGGERSCRIPTS,
                programs: Tag::RPMTAG_FILETRIGGERSCRIPTPROG,
                priorities: Some(Tag::RPMTAG_FILETRIGGERPRIORITIES),
                conditions: [
                    Tag::RPMTAG_FILETRIGGERNAME,
                    Tag::RPMTAG_FILETRIGGERVERSION,
                    Tag::RPMTAG_FILETRIGGERFLAGS,
                    Tag::RPMTAG_FILETRIGGERINDEX,
                ],
            },
            Self::Transaction => Tags {
                scripts: Tag::RPMTAG_TRANSFILETRIGGERSCRIPTS,
                programs: Tag::RPMTAG_TRANSFILETRIGGERSCRIPTPROG,
                priorities: Some(Tag::RPMTAG_TRANSFILETRIGGERPRIORITIES),
                conditions: [
                    Tag::RPMTAG_TRANSFILETRIGGERNAME,
                    Tag::RPMTAG_TRANSFILETRIGGERVERSION,
                    Tag::RPMTAG_TRANSFILETRIGGERFLAGS,
                    Tag::RPMTAG_TRANSFILETRIGGERINDEX,
                ],
            },
        }
    }
}

impl RpmTrigger {
    /// Returns the conditions: name, version, and the flags of both the comparison and the moment.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = (&str, &str, u32)> {
        let flags = |condition: &Dependency| (condition.flags | self.when).bits();
        self.conditions.iter().map(move |one| (one.name.as_str(), one.version.as_str(), flags(one)))
    }
}

/// The trigger as a spec file has it, and as `rpm/triggers` does.
impl fmt::Display for RpmTrigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::Package => "",
            Family::File => "file",
            Family::Transaction => "transfile",
        };
        let when = match self.when {
            DependencyFlags::TRIGGERUN => "un",
            DependencyFlags::TRIGGERPOSTUN => "postun",
            DependencyFlags::TRIGGERPREIN => "prein",
            _ => "in",
        };
        write!(f, "%{family}trigger{when}")?;
        if self.script.program != ["/bin/sh"] {
            write!(f, " -p {}", self.script.program.join(" "))?;
        }
        let conditions: Vec<String> =
            self.conditions.iter().map(|condition| RpmRelation::of(condition.clone()).to_string()).collect();
        let separator = if self.family == Family::Package { ", " } else { " " };
        write!(f, " -- {}\n{}", conditions.join(separator), self.script.text)?;
        if self.script.text.ends_with('\n') { Ok(()) } else { writeln!(f) }
    }
}

/// Reads the triggers that a header has.
pub(super) fn triggers_of(header: &Header<IndexTag>) -> Result<Vec<RpmTrigger>, rpm::Error> {
    let words = |tag| -> Result<Vec<String>, rpm::Error> {
        let words = optional(header.get_entry_data_as_string_array(tag))?.unwrap_or_default();
        Ok(words.into_iter().map(str::to_owned).collect())
    };
    let numbers = |tag| Ok::<_, rpm::Error>(optional(header.get_entry_data_as_u32_array(tag))?.unwrap_or_default());
    let mut triggers = Vec::new();
    for family in Family::ALL {
        let Tags { scripts, programs, conditions: [names, versions, flags, owners], .. } = family.tags();
        let (names, versions) = (words(names)?, words(versions)?);
        let (flags, owners) = (numbers(flags)?, numbers(owners)?);
        let conditions = || names.iter().zip(&versions).zip(flags.iter().zip(&owners));
        let programs = words(programs)?;
        for (index, text) in words(scripts)?.into_iter().enumerate() {
            let own: Vec<Dependency> = conditions()
                .filter(|(_, (_, owner))| usize::try_from(**owner) == Ok(index))
                .map(|((name, version), (flags, _))| Dependency {
                    name: name.clone(),
                    version: version.clone(),
                    flags: DependencyFlags::from_bits_retain(*flags),
                })
                .collect();
            let when = own.iter().fold(DependencyFlags::empty(), |all, one| all | one.flags) & moments();
            let without = |one: Dependency| Dependency { flags: one.flags - moments(), ..one };
            let program = programs.get(index).cloned().into_iter().collect();
            let conditions = own.into_iter().map(without).collect();
            triggers.push(RpmTrigger { family, when, conditions, script: RpmScript { program, text } });
        }
    }
    Ok(triggers)
}

fn moments() -> DependencyFlags {
    use DependencyFlags as Flags;
    Flags::TRIGGERIN | Flags::TRIGGERUN | Flags::TRIGGERPOSTUN | Flags::TRIGGERPREIN
}

/// Reads `rpm/triggers`.
pub(crate) fn parse(content: &[u8]) -> Result<Vec<RpmTrigger>, MaintainerFileError> {
    let not_text = || MaintainerFileError::ScriptletNotText { file: "triggers".to_owned() };
    let text = str::from_utf8(content).ok().filter(|text| !text.contains('\0')).ok_or_else(not_text)?;
    let mut triggers: Vec<RpmTrigger> = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with('%') {
            triggers.push(head(line.trim_end()).ok_or_else(|| refused(line))?);
        } else if let Some(trigger) = triggers.last_mut() {
            trigger.script.text.push_str(line);
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            return Err(refused(line));
        }
    }
    Ok(triggers)
}

fn refused(line: &str) -> MaintainerFileError {
    MaintainerFileError::RpmTrigger { line: line.trim_end().to_owned() }
}

/// Reads the line that begins a trigger.
fn head(line: &str) -> Option<RpmTrigger> {
    let (options, conditions) = line.split_once(" -- ")?;
    let mut words = options.split_whitespace();
    let (family, when) = kind(words.next()?)?;
    let script = match (words.next(), words.next(), words.next()) {
        (None, ..) => script_of("triggers", b"").ok()?,
        (Some("-p"), Some(program), None) => script_of("triggers", format!("#!{program}\n").as_bytes()).ok()?,
        _ => return None,
    };
    let conditions: Option<Vec<Dependency>> = match family {
        Family::Package => conditions.split(',').map(|text| super::relation::parse(text.trim())).collect(),
        _ => conditions.split_whitespace().map(|path| path.starts_with('/').then(|| Dependency::any(path))).collect(),
    };
    let conditions = conditions.filter(|conditions| !conditions.is_empty())?;
    Some(RpmTrigger { family, when, conditions, script })
}

fn kind(word: &str) -> Option<(Family, DependencyFlags)> {
    let (family, when) = if let Some(when) = word.strip_prefix("%transfiletrigger") {
        (Family::Transaction, when)
    } else if let Some(when) = word.strip_prefix("%filetrigger") {
        (Family::File, when)
    } else {
        (Family::Package, word.strip_prefix("%trigger")?)
    };
    let when = match when {
        "in" => DependencyFlags::TRIGGERIN,
        "un" => DependencyFlags::TRIGGERUN,
        "postun" => DependencyFlags::TRIGGERPOSTUN,
        "prein" if family == Family::Package => DependencyFlags::TRIGGERPREIN,
        _ => return None,
    };
    Some((family, when))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_are_read_as_spec_files_have_them() {
        let text = "# Fonts.\n%transfiletriggerin -- /usr/share/fonts /opt/fonts\nfc-cache\n\n\
                    %triggerun -p /bin/bash -- python3 >= 3.11, bash\necho $1\n";
        let triggers = parse(text.as_bytes()).unwrap();
        let shown = |trigger: &RpmTrigger| {
            let conditions: Vec<String> =
                trigger.conditions().map(|(name, version, flags)| format!("{name}|{version}|{flags:x}")).collect();
            format!(
                "{:?} {} {:?} {}",
                trigger.family,
                conditions.join(" "),
                trigger.script.text,
                trigger.script.program[0]
            )
        };
        assert_eq!(
            triggers.iter().map(shown).collect::<Vec<_>>(),
            [
                "Transaction /usr/share/fonts||10000 /opt/fonts||10000 \"fc-cache\\n\\n\" /bin/sh",
                "Package python3|3.11|2000c bash||20000 \"echo $1\\n\" /bin/bash",
            ]
        );
    }

    #[test]
    fn what_is_no_trigger_is_refused_by_its_line() {
        for line in [
            "echo",
            "%post",
            "%triggerin bash",
            "%triggerin -- ",
            "%triggerin -x y -- bash",
            "%triggerin -p sh -- bash",
            "%filetriggerin -- usr/share",
            "%filetriggerprein -- /usr",
        ] {
            let error = parse(format!("{line}\n").as_bytes()).unwrap_err();
            assert_eq!(error, MaintainerFileError::RpmTrigger { line: line.trim_end().to_owned() });
        }
    }
}
