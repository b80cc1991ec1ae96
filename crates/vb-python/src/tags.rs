//! Which wheels an interpreter on a platform accepts, and which it likes best.
//!
//! The order is that of PEP 425 as pip applies it: the native ABI first, then the stable ABI from the interpreter's own version
//! down to 3.2, then no ABI; within each, the newest manylinux policy (PEP 600) that the platform's glibc fulfils
//! comes first, its legacy alias after it, plain `linux_<machine>` last.
//! The glibc is the *platform's*, never the host's.

use std::{cmp::Reverse, collections::HashMap};

/// Which implementation of Python an interpreter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Implementation {
    /// CPython.
    Cpython,
    /// PyPy, whose extension modules have the binary interface `pp73` since its version 7.3.
    Pypy,
}

/// An interpreter of one version on a platform of one glibc and machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// What the interpreter is.
    pub implementation: Implementation,
    /// The interpreter's major and minor version.
    pub python: (u8, u8),
    /// The platform's glibc version.
    pub glibc: (u16, u16),
    /// The machine, as `uname -m` says it: `x86_64`.
    pub machine: String,
}

/// How well a wheel fits a target; the greater the better.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    tag: Reverse<usize>,
    build: Option<(u64, String)>,
}

impl Target {
    /// Returns all tags that the target accepts, the best first.
    pub fn supported_tags(&self) -> Vec<String> {
        let (major, minor) = self.python;
        let platforms = self.platforms();
        let is_pypy = self.implementation == Implementation::Pypy;
        let interpreter = format!("{}{major}{minor}", if is_pypy { "pp" } else { "cp" });
        let mut tags = Vec::new();
        push_tags(&mut tags, &interpreter, &self.native_abi(), &platforms);
        // Python 2 has no stable ABI (PEP 384).
        let has_stable_abi = !is_pypy && major > 2;
        if has_stable_abi {
            push_tags(&mut tags, &interpreter, "abi3", &platforms);
        }
        push_tags(&mut tags, &interpreter, "none", &platforms);
        for older in (2..minor).rev().filter(|_| has_stable_abi) {
            push_tags(&mut tags, &format!("cp{major}{older}"), "abi3", &platforms);
        }
        for python in self.generic_pythons() {
            push_tags(&mut tags, &python, "none", &platforms);
        }
        let any = ["any".to_owned()];
        // pip has PyPy's major version alone there.
        let interpreter = if is_pypy { format!("pp{major}") } else { interpreter };
        push_tags(&mut tags, &interpreter, "none", &any);
        for python in self.generic_pythons() {
            push_tags(&mut tags, &python, "none", &any);
        }
        tags
    }

    /// CPython up to 3.7 marks its pymalloc builds, which all distributions' are, with an `m`, and 2.7 its wide Unicode,
    /// which Linux distributions have, with a `u`.
    fn native_abi(&self) -> String {
        let (major, minor) = self.python;
        if self.implementation == Implementation::Pypy {
            return format!("pypy{major}{minor}_pp73");
        }
        let flag = match self.python {
            (2, _) => "mu",
            python if python < (3, 8) => "m",
            _ => "",
        };
        format!("cp{major}{minor}{flag}")
    }

    fn generic_pythons(&self) -> Vec<String> {
        let (major, minor) = self.python;
        let older = (0..minor).rev().map(|minor| format!("py{major}{minor}"));
        [format!("py{major}{minor}"), format!("py{major}")].into_iter().chain(older).collect()
    }

    fn platforms(&self) -> Vec<String> {
        let machine = &self.machine;
        let (major, newest) = self.glibc;
        let is_intel = matches!(machine.as_str(), "x86_64" | "i686");
        let oldest = if is_intel { 5 } else { 17 };
        let mut platforms = Vec::new();
        for minor in (oldest..=newest).rev() {
            platforms.push(format!("manylinux_{major}_{minor}_{machine}"));
            match minor {
                17 => platforms.push(format!("manylinux2014_{machine}")),
                12 if is_intel => platforms.push(format!("manylinux2010_{machine}")),
                5 if is_intel => platforms.push(format!("manylinux1_{machine}")),
                _ => {}
            }
        }
        platforms.push(format!("linux_{machine}"));
        platforms
    }
}

fn push_tags(tags: &mut Vec<String>, python: &str, abi: &str, platforms: &[String]) {
    tags.extend(platforms.iter().map(|platform| format!("{python}-{abi}-{platform}")));
}

/// Ranks a wheel by its file name; nothing if the target does not accept it, or the name is not a wheel's.
pub fn rank(wheel_file_name: &str, target: &Target) -> Option<Rank> {
    rank_among(wheel_file_name, &positions(&target.supported_tags()))
}

