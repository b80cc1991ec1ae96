//! Literal action digests, one per kind of action, and what enters them.
//!
//! A change of a digest in [`GOLDEN`] is a change of the format: every result of that kind in every store is lost. It
//! has to be meant, and belongs in the changelog.

use std::collections::{BTreeMap, BTreeSet};

use vb_graph::{
    Action, AssetLanguage, BlobDigest, BuildInterpreter, BustCaches, CacheToken, Check, Checker, Claim, CollectStatic,
    Compile, Compress, Compression, Compressor, ContentCoding, Directory, Environment, Fetch, Format, Graph,
    ImportCheck, Ingest, Input, InputDigest, InterpreterSpec, Kind, Libraries, Lint, Machine, Manager,
    NeededInterpreter, Node, NodeModules, Origin, PackageSpec, Part, PartValue, Pattern, Precompress, Provenance,
    RelocateInterpreter, ResolvedAction, Root, RootContent, Run, Scenario, Sha256, Share, ShareOut, Stage, Step,
    StyleLanguage, Test, TestInterpreter, TestedService, Unpack, Wheel, Work,
};

const GOLDEN: [(&str, &str); 29] = [
    ("fetch", "d09e54ee9f4e3d34ee382c5a35c515e30fd84d90062498682c761b85f2750667"),
    ("ingest", "f3b19bce9242a3c7cbb101a24df88ce80ff8e37f270c5d60f152559712e849e5"),
    ("root", "0381e812da8746fa6242bac09bd7bb5a22e74a67b36519a4bd4382719a44ec96"),
    ("interpreter", "6855c848f3dc0dc0df006e84272337e7b8a8c3f30423695c99392971b795d71a"),
    ("interpreter test", "025859baf496edad63230ce4390dc2e20b1d4511ff1d954a26e9848fcfcae785"),
    ("relocate", "7a447d763f8a612ed06a77b264cbfa41bb1f06c7258278c45ab9b088b3363cc4"),
    ("overlay", "843e0afa4397151d9ab946610dc01919d7eca3b8ca680d8a97d12130fe76e622"),
    ("wheel", "7c73b2ba2a69f7ef7056411cbb12c8d5e469c2316f28398196b923104add3373"),
    ("unpack", "205a41ee120470aec3ce0aacf74a972a1bb4af4c73aa57a00c99e06002b1e20b"),
    ("environment", "9735600b211c08fd467de9edfc5312e2f2e897da7b7086eee73324414c87a1f5"),
    ("node modules", "ae6665719f2cffc3ec07b33ea39f1e63ff979944eeba127978af169bb73df5e3"),
    ("compile less", "3fbaab5a7c772c2800ed463e9194518919ad31c87781ab6fa8de721af2fe2dfd"),
    ("compile sass", "135f163b1e09eaff78d84a615914de1f5acdd86df6f833ddb6b977ec68d1f17c"),
    ("compress css", "25ab2d06a92a94f4de11da7b850f5809fd38b578b593f98f7aa799d5abbe2a31"),
    ("compress js", "61459ca694b4c6eb6f443106775c4f1cca5873b51f8000364b50f1812a996dc5"),
    ("compile i18n", "2f00c2c351a153730a82aee20acb24d54c9fb61389de4ef26c2475ca1dab3946"),
    ("collect static", "d208a2259a06d52009d7b5cc6f37f3943155f65ad47b28cdd2bc22069a7e0c78"),
    ("add cache busting", "6cea7b6453b4ab2168e39bc152738eb8567a34258469c0a42d7987eed8af5ee4"),
    ("precompress static", "12bddc7e22aa5e4932080a25d14a5e419d4d4c768098a914a610e7a7710c9ac9"),
    ("run", "2fda2c8454266ea3a5193b7deb6ca920bf4f25dabebee035d77029d4590501c2"),
    ("stage", "ccff25c3b1ae67b2cee2a77725d4cab95aaca65d46fcfa24d9a1cb3427a88552"),
    ("share", "8afad38c4813f85a68d1f191fa171c40fd4373186679e73fdd9b4ce29025befa"),
    ("libraries", "2f1fc9ff1e9435f4688e7b85d091b1d28b4386542d5a68d12747f89936f337ca"),
    ("import check", "4fd7ce356972f61849fd791d946d321961f30e9d9604c8357d281169aaff64b1"),
    ("package", "ea6cda345382f8072d29899d59849ff38a0a6240fa92a34eb3ee9b965dacb2f1"),
    ("package", "c022b70757d1394857b6d179e5bf299b9358a9b40de55de6491637c102f77de5"),
    ("package", "b6c40f5a5fb28261a5c1ffa2a7d79097c97893dd96cb4930321c12ec3ac3ccd6"),
    ("test", "c12749b8e43494833177df9ea8b907435d76caf15e4cf7968c7ecc188927011d"),
    ("lint", "19821fe2edfa29a375f1723e889f3b5d3ca56ec5554467798e24c3047e9595a5"),
];

