//! The names of architectures: dpkg's and rpm's.

/// dpkg's name, and rpm's for the same machines.
const NAMES: [(&str, &str); 13] = [
    ("amd64", "x86_64"),
    ("arm64", "aarch64"),
    ("armel", "armv5tel"),
    ("armhf", "armv7hl"),
    ("i386", "i686"),
    ("loong64", "loongarch64"),
    ("mips64el", "mips64el"),
    ("mipsel", "mipsel"),
    ("ppc64", "ppc64"),
    ("ppc64el", "ppc64le"),
    ("riscv64", "riscv64"),
    ("s390x", "s390x"),
    ("x32", "x32"),
];

/// Returns dpkg's name of an architecture that is given in either's words.
pub(crate) fn debian_name(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(debian, rpm)| [*debian, *rpm].contains(&name)).map(|(debian, _)| *debian)
}

/// Returns rpm's name of an architecture that is given in either's words.
pub(crate) fn rpm_name(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(debian, rpm)| [*debian, *rpm].contains(&name)).map(|(_, rpm)| *rpm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_is_understood_in_the_words_of_both() {
        for name in ["amd64", "x86_64"] {
            assert_eq!((debian_name(name), rpm_name(name)), (Some("amd64"), Some("x86_64")));
        }
        for name in ["all", "noarch", "x86-64", ""] {
            assert_eq!((debian_name(name), rpm_name(name)), (None, None));
        }
    }
}
