//! What is made of a lifecycle: every script is one that a shell can read, and says what it should.

use std::process::{Command, Stdio};

use expect_test::expect_file;
use vb_graph::{Compression, ConfigFile, Lifecycle, OnUpgrade, OwnedDirectory, Restart, User};

use super::*;
use crate::{maintainer::ScriptName, rpm::ScriptletName};

fn service(managers: &[Manager]) -> Service {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    Service {
        name: "whois".into(),
        description: "WHOIS".into(),
        managers: managers.into(),
        exec: words(&["/vrmd/whois/bin/whois", "--name", "it's"]),
        reload: words(&["/vrmd/whois/bin/whois", "--reload"]),
        user: "whois".into(),
        group: None,
        directory: "/vrmd/whois".into(),
        environment: [("LC_ALL".to_owned(), "C.UTF-8".to_owned())].into(),
        capabilities: words(&["CAP_NET_BIND_SERVICE"]),
        limits: [("nofile".to_owned(), 65_536)].into(),
        after: vec![],
        restart: Restart::Always,
        stop_seconds: 10,
        is_enabled: true,
        on_upgrade: OnUpgrade::Restart,
        systemd: [("ProtectSystem".to_owned(), "strict".to_owned())].into(),
    }
}

fn spec(format: Format, managers: &[Manager]) -> PackageSpec {
    PackageSpec {
        format,
        name: "vrmd-whois".into(),
        version: "1.0".into(),
        native_architecture: "amd64".into(),
        maintainer: "Ops <ops@example.org>".into(),
        section: "web".into(),
        priority: "optional".into(),
        homepage: None,
        license: None,
        summary: "whois".into(),
        description: vec![],
        depends: vec![],
        compression: Compression::Gzip,
        epoch: 1_700_000_000,
        application: "/vrmd/whois/whois".into(),
        vcs: BTreeMap::new(),
        has_bill: false,
        companions: vec![],
        changelog: None,
        lifecycle: Box::new(Lifecycle {
            services: vec![service(managers)],
            users: vec![User {
                name: "whois".into(),
                groups: vec!["adm".into()],
                home: "/vrmd/whois".into(),
                shell: "/bin/false".into(),
                comment: "WHOIS server".into(),
            }],
            directories: vec![OwnedDirectory {
                path: "/var/lib/whois".into(),
                owner: "whois".into(),
                group: None,
                mode: 0o750,
                is_purged: true,
            }],
            unit_directory: "/usr/lib/systemd/system".into(),
            service_directory: "/vrmd/whois/etc/services".into(),
            ..Lifecycle::default()
        }),
    }
}

fn tree() -> FileTree {
    let content = Content::File { blob: BlobDigest::of(b""), size: 0 };
    FileTree::from_entries([Entry { path: "vrmd/whois/bin/whois".into(), mode: 0o755, content }]).unwrap()
}

fn enlivened(spec: &PackageSpec) -> (FileTree, MaintainerFiles, BTreeMap<BlobDigest, String>) {
    let mut kept = BTreeMap::new();
    let put = |bytes: &[u8]| {
        kept.insert(BlobDigest::of(bytes), String::from_utf8(bytes.to_vec()).unwrap());
        Ok(BlobDigest::of(bytes))
    };
    let (tree, maintainer) = enliven(spec, tree(), MaintainerFiles::default(), put).unwrap();
    (tree, maintainer, kept)
}

/// Returns the text of a maintainer script.
fn script_of(spec: &PackageSpec, name: ScriptName) -> String {
    let (_, mut maintainer, _) = enlivened(spec);
    String::from_utf8(maintainer.scripts.remove(&name).unwrap()).unwrap()
}

fn text_at(path: &str, spec: &PackageSpec) -> String {
    let (tree, _, kept) = enlivened(spec);
    match &tree.get(path).unwrap_or_else(|| panic!("no {path}")).content {
        Content::File { blob, .. } => kept[blob].clone(),
        other => panic!("{other:?}"),
    }
}