fn text(text: &str) -> String {
    text.to_owned()
}

fn interpreter() -> InterpreterSpec {
    InterpreterSpec { version: text("3.11"), command: text("/usr/bin/python3.11") }
}

fn fetch() -> Fetch {
    Fetch {
        sha256: Sha256::from_bytes([1; 32]),
        size: Some(10),
        file: text("twisted-25.5.0-py3-none-any.whl"),
        origin: Origin::Index { project: text("twisted") },
    }
}

fn share(part: &str, glob: &str) -> Share {
    let claim = Claim { patterns: vec![Pattern::Glob(text(glob))], config_files: vec![] };
    Share::of_main(BTreeMap::from([(text(part), claim)]))
}

fn share_out() -> ShareOut {
    ShareOut {
        share: share("cli", "bin/*").of_part("cli"),
        packages: BTreeMap::from([(text("cli"), text("vrmd-cli"))]),
        commands: vec![text("/vrmd/whois/bin/whois")],
        originals: vec![text("/vrmd/whois/whois/whois.yml")],
    }
}

fn needed(version: &str) -> NeededInterpreter {
    NeededInterpreter { command: text("/usr/bin/python"), version: text(version), depends: vec![] }
}

fn test() -> Test {
    Test {
        scenario: Scenario::Upgrade,
        format: Format::Deb,
        names: vec![text("vrmd-whois")],
        needs: vec![],
        prefix: text("/vrmd/whois"),
        python: text("/usr/bin/python3.11"),
        services: vec![TestedService { name: text("whois"), managers: vec![Manager::Runit, Manager::Systemd] }],
        files: BTreeMap::from([(text("/etc/whois/production.yml"), text("listen:\n"))]),
        checks: vec![
            Check::Tcp { port: 43, send: text("example.org\r\n"), expect: text("Registrar:") },
            Check::Command { argv: vec![text("/vrmd/whois/bin/python"), text("--version")], expect: text("Python") },
        ],
        machine: Machine::Booted,
    }
}

fn build_interpreter() -> BuildInterpreter {
    BuildInterpreter {
        prefix: text("/vrmd/python3.13"),
        version: text("3.13"),
        variables: BTreeMap::from([(text("CFLAGS"), text("-O2"))]),
    }
}

fn test_interpreter() -> TestInterpreter {
    TestInterpreter { prefix: text("/vrmd/python3.13"), version: text("3.13"), tests: vec![text("test_ssl")] }
}

fn relocate_interpreter() -> RelocateInterpreter {
    RelocateInterpreter { from: text("/vrmd/python3.13"), to: text("/vrmd/whois/python"), version: text("3.13") }
}

fn package() -> PackageSpec {
    PackageSpec {
        format: Format::Deb,
        name: text("vrmd-whois"),
        version: text("1.2-3"),
        native_architecture: text("amd64"),
        maintainer: text("A Person <a@person.invalid>"),
        section: text("net"),
        priority: text("optional"),
        homepage: Some(text("https://whois.invalid")),
        license: None,
        summary: text("a whois server"),
        description: vec![text("It answers."), text(""), text("Always.")],
        depends: vec![text("libpq5"), text("python3.11 (= 3.11.2-6)")],
        compression: Compression::Xz,
        epoch: 1_700_000_000,
        application: "/vrmd/whois/whois".into(),
        vcs: BTreeMap::new(),
        has_bill: false,
        companions: vec![],
        changelog: None,
        lifecycle: Box::default(),
    }
}