/// Returns the wheel that fits best; of equal ones the first.
pub fn choose<'a>(wheel_file_names: &[&'a str], target: &Target) -> Option<&'a str> {
    let tags = target.supported_tags();
    let positions = positions(&tags);
    let ranked = wheel_file_names.iter().filter_map(|name| Some((rank_among(name, &positions)?, *name)));
    // `max_by_key` keeps the last of equal elements, so the order is reversed.
    ranked.rev().max_by_key(|(rank, _)| rank.clone()).map(|(_, name)| name)
}

fn positions(tags: &[String]) -> HashMap<&str, usize> {
    tags.iter().enumerate().map(|(position, tag)| (tag.as_str(), position)).collect()
}

fn rank_among(wheel_file_name: &str, positions: &HashMap<&str, usize>) -> Option<Rank> {
    let name = WheelName::parse(wheel_file_name)?;
    let best = name.tags().iter().filter_map(|tag| positions.get(tag.as_str())).min()?;
    Some(Rank { tag: Reverse(*best), build: name.build_key() })
}

/// The parts of a wheel's file name (PEP 427): `name-version[-build]-python-abi-platform.whl`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WheelName<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    build: Option<&'a str>,
    python: &'a str,
    abi: &'a str,
    platform: &'a str,
}

impl<'a> WheelName<'a> {
    pub(crate) fn parse(file_name: &'a str) -> Option<Self> {
        let parts: Vec<&str> = file_name.strip_suffix(".whl")?.split('-').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return None;
        }
        let (build, tags) = match parts.len() {
            5 => (None, &parts[2..]),
            6 if parts[2].starts_with(|first: char| first.is_ascii_digit()) => (Some(parts[2]), &parts[3..]),
            _ => return None,
        };
        Some(Self { name: parts[0], version: parts[1], build, python: tags[0], abi: tags[1], platform: tags[2] })
    }

    fn tags(&self) -> Vec<String> {
        let mut tags = Vec::new();
        for python in self.python.split('.') {
            for abi in self.abi.split('.') {
                tags.extend(self.platform.split('.').map(|platform| format!("{python}-{abi}-{platform}")));
            }
        }
        tags
    }

    /// The build tag as PEP 427 sorts it: the leading digits as a number, then the rest; absent sorts first.
    fn build_key(&self) -> Option<(u64, String)> {
        let build = self.build?;
        let digits = build.bytes().take_while(u8::is_ascii_digit).count();
        Some((build[..digits].parse().unwrap_or(u64::MAX), build[digits..].to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bookworm() -> Target {
        Target { implementation: Implementation::Cpython, python: (3, 11), glibc: (2, 36), machine: "x86_64".into() }
    }

    #[test]
    fn the_supported_tags_are_those_of_pip_in_its_order() {
        let expect = include_str!("../tests/data/tags-cp311-glibc-2.36-x86_64.txt");
        let tags = bookworm().supported_tags();
        for (position, (tag, expect)) in tags.iter().zip(expect.lines()).enumerate() {
            assert_eq!(tag, expect, "at {position}");
        }
        assert_eq!(tags.len(), expect.lines().count());
    }

    #[test]
    fn a_platform_accepts_what_its_glibc_and_interpreter_can_load() {
        let name = |tags: &str| format!("a-1.0-{tags}.whl");
        for (tags, is_accepted) in [
            ("cp311-cp311-manylinux_2_36_x86_64", true),
            ("cp311-cp311-manylinux_2_37_x86_64", false),
            ("cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64", true),
            ("cp311-cp311-manylinux_2_17_aarch64", false),
            ("cp311-cp311-musllinux_1_1_x86_64", false),
            ("cp311-cp311-linux_x86_64", true),
            ("cp310-cp310-manylinux_2_17_x86_64", false),
            ("cp37-abi3-manylinux_2_17_x86_64", true),
            ("cp312-abi3-manylinux_2_17_x86_64", false),
            ("py2.py3-none-any", true),
            ("py2-none-any", false),
            ("py312-none-any", false),
            ("py3-none-win_amd64", false),
            ("py3-none-manylinux1_x86_64", true),
        ] {
            assert_eq!(rank(&name(tags), &bookworm()).is_some(), is_accepted, "{tags}");
        }
    }

    #[test]
    fn pypy_takes_its_own_compiled_wheels_and_those_without_compiled_code() {
        let pypy = Target { implementation: Implementation::Pypy, python: (3, 9), ..bookworm() };
        let ascending = [
            "a-1.0-py3-none-any.whl",
            "a-1.0-pp3-none-any.whl",
            "a-1.0-py3-none-manylinux1_x86_64.whl",
            "a-1.0-pp39-pypy39_pp73-manylinux_2_17_x86_64.whl",
        ];
        assert!(ascending.map(|name| rank(name, &pypy).unwrap()).is_sorted_by(|one, other| one < other));
        for refused in ["cp39-cp39-linux_x86_64", "cp36-abi3-linux_x86_64", "pp38-pypy38_pp73-linux_x86_64"] {
            assert_eq!(rank(&format!("a-1.0-{refused}.whl"), &pypy), None, "{refused}");
        }
    }

    #[test]
    fn python_2_takes_wheels_for_wide_unicode_and_none_of_a_stable_abi() {
        let old = Target { python: (2, 7), glibc: (2, 31), ..bookworm() };
        let ascending = [
            "a-1.0-py2.py3-none-any.whl",
            "a-1.0-py27-none-any.whl",
            "a-1.0-cp27-none-any.whl",
            "a-1.0-py2-none-manylinux1_x86_64.whl",
            "a-1.0-cp27-none-manylinux1_x86_64.whl",
            "a-1.0-cp27-cp27mu-linux_x86_64.whl",
            "a-1.0-cp27-cp27mu-manylinux1_x86_64.whl",
            "a-1.0-cp27-cp27mu-manylinux2010_x86_64.whl",
            "a-1.0-cp27-cp27mu-manylinux2014_x86_64.whl",
        ];
        assert!(ascending.map(|name| rank(name, &old).unwrap()).is_sorted_by(|one, other| one < other));
        for refused in
            ["cp27-cp27m-manylinux1_x86_64", "py3-none-any", "cp26-abi3-linux_x86_64", "cp27-abi3-linux_x86_64"]
        {
            assert_eq!(rank(&format!("a-1.0-{refused}.whl"), &old), None, "{refused}");
        }
    }

    #[test]
    fn the_most_specific_wheel_wins() {
        let ascending = [
            "a-1.0-py30-none-any.whl",
            "a-1.0-py2.py3-none-any.whl",
            "a-1.0-py311-none-any.whl",
            "a-1.0-cp311-none-any.whl",
            "a-1.0-py3-none-manylinux1_x86_64.whl",
            "a-1.0-cp36-abi3-manylinux2014_x86_64.whl",
            "a-1.0-cp310-abi3-linux_x86_64.whl",
            "a-1.0-cp311-abi3-manylinux_2_28_x86_64.whl",
            "a-1.0-cp311-cp311-linux_x86_64.whl",
            "a-1.0-cp311-cp311-manylinux1_x86_64.whl",
            "a-1.0-cp311-cp311-manylinux2014_x86_64.whl",
            "a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
            "a-1.0-1-cp311-cp311-manylinux_2_17_x86_64.whl",
            "a-1.0-2-cp311-cp311-manylinux_2_17_x86_64.whl",
            "a-1.0-10a-cp311-cp311-manylinux_2_17_x86_64.whl",
            "a-1.0-10b-cp311-cp311-manylinux_2_17_x86_64.whl",
        ];
        let ranks: Vec<_> = ascending.iter().map(|name| rank(name, &bookworm()).unwrap()).collect();
        assert!(ranks.is_sorted_by(|one, other| one < other));
        assert_eq!(choose(&ascending, &bookworm()), ascending.last().copied());
    }

    #[test]
    fn of_equal_wheels_the_first_is_chosen() {
        let names = ["a-1.0-py3-none-any.whl", "A-1.0-py3-none-any.whl"];
        assert_eq!(choose(&names, &bookworm()), Some(names[0]));
    }

    #[test]
    fn names_that_are_not_wheel_names_have_no_rank() {
        for name in ["a-1.0.tar.gz", "a-1.0-py3-none.whl", "a-1.0-x-py3-none-any.whl", "a--py3-none-any.whl", ".whl"] {
            assert_eq!(rank(name, &bookworm()), None, "{name}");
        }
    }

    #[test]
    fn old_interpreters_have_the_pymalloc_flag_and_arm_has_no_old_policies() {
        let trusty = Target { python: (3, 4), glibc: (2, 19), ..bookworm() };
        assert!(rank("a-1.0-cp34-cp34m-manylinux1_x86_64.whl", &trusty).is_some());
        assert!(rank("a-1.0-cp34-cp34-manylinux1_x86_64.whl", &trusty).is_none());
        let arm = Target { machine: "aarch64".into(), ..bookworm() };
        assert!(rank("a-1.0-cp311-cp311-manylinux_2_12_aarch64.whl", &arm).is_none());
    }
}
