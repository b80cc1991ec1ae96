//! Roots whose maintainer scripts are not run, beside those whose are.

use std::path::Path;

use fs_err as fs;
use vb_package::{DebMetadata, read_deb};

use crate::support::{TestEnv, TestRoot};

const SHOP: &str = "recipes/shop.ncl";

/// What the tools of a build root need of scripts that did not run.
const PROBES: &str = r#"set -e
printf '#include <stdio.h>\nint main(void) { puts("compiled"); return 0; }\n' > /tmp/a.c
cc /tmp/a.c -o /tmp/a && /tmp/a
printf '#include <iostream>\nint main() { std::cout << "compiled C++\\n"; }\n' > /tmp/b.cc
c++ /tmp/b.cc -o /tmp/b && /tmp/b
python3.11 -c 'import ctypes.util, pwd, sqlite3, ssl; print(pwd.getpwuid(0).pw_name, ctypes.util.find_library("ssl"))'
echo '1 2' | awk '{ print $2 }'
which msgfmt node
java -version 2>&1 | grep -o '^openjdk version'
perl -e 'print "perl\n"'
"#;

#[test]
fn a_root_without_maintainer_scripts_has_what_tools_need_and_gives_the_same_files() {
    let (full, unpacked) = (TestEnv::shop(), TestEnv::shop());
    let platform = "recipes/platforms/bookworm.ncl";
    unpacked.edit(platform, "  has_merged_usr =", "  configure = 'Unpack,\n  has_merged_usr =");
    full.vb(&["build", SHOP]).ok();
    unpacked.vb(&["build", SHOP]).ok();
    let [one, other] = [&full, &unpacked].map(|env| read_deb(&env.package()).unwrap());
    assert_eq!(one.field("Depends"), other.field("Depends"));
    // Which strings Python interns depends on how it loaded its standard library, and bytecode tells.
    let files = |package: &DebMetadata| -> Vec<(String, Option<String>)> {
        let digest = |(path, md5): (&String, &String)| (path.clone(), (!path.ends_with(".pyc")).then(|| md5.clone()));
        package.md5sums.iter().map(digest).collect()
    };
    assert_eq!(files(&one), files(&other));

    let tree = unpacked.vb(&["output", SHOP, "shop bookworm root build"]).ok().stdout;
    let status = fs::read_to_string(Path::new(tree.trim()).join("var/lib/dpkg/status")).unwrap();
    assert!(status.contains("Status: install ok unpacked\n") && !status.contains("Status: install ok installed\n"));
    let probes = TestRoot::of(Path::new(tree.trim())).run(&["/bin/sh", "-c", PROBES], &[]).ok();
    let expected =
        "compiled\ncompiled C++\nroot libssl.so.3\n2\n/usr/bin/msgfmt\n/usr/bin/node\nopenjdk version\nperl\n";
    assert_eq!(probes.stdout, expected);
}