/// One action of each kind, in the order of [`GOLDEN`]; of a package one for each format, as each has a version of its own.
fn kinds() -> Vec<Kind> {
    let [prefix, application] = ["/vrmd/whois", "/vrmd/whois/whois"].map(text);
    let mut kinds = vec![
        Kind::Fetch(fetch()),
        Kind::Ingest(Ingest { path: text("/src/whois"), excludes: vec![text("*.pyc"), text("/docs")] }),
        Kind::Root(Root { content: RootContent::Debs, architecture: text("amd64"), has_merged_usr: true }),
        Kind::Interpreter(build_interpreter()),
        Kind::InterpreterTest(test_interpreter()),
        Kind::Relocate(relocate_interpreter()),
        Kind::Overlay,
        Kind::Wheel(Wheel {
            interpreter: interpreter(),
            variables: BTreeMap::from([(text("CFLAGS"), text("-O2")), (text("LDFLAGS"), text("-s"))]),
        }),
        Kind::Unpack(Unpack { prefix: prefix.clone(), interpreter: interpreter() }),
        Kind::Environment(Environment {
            prefix: prefix.clone(),
            interpreter: interpreter(),
            module_paths: vec![application.clone()],
            prune: vec![],
        }),
    ];
    kinds.push(Kind::NodeModules(NodeModules { scripts: vec![text("esbuild")] }));
    kinds.extend(works().map(|work| Kind::Step(Step { application: application.clone(), work })));
    kinds.extend([
        Kind::Stage(Stage {
            prefix: prefix.clone(),
            application: application.clone(),
            interpreter: interpreter(),
            relocated_from: None,
        }),
        Kind::ShareOut(share_out()),
        Kind::Libraries(Libraries {
            architecture: text("amd64"),
            optional: vec![text("libcuda.so.1")],
            names_packages: false,
            share: None,
            build_depends: vec![],
        }),
        Kind::ImportCheck(ImportCheck { prefix, application, skip: vec![], seconds: ImportCheck::SECONDS }),
        Kind::Package(Box::new(package())),
        Kind::Package(Box::new(PackageSpec { format: Format::Rpm, ..package() })),
        Kind::Package(Box::new(PackageSpec { format: Format::Tar, ..package() })),
        Kind::Test(Box::new(test())),
        Kind::Lint(Lint { checker: Checker::Lintian }),
    ]);
    kinds
}

/// One step of each kind.
fn works() -> [Work; 9] {
    let compile = |language| Work::Compile(Compile { language, file: text("style.less"), has_source_map: false });
    let compress = |language| {
        let compressor = Some(Compressor::YuiCompressor);
        Work::Compress(Compress { language, file: text("style.css"), compressor })
    };
    let variables = BTreeMap::from([(text("SECRET_KEY"), text("stub"))]);
    [
        compile(StyleLanguage::Less),
        compile(StyleLanguage::Sass),
        compress(AssetLanguage::Css),
        compress(AssetLanguage::Js),
        Work::CompileCatalogues,
        Work::CollectStatic(CollectStatic {
            prefix: text("/vrmd/whois"),
            files: vec![text("css/style.css")],
            settings: Some(text("whois.settings")),
            variables: variables.clone(),
        }),
        Work::BustCaches(BustCaches {
            file: text("base.html"),
            marker: text("@VERSION@"),
            token: CacheToken::Version(text("1.0")),
        }),
        Work::Precompress(Precompress { codings: vec![ContentCoding::Gzip, ContentCoding::Zstd] }),
        Work::Run(Run {
            command: vec![text("make"), text("docs")],
            outputs: vec![Pattern::Glob(text("docs"))],
            variables,
            prefix: Some(text("/vrmd/whois")),
        }),
    ]
}

fn file_input() -> InputDigest {
    InputDigest::File { file: text("six-1.17.0-py2.py3-none-any.whl"), sha256: Sha256::from_bytes([2; 32]) }
}

fn nodes() -> [Node; 3] {
    [
        Node::directory(Directory::default().digest()),
        Node::File { blob: BlobDigest::of(b"vb"), size: 2, mode: 0o644 },
        Node::Symlink { target: text("elsewhere") },
    ]
}

/// Makes the input names of a resolved action; the edges themselves have no part in it.
fn inputs(names: &[&str]) -> Vec<Input> {
    let mut graph = Graph::default();
    let action = graph.add(Kind::Fetch(fetch()), Vec::new(), provenance("input"));
    names.iter().map(|&name| Input::whole(name, action)).collect()
}

fn provenance(label: &str) -> Provenance {
    Provenance { label: text(label), declared_at: None }
}