const ALL: [Manager; 3] = [Manager::Systemd, Manager::Runit, Manager::Supervisor];

#[test]
fn a_unit_says_everything_that_the_recipe_does() {
    let expect = "\
[Unit]
Description=WHOIS
After=network.target

[Service]
ExecStart=/vrmd/whois/bin/whois --name \"it's\"
ExecReload=/vrmd/whois/bin/whois --reload
User=whois
WorkingDirectory=/vrmd/whois
Environment=LC_ALL=C.UTF-8
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
LimitNOFILE=65536
Restart=always
RestartSec=5
TimeoutStopSec=10
ProtectSystem=strict

[Install]
WantedBy=multi-user.target
";
    assert_eq!(text_at("usr/lib/systemd/system/whois.service", &spec(Format::Deb, &ALL)), expect);
}

#[test]
fn a_run_script_sets_limits_environment_user_and_capabilities() {
    let expect = r#"#!/bin/sh
# Starts the service `whois`.
exec 2>&1
cd /vrmd/whois || exit 100
LC_ALL=C.UTF-8; export LC_ALL
ulimit -n 65536
set -- /vrmd/whois/bin/whois --name 'it'\''s'
if [ "$(id -u)" -ne 0 ]; then exec "$@"; fi
HOME=$(getent passwd whois | cut -d: -f6); export HOME
USER=whois LOGNAME=whois; export USER LOGNAME
exec setpriv --reuid=whois --regid="$(id -g whois)" --init-groups --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service --bounding-set=-all,+net_bind_service -- "$@"
"#;
    assert_eq!(text_at("vrmd/whois/etc/services/whois/run", &spec(Format::Rpm, &[Manager::Runit])), expect);
}

#[test]
fn what_is_done_in_each_script_depends_on_its_argument() {
    let case = |text: &str| text[text.rfind("case \"$1\"").unwrap()..].to_owned();
    let spec = spec(Format::Deb, &[Manager::Systemd, Manager::Runit]);
    let script = |name| case(&script_of(&spec, name));
    let expect = r#"case "$1" in
    install)
        rm -rf "$vb_state"
        ;;
    upgrade)
        vb_remembered || rm -rf "$vb_state"
        [ -e "$vb_state/whois.known" ] || vb_look whois systemd runit
        ;;
esac

exit 0
"#;
    assert_eq!(script(ScriptName::Preinst), expect);
    let expect = r#"case "$1" in
    configure)
        vb_user whois /vrmd/whois /bin/false 'WHOIS server' || exit 1
        vb_member whois adm
        vb_directory /var/lib/whois whois whois 0750
        vb_systemd_yield whois
        vb_runit_yield whois
        "vb_$(vb_choose whois systemd runit)_enable" whois
        vb_systemd_reread
        vb_settle whois restart "${2:+yes}" systemd runit
        rm -rf "$vb_state"
        ;;
    abort-upgrade)
        vb_systemd_reread
        vb_resume whois systemd runit
        rm -rf "$vb_state"
        ;;
"#;
    assert!(script(ScriptName::Postinst).starts_with(expect), "{}", script(ScriptName::Postinst));
    let expect = r#"case "$1" in
    upgrade|failed-upgrade)
        rm -rf "$vb_state"
        vb_remember whois /usr/lib/systemd/system/whois.service systemd runit
        ;;
    remove)
        vb_systemd_stop whois
        vb_runit_stop whois
        ;;
esac

exit 0
"#;
    assert_eq!(script(ScriptName::Prerm), expect);
}

