//! A small distribution in which every rule of RPM's relations decides something.

use vb_testkit::rpm::RpmPackage;

fn package(name: &str, evr: &str) -> RpmPackage {
    RpmPackage::new(name, evr)
}

fn noarch(name: &str, evr: &str) -> RpmPackage {
    package(name, evr).architecture("noarch")
}

/// Returns the packages.
pub(super) fn packages() -> Vec<RpmPackage> {
    [base(), versions(), choices(), rich(), conflicts(), obsoletes(), architectures(), files(), broken()].concat()
}

fn base() -> Vec<RpmPackage> {
    vec![
        noarch("filesystem", "3.16-2.el9"),
        package("glibc", "2.34-60.el9").requires("glibc-common = 2.34-60.el9").provides("libc.so.6()(64bit)"),
        package("glibc", "2.34-83.el9")
            .requires("glibc-common = 2.34-83.el9")
            .requires("filesystem")
            .provides("libc.so.6()(64bit)")
            .provides("libc.so.6(GLIBC_2.34)(64bit)")
            .recommends("glibc-langpack"),
        package("glibc-common", "2.34-60.el9"),
        package("glibc-common", "2.34-83.el9"),
        package("glibc-langpack", "2.34-83.el9").requires("glibc = 2.34-83.el9"),
        package("bash", "5.1.8-6.el9")
            .provides("/bin/sh")
            .file("/usr/bin/bash", "bash", 0o755)
            .link("/usr/bin/sh", "bash")
            .requires("libc.so.6(GLIBC_2.34)(64bit)")
            .requires("filesystem >= 3"),
        package("openssl-libs", "1:3.0.7-24.el9").provides("libssl.so.3()(64bit)").requires("libc.so.6()(64bit)"),
        package("python3", "3.9.18-1.el9")
            .provides("python(abi) = 3.9")
            .provides("python3.9 = 3.9.18-1.el9")
            .requires("python3-libs = 3.9.18-1.el9")
            .file("/usr/bin/python3.9", "python", 0o755),
        package("python3-libs", "3.9.18-1.el9").requires("libssl.so.3()(64bit)").requires("libc.so.6()(64bit)"),
        package("python3.11", "3.11.7-1.el9").provides("python(abi) = 3.11").requires("python3.11-libs = 3.11.7-1.el9"),
        package("python3.11-libs", "3.11.7-1.el9").requires("libssl.so.3()(64bit)"),
        noarch("python3-six", "1.15-9.el9").requires("python(abi) = 3.9"),
        noarch("python3.11-six", "1.16-1.el9").requires("python(abi) = 3.11"),
        package("postgresql-libs", "13.14-1.el9").provides("libpq.so.5()(64bit)").requires("libssl.so.3()(64bit)"),
        package("postgresql-devel", "13.14-1.el9").requires("postgresql-libs = 13.14-1.el9"),
    ]
}

/// Epochs, `~`, `^`, relations without a release.
fn versions() -> Vec<RpmPackage> {
    vec![
        package("tool", "1.9-1"),
        package("tool", "1.10-1"),
        package("tool", "1.10~rc1-1"),
        package("epoch", "1:1.0-1"),
        package("epoch", "9.0-1"),
        package("snapshot", "1.0-1"),
        package("snapshot", "1.0^20240101-1"),
        package("lib", "1.0-3").provides("lib-abi = 1"),
        package("lib", "2.0~beta-1").provides("lib-abi = 2"),
        package("lib", "2.0-1").provides("lib-abi = 2"),
        package("wants-old-lib", "1-1").requires("lib < 2.0"),
        package("wants-beta", "1-1").requires("lib < 2.0").requires("lib >= 2.0~"),
        package("wants-lib-1", "1-1").requires("lib = 1.0"),
        package("wants-abi", "1-1").requires("lib-abi = 1"),
        package("wants-new", "1-1").requires("lib > 1.0"),
        package("wants-release", "1-1").requires("lib >= 1.0-2"),
        package("unversioned", "1-1").provides("plain"),
        package("wants-plain", "1-1").requires("plain >= 7"),
        package("half", "1-1").provides("half-abi = 2"),
        package("wants-half", "1-1").requires("half-abi >= 2-9"),
        package("upward", "1-1").provides("range >= 3"),
        package("wants-range", "1-1").requires("range > 9"),
        package("wants-low-range", "1-1").requires("range < 3"),
    ]
}