/// Resolves an action of a kind with a fetched file and one node of each kind as inputs.
fn resolved(kind: Kind) -> ResolvedAction {
    let inputs = match kind {
        Kind::Fetch(_) | Kind::Ingest(_) => Vec::new(),
        _ => inputs(&["wheel", "root", "source", "link"]),
    };
    let digests: Vec<_> =
        std::iter::once(file_input()).chain(nodes().map(InputDigest::Node)).take(inputs.len()).collect();
    Action { kind, inputs }.resolve(&digests)
}

#[test]
fn the_digests_of_all_kinds_of_action_have_not_changed() {
    let found = kinds().into_iter().map(|kind| (kind.name(), resolved(kind).digest().to_string())).collect::<Vec<_>>();
    let found: Vec<(&str, &str)> = found.iter().map(|(name, digest)| (*name, digest.as_str())).collect();
    assert_eq!(found, GOLDEN);
}

#[test]
fn each_part_of_each_kind_changes_the_digest() {
    for kind in kinds() {
        let action = resolved(kind);
        let mut digests = BTreeSet::from([action.digest()]);
        let mut variants = vec![
            ResolvedAction { kind: format!("{}x", action.kind), ..action.clone() },
            ResolvedAction { version: action.version + 1, ..action.clone() },
        ];
        for index in 0..action.parts.len() {
            variants.push(with_parts(&action, |parts| drop(parts.remove(index))));
            variants.push(with_parts(&action, |parts| parts[index].name.push('x')));
            variants.push(with_parts(&action, |parts| change(&mut parts[index].value)));
            variants.push(with_parts(&action, |parts| parts.push(Part { name: text("x"), ..parts[index].clone() })));
        }
        let expected = variants.len() + 1;
        digests.extend(variants.iter().map(ResolvedAction::digest));
        assert_eq!(digests.len(), expected, "{}", action.kind);
    }
}

fn with_parts(action: &ResolvedAction, change: impl FnOnce(&mut Vec<Part>)) -> ResolvedAction {
    let mut action = action.clone();
    change(&mut action.parts);
    action
}

fn change(value: &mut PartValue) {
    match value {
        PartValue::Text(text) => text.push('x'),
        PartValue::List(texts) => texts.push(String::new()),
        PartValue::Input(InputDigest::File { sha256, .. }) => *sha256 = Sha256::from_bytes([3; 32]),
        PartValue::Input(InputDigest::Node(node)) => *node = Node::Symlink { target: text("changed") },
    }
}

#[test]
fn each_field_of_each_kind_is_a_part() {
    let mut digests: BTreeSet<_> = kinds().into_iter().map(|kind| resolved(kind).digest()).collect();
    let variants = variants();
    let expected = digests.len() + variants.len();
    digests.extend(variants.into_iter().map(|kind| resolved(kind).digest()));
    assert_eq!(digests.len(), expected);
}

