//! Versions as dpkg and rpm order them, and as users set them.

use std::{cmp::Ordering, fmt::Write as _, path::Path};

use fs_err as fs;
use vb_package::RpmVersion;
use vb_repo::{Format, compare_versions};

use crate::support::{TestEnv, TestRoot, test_root, test_root_of};

const PAIRS: usize = 10_000;
/// Each is a process of dpkg's own.
const PAIRS_OF_DPKG: usize = 1_000;

/// A generator of the same numbers in each run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((number ^ (number >> 31)) % limit as u64).unwrap()
    }

    fn choose<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn number(&mut self) -> String {
        match self.below(8) {
            0 => "20261126101500".to_owned(),
            1 => format!("0{}", self.below(3)),
            _ => self.below(4).to_string(),
        }
    }

    /// Makes one of the parts that can stand behind a number.
    fn part(&mut self) -> String {
        let mark = self.choose(&[".", ".", ".", "~", "+", "~word", "+word", "~~word", "word"]);
        let word = self.choose(&["a", "b", "rc", "post", "deb", "build", "dev", "Z"]);
        format!("{}{}", mark.replace("word", word), self.number())
    }

    fn parts(&mut self, most: usize) -> Vec<String> {
        (0..self.below(most + 1)).map(|_| self.part()).collect()
    }

    /// Makes two versions that begin alike.
    fn pair(&mut self) -> [String; 2] {
        let (number, common) = (self.number(), self.parts(3));
        [(); 2].map(|()| {
            let epoch = self.choose(&["", "", "", "0:", "1:"]);
            let mut version = format!("{epoch}{number}{}{}", common.concat(), self.parts(2).concat());
            if self.below(6) == 0 {
                let commit = self.choose(&["1233451abcd", "f00", "9e12", "abc"]);
                let modified = self.choose(&["", "", "+modified"]);
                write!(version, "+0~20261126101500+git{commit}{modified}").unwrap();
            }
            if self.below(3) == 0 {
                write!(version, "-{}{}", self.number(), self.parts(2).concat()).unwrap();
            }
            version
        })
    }
}

fn word(order: Ordering) -> &'static str {
    match order {
        Ordering::Less => "lt",
        Ordering::Equal => "eq",
        Ordering::Greater => "gt",
    }
}

/// Runs a script of a root over a file of lines, and returns the lines that it prints.
fn answers(root: &TestRoot, argv: &[&str], directory: &Path) -> Vec<String> {
    root.run(argv, &[(directory, "/pairs")]).ok().stdout.lines().map(str::to_owned).collect()
}

fn parts_for_lua(version: &RpmVersion) -> String {
    let text = version.to_string();
    let (epoch, rest) = text.split_once(':').unwrap_or(("0", &text));
    let (version, release) = rest.rsplit_once('-').unwrap();
    format!("{epoch} {version} {release}")
}

#[test]
fn dpkg_and_rpm_order_ten_thousand_pairs_alike_and_as_vb_does() {
    let directory = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(7);
    let pairs: Vec<[String; 2]> = (0..PAIRS).map(|_| numbers.pair()).collect();
    let rpm = |version: &String| RpmVersion::of_debian(version).unwrap_or_else(|error| panic!("{error}"));
    let lines = |line: &dyn Fn(&[String; 2]) -> String| pairs.iter().map(line).collect::<String>();
    let debian = lines(&|[one, other]| format!("{one} {other}\n"));
    fs::write(directory.path().join("debian"), debian).unwrap();
    let of_rpm = lines(&|[one, other]| format!("{} {}\n", parts_for_lua(&rpm(one)), parts_for_lua(&rpm(other))));
    fs::write(directory.path().join("rpm"), of_rpm).unwrap();

    let perl = "use Dpkg::Version; open(F, '<', '/pairs/debian'); while (<F>) { my ($a, $b) = split; my $o = \
                version_compare($a, $b); print $o < 0 ? \"lt\\n\" : $o > 0 ? \"gt\\n\" : \"eq\\n\"; }";
    let expected = answers(&test_root("lintian"), &["/usr/bin/perl", "-e", perl], directory.path());
    assert_eq!(expected.len(), PAIRS);
    let shares: Vec<usize> =
        ["lt", "eq", "gt"].map(|order| expected.iter().filter(|word| *word == order).count()).to_vec();
    assert!(shares.iter().all(|share| *share > PAIRS / 50), "all orders occur: {shares:?}");

    let shell = format!(
        "head -n {PAIRS_OF_DPKG} /pairs/debian | while read a b; do for o in lt eq gt; do if dpkg --compare-versions \
         $a $o $b; then echo $o; break; fi; done; done"
    );
    let root = test_root("rpm");
    assert_eq!(answers(&root, &["/bin/sh", "-c", &shell], directory.path()), expected[..PAIRS_OF_DPKG]);

    let lua = "%{lua: for line in io.lines('/pairs/rpm') do local e, v, r, f, w, s = \
               string.match(line, '(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)') local o = tonumber(e) - tonumber(f) \
               if o == 0 then o = rpm.vercmp(v, w) end if o == 0 then o = rpm.vercmp(r, s) end \
               print((o < 0 and 'lt' or o > 0 and 'gt' or 'eq') .. '\\n') end}";
    for root in [test_root_of("rpm-versions", "bullseye"), root, test_root_of("rpm-versions", "trixie")] {
        let found = answers(&root, &["/usr/bin/rpm", "--eval", lua], directory.path());
        let found: Vec<&String> = found.iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(found.len(), PAIRS);
        for ((pair, expected), found) in pairs.iter().zip(&expected).zip(found) {
            let mapped = pair.each_ref().map(|version| rpm(version).to_string());
            assert_eq!(found, expected, "{pair:?}, for rpm {mapped:?}");
        }
    }
    for ([one, other], expected) in pairs.iter().zip(&expected) {
        assert_eq!(word(compare_versions(Format::Deb, one, other)), expected, "{one} {other}");
        let [one, other] = [rpm(one).to_string(), rpm(other).to_string()];
        assert_eq!(word(compare_versions(Format::Rpm, &one, &other)), expected, "{one} {other}");
    }
}

#[test]
fn a_forced_version_is_that_of_the_package_and_one_that_rpm_does_not_order_is_refused() {
    let env = TestEnv::new();
    env.vb(&["build", "recipes/whois.ncl", "--force-version", "1.0.0+hotfix1"]).ok();
    assert!(env.package().ends_with("vrmd-whois_1.0.0+hotfix1_amd64.deb"), "{:?}", env.package());
    let run = env.vb(&["build", "recipes/whois.ncl", "--format", "rpm", "--force-version", "1.0.post1"]).expect(3);
    assert!(run.stderr.contains("vb::version::rpm"), "{}", run.stderr);
    let run = env.vb(&["build", "recipes/whois.ncl", "--force-version", "one"]).expect(2);
    assert!(run.stderr.contains("give a Debian version"), "{}", run.stderr);
}