/// Several packages provide what is wanted.
fn choices() -> Vec<RpmPackage> {
    vec![
        package("mta-a", "1-1").provides("mta"),
        package("mta-b", "1-1").provides("mta"),
        package("mta-z", "9-1").provides("mta"),
        package("wants-mta", "1-1").requires("mta"),
        package("wants-mta-and-b", "1-1").requires("mta").requires("mta-b"),
        package("prefers-z", "1-1").requires("mta").recommends("mta-z"),
        package("late", "1-1").requires("mta").requires("brings-z"),
        package("brings-z", "1-1").requires("mta-z"),
        package("java-8", "1.8-1").provides("java = 1.8"),
        package("java-11", "11-1").provides("java = 11"),
        package("java-17", "17-1").provides("java = 17").requires("nowhere-to-be-found"),
        package("wants-java", "1-1").requires("java >= 1.8"),
        package("wants-java-11", "1-1").requires("java >= 11"),
        package("supplemented", "1-1").provides("choice").supplements("has-choice"),
        package("alternative", "1-1").provides("choice"),
        package("has-choice", "1-1").requires("choice"),
        package("multi", "1-1").provides("multi-abi = 1"),
        package("multi", "2-1").provides("multi-abi = 1").provides("multi-abi = 2"),
        package("wants-multi", "1-1").requires("multi-abi = 1"),
    ]
}

fn rich() -> Vec<RpmPackage> {
    vec![
        package("rich-or", "1-1").requires("(absent or mta-b)"),
        package("rich-or-many", "1-1").requires("(tool or lib or mta-z)"),
        package("rich-and", "1-1").requires("(tool and lib < 2.0)"),
        package("rich-if", "1-1").requires("(langpack if graphics)"),
        package("langpack", "1-1"),
        package("graphics", "1-1"),
        package("rich-if-else", "1-1").requires("(langpack if graphics else tool)"),
        package("rich-with", "1-1").requires("(pair >= 1 with pair < 2)"),
        package("pair-one", "1-1").provides("pair = 1.5"),
        package("pair-two", "1-1").provides("pair = 2.5"),
        package("pair-both", "1-1").provides("pair = 0.5").provides("pair = 3"),
        package("rich-without", "1-1").requires("(mta without mta-a)"),
        package("rich-nested", "1-1").requires("((tool if graphics) and (lib or absent))"),
        package("rich-conflict", "1-1").conflicts("(langpack and graphics)"),
        package("rich-unless", "1-1").conflicts("(langpack unless graphics)"),
        package("malformed", "1-1").requires("(tool or)"),
    ]
}

fn conflicts() -> Vec<RpmPackage> {
    vec![
        package("no-mta-a", "1-1").conflicts("mta-a"),
        package("no-new-lib", "1-1").conflicts("lib >= 2.0").requires("lib"),
        package("no-mta", "1-1").provides("mta").conflicts("mta"),
        package("both-ways", "1-1").requires("wants-mta").requires("no-mta-a"),
        package("chain-a", "1-1").requires("chain-b"),
        package("chain-b", "1-1").requires("lib < 2.0"),
        package("chain-c", "1-1").requires("lib >= 2.0"),
        package("backtrack", "1-1").requires("server"),
        package("server", "1-1").requires("tool"),
        package("server", "2-1").requires("absent"),
        package("circle-a", "1-1").requires("circle-b"),
        package("circle-b", "1-1").requires("circle-a"),
    ]
}

fn obsoletes() -> Vec<RpmPackage> {
    vec![
        package("old-name", "1-1"),
        package("new-name", "2-1").provides("old-name = 2").obsoletes("old-name < 2"),
        package("wants-old-name", "1-1").requires("old-name"),
        package("gone", "1-1"),
        package("swallows", "1-1").obsoletes("gone"),
        package("wants-gone", "1-1").requires("gone"),
        package("provider-old", "1-1").provides("service"),
        package("provider-new", "1-1").provides("service").obsoletes("provider-old"),
        package("a-first", "1-1").provides("service"),
        package("wants-service", "1-1").requires("service"),
        package("replaced", "3-1"),
        package("replacement", "1-1").obsoletes("replaced < 2"),
    ]
}

fn architectures() -> Vec<RpmPackage> {
    vec![
        package("libz", "1.2-1").provides("libz.so.1()(64bit)").provides("libz(x86-64)"),
        package("libz", "1.2-1").architecture("i686").provides("libz.so.1").provides("libz(x86-32)"),
        package("wants-z", "1-1").requires("libz"),
        package("wants-z32", "1-1").requires("libz.so.1"),
        package("wants-both", "1-1").requires("libz(x86-32)").requires("libz(x86-64)"),
        package("only32", "1-1").architecture("i686"),
        noarch("data", "1-1"),
        package("data", "2-1"),
        noarch("docs", "2-1"),
        package("docs", "1-1"),
        package("newer32", "1-1"),
        package("newer32", "2-1").architecture("i686"),
        package("foreign", "1-1").architecture("aarch64"),
    ]
}