/// All kinds with one field changed each.
fn variants() -> Vec<Kind> {
    let mut variants = package_variants();
    for kind in kinds() {
        match kind {
            Kind::Fetch(fetch) => variants.push(Kind::Fetch(Fetch { sha256: Sha256::from_bytes([9; 32]), ..fetch })),
            Kind::Ingest(ingest) => {
                variants.push(Kind::Ingest(Ingest { path: text("/other"), ..ingest.clone() }));
                variants.push(Kind::Ingest(Ingest { excludes: Vec::new(), ..ingest }));
            }
            Kind::Root(root) => {
                variants.push(Kind::Root(Root { architecture: text("arm64"), ..root.clone() }));
                variants.push(Kind::Root(Root { has_merged_usr: false, ..root.clone() }));
                variants.push(Kind::Root(Root { content: RootContent::UnpackedDebs, ..root.clone() }));
                variants.push(Kind::Root(Root { content: RootContent::Rpms, ..root.clone() }));
                variants.push(Kind::Root(Root { content: RootContent::Layers, ..root }));
            }
            Kind::Interpreter(build) => {
                variants.push(Kind::Interpreter(BuildInterpreter { prefix: text("/other"), ..build.clone() }));
                variants.push(Kind::Interpreter(BuildInterpreter { version: text("3.14"), ..build.clone() }));
                variants.push(Kind::Interpreter(BuildInterpreter { variables: BTreeMap::new(), ..build }));
            }
            Kind::InterpreterTest(test) => {
                variants.push(Kind::InterpreterTest(TestInterpreter { prefix: text("/other"), ..test.clone() }));
                variants.push(Kind::InterpreterTest(TestInterpreter { version: text("3.14"), ..test.clone() }));
                variants.push(Kind::InterpreterTest(TestInterpreter { tests: vec![], ..test }));
            }
            Kind::Relocate(relocate) => {
                variants.push(Kind::Relocate(RelocateInterpreter { from: text("/other"), ..relocate.clone() }));
                variants.push(Kind::Relocate(RelocateInterpreter { to: text("/other"), ..relocate.clone() }));
                variants.push(Kind::Relocate(RelocateInterpreter { version: text("3.14"), ..relocate }));
            }
            Kind::Overlay => {}
            Kind::Wheel(wheel) => {
                variants.extend(interpreters().map(|interpreter| Kind::Wheel(Wheel { interpreter, ..wheel.clone() })));
                variants.push(Kind::Wheel(Wheel { variables: BTreeMap::new(), ..wheel }));
            }
            Kind::Unpack(unpack) => {
                variants
                    .extend(interpreters().map(|interpreter| Kind::Unpack(Unpack { interpreter, ..unpack.clone() })));
                variants.push(Kind::Unpack(Unpack { prefix: text("/other"), ..unpack }));
            }
            Kind::Environment(environment) => {
                let with = |interpreter| Environment { interpreter, ..environment.clone() };
                variants.extend(interpreters().map(|interpreter| Kind::Environment(with(interpreter))));
                variants.push(Kind::Environment(Environment { prefix: text("/other"), ..environment.clone() }));
                variants.push(Kind::Environment(Environment { module_paths: Vec::new(), ..environment.clone() }));
                variants.push(Kind::Environment(Environment { prune: vec![text("**/*.c")], ..environment }));
            }
            Kind::NodeModules(_) => variants.push(Kind::NodeModules(NodeModules { scripts: vec![] })),
            Kind::Stage(stage) => {
                variants.extend(interpreters().map(|interpreter| Kind::Stage(Stage { interpreter, ..stage.clone() })));
                variants.push(Kind::Stage(Stage { prefix: text("/other"), ..stage.clone() }));
                variants.push(Kind::Stage(Stage { application: text("/other"), ..stage.clone() }));
                variants.push(Kind::Stage(Stage { relocated_from: Some(text("/vrmd/python3.13")), ..stage }));
            }
            Kind::ShareOut(out) => {
                variants.push(Kind::ShareOut(ShareOut { share: share("cli", "bin/x").of_part("cli"), ..out.clone() }));
                variants.push(Kind::ShareOut(ShareOut { share: share("cli", "bin/*"), ..out.clone() }));
                variants.push(Kind::ShareOut(ShareOut { packages: BTreeMap::new(), ..out.clone() }));
                variants.push(Kind::ShareOut(ShareOut { commands: vec![], ..out.clone() }));
                variants.push(Kind::ShareOut(ShareOut { originals: vec![], ..out }));
            }
            Kind::Libraries(libraries) => {
                variants.push(Kind::Libraries(Libraries { architecture: text("arm64"), ..libraries.clone() }));
                variants.push(Kind::Libraries(Libraries { optional: vec![], ..libraries.clone() }));
                variants.push(Kind::Libraries(Libraries { names_packages: true, ..libraries.clone() }));
                variants.push(Kind::Libraries(Libraries { share: Some(share("cli", "bin/*")), ..libraries.clone() }));
                variants.push(Kind::Libraries(Libraries { share: Some(share("cli", "bin/x")), ..libraries.clone() }));
                let build_depends = vec![text("libpq-dev (>= 15)")];
                variants.push(Kind::Libraries(Libraries { build_depends, ..libraries }));
            }
            Kind::ImportCheck(check) => {
                variants.push(Kind::ImportCheck(ImportCheck { prefix: text("/other"), ..check.clone() }));
                variants.push(Kind::ImportCheck(ImportCheck { application: text("/other"), ..check.clone() }));
                variants.push(Kind::ImportCheck(ImportCheck { skip: vec![text("whois.gpu")], ..check.clone() }));
                variants.push(Kind::ImportCheck(ImportCheck { seconds: 5, ..check }));
            }
            Kind::Step(step) => {
                variants.push(Kind::Step(Step { application: text("/other"), ..step.clone() }));
                variants.extend(
                    work_variants(&step.work).into_iter().map(|work| Kind::Step(Step { work, ..step.clone() })),
                );
            }
            Kind::Package(_) => {}
            Kind::Test(test) => variants.extend(test_variants(&test).map(|test| Kind::Test(Box::new(test)))),
            Kind::Lint(_) => variants.push(Kind::Lint(Lint { checker: Checker::Rpmlint })),
        }
    }
    variants
}