/// Runs a script with functions of `shell/`, in a directory that takes the place of `/var`; returns what is there then.
fn left_by(script: &str, calls: &str) -> Vec<String> {
    let var = tempfile::tempdir().unwrap();
    let functions =
        script[..script.rfind("case \"$1\"").unwrap()].replace("/var/", &format!("{}/", var.path().display()));
    let text = format!("{functions}\ncd {} || exit 1\n{calls}\nfind . | sort", var.path().display());
    let output = Command::new("sh").args(["-c", &text]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_purge_removes_the_logs_that_svlogd_has_written_and_no_others() {
    let mut spec = spec(Format::Deb, &[Manager::Runit]);
    let script = script_of(&spec, ScriptName::Postrm);
    let write =
        "mkdir -p log/whois; cd log/whois; touch current lock state newstate @400000006.s @400000007.u; cd ../..";
    assert_eq!(left_by(&script, &format!("{write}\nvb_runit_purge_log whois")), [".", "./log"]);
    let calls = format!("{write}\ntouch log/whois/queries\nvb_runit_purge_log whois");
    assert_eq!(left_by(&script, &calls), [".", "./log", "./log/whois", "./log/whois/queries"]);
    assert_eq!(left_by(&script, "vb_runit_purge_log whois"), ["."]);
    assert!(script.contains("\n        vb_runit_purge_log whois\n        vb_purge /var/lib/whois\n"), "{script}");
    spec.lifecycle.directories[0] =
        OwnedDirectory { path: "/var/log/whois".into(), is_purged: false, ..spec.lifecycle.directories[0].clone() };
    let script = script_of(&spec, ScriptName::Postrm);
    assert!(!script.contains("vb_runit_purge_log") && !script.contains("/var/log/"), "{script}");
}

#[test]
fn a_configuration_file_gets_its_owner_once_and_a_link_never() {
    let mut spec = spec(Format::Deb, &[Manager::Runit]);
    spec.lifecycle.config_files = vec![ConfigFile {
        path: "/vrmd/whois/bin/whois".into(),
        source: "whois".into(),
        owner: "root".into(),
        group: "whois".into(),
        mode: Some(0o750),
    }];
    let postinst = script_of(&spec, ScriptName::Postinst);
    assert!(postinst.contains("\n        vb_own \"${2:+yes}\" /vrmd/whois/bin/whois root whois 0750\n"), "{postinst}");
    assert!(script_of(&spec, ScriptName::Prerm).contains("\n        vb_keep_owner /vrmd/whois/bin/whois\n"));
    let own = |calls: &str| {
        let all =
            "vb_state=.\nstat() { echo 0:0; }\nchown() { touch of-$1; }\nchmod() { touch with-$1; }\ntouch file\n";
        left_by(&postinst, &format!("{all}{calls}"))[1..].join(" ")
    };
    assert_eq!(own("vb_own '' file root whois 0640"), "./file ./of-root:whois ./with-0640");
    assert_eq!(own("echo file > owned\nvb_own '' file root whois"), "./file ./of-root:whois ./owned");
    assert_eq!(own("echo another > owned\nvb_own yes file root whois"), "./file ./of-root:whois ./owned");
    assert_eq!(own("echo file > owned\nvb_own yes file root whois"), "./file ./owned");
    assert_eq!(own("ln -s file link\nvb_own yes link root whois"), "./file ./link");
    assert_eq!(own("vb_own yes absent root whois"), "./file");
}

#[test]
fn a_service_stays_with_the_manager_that_it_has() {
    let postinst = script_of(&spec(Format::Deb, &[Manager::Runit, Manager::Systemd]), ScriptName::Postinst);
    let chosen = |machine: &str| {
        let mut text = "vb_state=.\n".to_owned();
        for name in ["runit_active", "runit_installed", "runit_enabled", "systemd_active", "systemd_installed"] {
            text += &format!("vb_{name}() {{ [ -e {name} ]; }}\n");
        }
        text += "vb_systemd_enabled() { [ -e systemd_enabled ]; }\n";
        let calls = format!("{text}touch {machine} there\nvb_choose whois runit systemd > chosen; rm {machine} there");
        left_by(&postinst, &format!("{calls}\nmv chosen $(cat chosen)"))[1..].join(" ")
    };
    assert_eq!(chosen("runit_active systemd_active whois.systemd runit_enabled"), "./systemd");
    assert_eq!(chosen("runit_active systemd_active systemd_enabled"), "./systemd");
    assert_eq!(chosen("runit_active systemd_active"), "./runit");
    assert_eq!(chosen("systemd_active runit_installed"), "./systemd");
    assert_eq!(chosen("systemd_installed"), "./systemd");
    assert_eq!(chosen(""), "./runit");
}

#[test]
fn what_hides_a_service_makes_room_also_if_that_is_not_enabled() {
    let mut spec = spec(Format::Deb, &[Manager::Systemd]);
    spec.lifecycle.services[0].is_enabled = false;
    let postinst = script_of(&spec, ScriptName::Postinst);
    assert!(postinst.contains("\n        vb_systemd_yield whois\n"), "{postinst}");
    assert!(!postinst.contains("\n        vb_systemd_enable whois\n"), "{postinst}");
}

#[test]
fn what_failed_is_meant_to_run_and_what_somebody_stopped_is_not() {
    let is_meant = |manager: Manager, pretended: &str| {
        let prerm = script_of(&spec(Format::Deb, &[manager]), ScriptName::Prerm);
        let calls = format!("vb_{manager}_active() {{ :; }}\n{pretended}\n! vb_{manager}_meant whois || touch meant");
        left_by(&prerm, &calls).contains(&"./meant".to_owned())
    };
    for (status, expect) in [
        ("run: /srv/whois: (pid 7) 9s; run: log: (pid 6) 9s", true),
        ("finish: /srv/whois: (pid 7) 1s; run: log: (pid 6) 9s", true),
        ("finish: /srv/whois: (pid 7) 1s, want down; run: log: (pid 6) 9s", false),
        ("down: /srv/whois: 1s, normally up, want up; run: log: (pid 6) 9s", true),
        ("down: /srv/whois: 1s, normally up; run: log: (pid 6) 9s", false),
    ] {
        assert_eq!(is_meant(Manager::Runit, &format!("sv() {{ echo '{status}'; }}")), expect, "{status}");
    }
    for (status, expect) in
        [("RUNNING", true), ("BACKOFF", true), ("FATAL", true), ("STOPPED", false), ("EXITED", false)]
    {
        let pretended = format!("supervisorctl() {{ echo 'whois    {status}   Exited too quickly'; }}");
        assert_eq!(is_meant(Manager::Supervisor, &pretended), expect, "{status}");
    }
    for (state, ended, left, expect) in [
        ("active", 0, 0, true),
        ("activating", 7, 7, true),
        ("failed", 7, 7, true),
        ("failed", 7, 8, true),
        ("failed", 8, 7, false),
        ("inactive", 8, 8, false),
    ] {
        let pretended = format!(
            "systemctl() {{\ncase \"$*\" in\nis-active*) echo {state} ;;\n*ExecMain*) echo ExecMain={ended} ;;\n\
             *) echo Active={left} ;;\nesac\n}}"
        );
        assert_eq!(is_meant(Manager::Systemd, &pretended), expect, "{state} {ended} {left}");
    }
}

#[test]
fn a_unit_waits_for_the_network_whatever_else_it_waits_for() {
    let mut spec = spec(Format::Deb, &[Manager::Systemd]);
    spec.lifecycle.services[0].after = vec!["postgresql.service".into(), "network.target".into()];
    let unit = text_at("usr/lib/systemd/system/whois.service", &spec);
    assert!(unit.contains("\nAfter=network.target postgresql.service\n"), "{unit}");
}

#[test]
fn a_user_gets_the_group_of_its_name_that_is_there() {
    let (_, maintainer, _) = enlivened(&spec(Format::Rpm, &[Manager::Systemd]));
    let script = &maintainer.scriptlets[&ScriptletName::Pre].text;
    assert!(script.contains("\n        vb_user whois /vrmd/whois /bin/false 'WHOIS server' || exit 1\n"), "{script}");
    let asked = |there: &str| {
        let calls = "id() { false; }\ngetent() { [ \"$1\" = group ] && [ -e group ]; }\ncommand() { [ \"$2\" = useradd ]; }\n\
                     useradd() { echo \"$*\" | grep -o -e '--gid whois' -e --user-group | xargs touch --; }\n";
        left_by(script, &format!("{there}\n{calls}vb_user whois / /bin/false WHOIS"))[1..].join(" ")
    };
    assert_eq!(asked(""), "./--user-group");
    assert_eq!(asked("touch group"), "./--gid ./group ./whois");
}

#[test]
fn a_directory_in_which_the_package_has_files_is_as_declared() {
    let mut spec = spec(Format::Deb, &[Manager::Runit]);
    let directory = |path: &str| OwnedDirectory {
        path: path.into(),
        owner: "root".into(),
        group: Some("whois".into()),
        mode: 0o750,
        is_purged: true,
    };
    spec.lifecycle.directories = vec![directory("/vrmd/whois/bin"), directory("/vrmd/whois/b")];
    let (tree, ..) = enlivened(&spec);
    assert_eq!(tree.get("vrmd/whois/bin").unwrap().mode, 0o750);
    assert!(tree.get("vrmd/whois/b").is_none());
    let postinst = script_of(&spec, ScriptName::Postinst);
    assert!(postinst.contains("\n        vb_own \"${2:+yes}\" /vrmd/whois/bin root whois 0750\n"), "{postinst}");
    assert!(!postinst.contains("vb_own \"${2:+yes}\" /vrmd/whois/b root"), "{postinst}");
}

#[test]
fn the_scriptlets_of_each_manager_are_as_they_were() {
    for manager in ALL {
        let (_, maintainer, _) = enlivened(&spec(Format::Rpm, &[manager]));
        let text: String = maintainer
            .scriptlets
            .iter()
            .map(|(name, script)| format!("%{name} -p {}\n{}\n", script.program.join(" "), script.text))
            .collect();
        assert!(text.contains("%pre ") && text.contains("%post ") && text.contains("%postun "), "{text}");
        expect_file![format!("{}/src/lifecycle/tests/{manager}.scriptlets", env!("CARGO_MANIFEST_DIR"))]
            .assert_eq(&text);
    }
}

#[test]
fn every_script_is_one_that_a_shell_can_read() {
    for format in [Format::Deb, Format::Rpm] {
        let (tree, maintainer, kept) = enlivened(&spec(format, &ALL));
        let scripts = maintainer.scripts.values().map(|script| String::from_utf8(script.clone()).unwrap());
        let scriptlets = maintainer.scriptlets.values().map(|script| script.text.clone());
        let run = kept.into_values().filter(|text| text.starts_with("#!/bin/sh"));
        let texts: Vec<String> = scripts.chain(scriptlets).chain(run).collect();
        assert!(texts.len() >= 8, "{format}: {}", texts.len());
        for text in texts {
            let output = Command::new("sh").args(["-n", "-c", &text]).stderr(Stdio::piped()).output().unwrap();
            assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
            assert!(!text.contains("@PACKAGE@") && !text.contains("@SERVICES@"), "{text}");
        }
        assert!(tree.get("vrmd/whois/etc/services/whois/supervise").is_some());
    }
}

#[test]
fn a_command_that_the_package_does_not_have_is_refused_with_its_field() {
    let mut spec = spec(Format::Deb, &ALL);
    spec.lifecycle.services[0].exec[0] = "/vrmd/whois/bin/absent".into();
    let put = |bytes: &[u8]| Ok(BlobDigest::of(bytes));
    let error = enliven(&spec, tree(), MaintainerFiles::default(), put).unwrap_err();
    assert_eq!(error.to_string(), "the service `whois` runs `/vrmd/whois/bin/absent`, which is not in the package");
    assert_eq!(error.field().as_deref(), Some("services.whois.exec"));
    spec.lifecycle.services[0].exec[0] = "/usr/bin/absent".into();
    assert!(enliven(&spec, tree(), MaintainerFiles::default(), put).is_ok());
}