fn files() -> Vec<RpmPackage> {
    vec![
        package("wants-python-path", "1-1").requires("/usr/bin/python3.9"),
        package("wants-shell", "1-1").requires("/bin/sh"),
        package("library-file", "1-1").file("/usr/share/library/data", "data", 0o644),
        package("wants-library-file", "1-1").requires("/usr/share/library/data"),
        package("etc-file", "1-1").file("/etc/etc-file.conf", "x", 0o644),
        package("wants-etc-file", "1-1").requires("/etc/etc-file.conf"),
        package("deep", "1-1").requires("deeper"),
        package("deeper", "1-1").requires("/usr/lib/only/in/filelists"),
        package("deepest", "1-1").file("/usr/lib/only/in/filelists", "x", 0o644).requires("/usr/share/library/data"),
        package("wants-no-file", "1-1").requires("/usr/share/nobody/has/it"),
    ]
}

fn broken() -> Vec<RpmPackage> {
    vec![
        package("needs-absent", "1-1").requires("absent"),
        package("needs-broken", "1-1").requires("needs-absent"),
        package("needs-too-new", "1-1").requires("tool >= 5"),
        package("partly", "1-1"),
        package("partly", "2-1").requires("absent"),
    ]
}

/// Requests; what must be installed together is one request.
pub(super) const REQUESTS: &[&[&str]] = &[
    &["filesystem"],
    &["bash"],
    &["glibc"],
    &["glibc-langpack"],
    &["python3"],
    &["python3.11"],
    &["python3-six"],
    &["python3.11-six", "python3-six"],
    &["postgresql-devel", "bash"],
    &["python(abi) = 3.11"],
    &["libpq.so.5()(64bit)"],
    &["tool"],
    &["tool = 1.9"],
    &["tool < 1.10"],
    &["epoch"],
    &["snapshot"],
    &["lib"],
    &["wants-old-lib"],
    &["wants-beta"],
    &["wants-lib-1"],
    &["wants-abi"],
    &["wants-new"],
    &["wants-release"],
    &["wants-plain"],
    &["wants-half"],
    &["wants-range"],
    &["wants-low-range"],
    &["wants-old-lib", "lib"],
    &["mta"],
    &["wants-mta"],
    &["wants-mta-and-b"],
    &["prefers-z"],
    &["wants-mta", "mta-z"],
    &["late"],
    &["late", "wants-mta"],
    &["wants-java"],
    &["wants-java-11"],
    &["java-17"],
    &["has-choice"],
    &["wants-multi"],
    &["rich-or"],
    &["rich-or-many"],
    &["rich-or-many", "mta-z"],
    &["rich-and"],
    &["rich-if"],
    &["rich-if", "graphics"],
    &["rich-if-else"],
    &["rich-if-else", "graphics"],
    &["rich-with"],
    &["rich-without"],
    &["rich-nested"],
    &["rich-nested", "graphics"],
    &["rich-conflict", "langpack"],
    &["rich-conflict", "langpack", "graphics"],
    &["rich-unless", "langpack"],
    &["rich-unless", "langpack", "graphics"],
    &["malformed"],
    &["no-mta-a", "wants-mta"],
    &["no-mta-a", "mta-a"],
    &["no-new-lib"],
    &["no-new-lib", "lib"],
    &["no-mta"],
    &["no-mta", "wants-mta"],
    &["no-mta", "mta-a"],
    &["both-ways"],
    &["chain-a"],
    &["chain-a", "chain-c"],
    &["chain-c", "wants-lib-1"],
    &["backtrack"],
    &["circle-a"],
    &["old-name"],
    &["new-name"],
    &["old-name", "new-name"],
    &["wants-old-name"],
    &["gone"],
    &["gone", "swallows"],
    &["wants-gone"],
    &["wants-service"],
    &["replaced"],
    &["replaced", "replacement"],
    &["libz"],
    &["libz.i686"],
    &["libz", "libz.i686"],
    &["wants-z"],
    &["wants-z32"],
    &["wants-both"],
    &["only32"],
    &["data"],
    &["docs"],
    &["newer32"],
    &["foreign"],
    &["/usr/bin/python3.9"],
    &["/usr/share/library/data"],
    &["wants-python-path"],
    &["wants-shell"],
    &["wants-library-file"],
    &["wants-etc-file"],
    &["deep"],
    &["wants-no-file"],
    &["needs-absent"],
    &["needs-broken"],
    &["needs-too-new"],
    &["partly"],
    &["no-such-package"],
    &["bash", "python3", "postgresql-libs", "tool", "wants-service", "wants-mta", "rich-if", "late", "has-choice"],
];