/// A test with one field changed each.
fn test_variants(test: &Test) -> [Test; 11] {
    let checks = vec![Check::Tcp { port: 44, send: text("example.org\r\n"), expect: text("Registrar:") }];
    [
        Test { scenario: Scenario::Install, ..test.clone() },
        Test { format: Format::Rpm, ..test.clone() },
        Test { names: vec![text("other")], ..test.clone() },
        Test { needs: vec![text("vrmd-python3.13")], ..test.clone() },
        Test { prefix: text("/other"), ..test.clone() },
        Test { python: text("/opt/python3.11"), ..test.clone() },
        Test { services: vec![], ..test.clone() },
        Test { files: BTreeMap::new(), ..test.clone() },
        Test { checks, ..test.clone() },
        Test { machine: Machine::Sandbox, ..test.clone() },
        Test { machine: Machine::Users, ..test.clone() },
    ]
}

/// One kind of step with one field changed each.
fn work_variants(work: &Work) -> Vec<Work> {
    match work.clone() {
        Work::Compile(compile) => vec![
            Work::Compile(Compile { file: text("other.less"), ..compile.clone() }),
            Work::Compile(Compile { has_source_map: true, ..compile }),
        ],
        Work::Compress(compress) => vec![
            Work::Compress(Compress { file: text("other.css"), ..compress.clone() }),
            Work::Compress(Compress { compressor: Some(Compressor::Esbuild), ..compress.clone() }),
            Work::Compress(Compress { compressor: None, ..compress }),
        ],
        Work::CompileCatalogues => vec![],
        Work::CollectStatic(collect) => vec![
            Work::CollectStatic(CollectStatic { prefix: text("/other"), ..collect.clone() }),
            Work::CollectStatic(CollectStatic { files: vec![], ..collect.clone() }),
            Work::CollectStatic(CollectStatic { settings: None, ..collect.clone() }),
            Work::CollectStatic(CollectStatic { variables: BTreeMap::new(), ..collect }),
        ],
        Work::BustCaches(bust) => vec![
            Work::BustCaches(BustCaches { file: text("other.html"), ..bust.clone() }),
            Work::BustCaches(BustCaches { marker: text("@"), ..bust.clone() }),
            Work::BustCaches(BustCaches { token: CacheToken::Version(text("2.0")), ..bust.clone() }),
            Work::BustCaches(BustCaches { token: CacheToken::Content, ..bust }),
        ],
        Work::Precompress(_) => vec![Work::Precompress(Precompress { codings: vec![ContentCoding::Brotli] })],
        Work::Run(run) => vec![
            Work::Run(Run { command: vec![], ..run.clone() }),
            Work::Run(Run { outputs: vec![], ..run.clone() }),
            Work::Run(Run { variables: BTreeMap::new(), ..run.clone() }),
            Work::Run(Run { prefix: None, ..run }),
        ],
    }
}

fn interpreters() -> [InterpreterSpec; 2] {
    [
        InterpreterSpec { version: text("3.12"), ..interpreter() },
        InterpreterSpec { command: text("/opt/python3.11"), ..interpreter() },
    ]
}

fn package_variants() -> Vec<Kind> {
    let changes: [fn(&mut PackageSpec); 19] = [
        |spec| spec.name.push('x'),
        |spec| spec.version.push('x'),
        |spec| spec.native_architecture.push('x'),
        |spec| spec.maintainer.push('x'),
        |spec| spec.section.push('x'),
        |spec| spec.priority.push('x'),
        |spec| spec.homepage = None,
        |spec| spec.summary.push('x'),
        |spec| spec.description.swap(0, 2),
        |spec| drop(spec.depends.pop()),
        |spec| spec.compression = Compression::Gzip,
        |spec| spec.compression = Compression::Zstd,
        |spec| spec.epoch += 1,
        |spec| drop(spec.vcs.insert(text("Git"), text("https://whois.invalid/whois.git"))),
        |spec| spec.has_bill = true,
        |spec| spec.companions.push(text("vrmd-whois-cli")),
        |spec| spec.changelog = Some(text("vrmd-whois (1.2-3)")),
        |spec| spec.lifecycle.interpreter = Some(needed("3.11")),
        |spec| spec.lifecycle.interpreter = Some(needed("3.12")),
    ];
    let changed = |change: fn(&mut PackageSpec)| {
        let mut spec = package();
        change(&mut spec);
        Kind::Package(Box::new(spec))
    };
    changes.into_iter().map(changed).collect()
}

#[test]
fn where_a_file_is_fetched_from_and_its_size_are_no_part_of_a_key() {
    let archive = Origin::Archive { platform: text("bookworm"), path: text("pool/main/s/six") };
    let other = Fetch { size: None, file: text("renamed"), origin: archive, ..fetch() };
    assert_eq!(resolved(Kind::Fetch(other)).digest(), resolved(Kind::Fetch(fetch())).digest());
}

fn merging(names: &[&str], digests: &[InputDigest]) -> ResolvedAction {
    let environment = kinds().into_iter().find(|kind| kind.name() == "environment").expect("there is one");
    Action { kind: environment, inputs: inputs(names) }.resolve(digests)
}

#[test]
fn names_order_and_kinds_of_inputs_are_parts_of_the_key() {
    let [directory, file, _] = nodes().map(InputDigest::Node);
    let pair = [directory.clone(), file.clone()];
    let turned = [file.clone(), directory.clone()];
    let renamed = InputDigest::File { file: text("renamed.whl"), sha256: Sha256::from_bytes([2; 32]) };
    let digests = BTreeSet::from([
        merging(&["a", "b"], &pair).digest(),
        merging(&["a", "c"], &pair).digest(),
        merging(&["b", "a"], &pair).digest(),
        merging(&["a", "b"], &turned).digest(),
        merging(&["b", "a"], &turned).digest(),
        merging(&["a"], &[directory]).digest(),
        merging(&["a"], &[file]).digest(),
        merging(&["a"], &[file_input()]).digest(),
        merging(&["a"], &[renamed]).digest(),
        merging(&[], &[]).digest(),
    ]);
    assert_eq!(digests.len(), 10);
}

#[test]
fn texts_do_not_run_into_each_other() {
    let of = |values: &[PartValue]| {
        let parts = values.iter().map(|value| Part { name: text("p"), value: value.clone() }).collect();
        ResolvedAction { kind: text("test"), version: 1, parts }.digest()
    };
    let list = |texts: &[&str]| PartValue::List(texts.iter().map(|&value| text(value)).collect());
    let digests = BTreeSet::from([
        of(&[list(&["ab", "c"])]),
        of(&[list(&["a", "bc"])]),
        of(&[list(&["abc"])]),
        of(&[list(&["abc", ""])]),
        of(&[list(&[])]),
        of(&[list(&[""])]),
        of(&[PartValue::Text(text("abc"))]),
        of(&[PartValue::Text(text("ab")), PartValue::Text(text("c"))]),
        of(&[list(&["ab"]), list(&["c"])]),
    ]);
    assert_eq!(digests.len(), 9);
}

#[test]
fn an_action_that_reads_the_same_is_in_the_graph_once_and_keeps_its_first_provenance() {
    let mut graph = Graph::default();
    assert!(graph.is_empty());
    let first = graph.add(Kind::Fetch(fetch()), Vec::new(), provenance("first"));
    assert_eq!(graph.add(Kind::Fetch(fetch()), Vec::new(), provenance("again")), first);
    let other = graph.add(Kind::Fetch(Fetch { size: None, ..fetch() }), Vec::new(), provenance("other"));
    assert_ne!(other, first);
    let unpack = |name: &str, action, graph: &mut Graph| {
        let kind = Kind::Unpack(Unpack { prefix: text("/vrmd/whois"), interpreter: interpreter() });
        graph.add(kind, vec![Input::whole(name, action)], provenance(name))
    };
    let reader = unpack("wheel", first, &mut graph);
    assert_eq!(unpack("wheel", first, &mut graph), reader);
    assert_ne!(unpack("file", first, &mut graph), reader);
    assert_ne!(unpack("wheel", other, &mut graph), reader);
    assert_eq!(graph.len(), 5);
    assert_eq!(graph.provenance(first).label, "first");
    assert_eq!(graph.action(reader).inputs[0].action, first);
    assert!(graph.indices().all(|index| graph.action(index).inputs.iter().all(|input| input.action < index)));
}
