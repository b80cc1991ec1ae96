//! The package of a large application, beside what others make of the same tree with the same compression.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    process::Command,
};

use fs_err as fs;

use crate::{
    Common,
    case::{Case, absent, find_program, interleave, observe, remove, table},
    error::BenchError,
    machine,
    run::{Program, output_of},
    workspace::{Copy, Edit},
};

const PEERS: [&str; 3] = ["dpkg-deb", "rpmbuild", "nfpm"];

/// How often each is run.
#[derive(Debug, clap::Args)]
pub(crate) struct Packing {
    /// How often each is run; one run of all takes minutes.
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
}

/// What the peers are given.
struct Tree {
    directory: PathBuf,
    out: PathBuf,
    spec: PathBuf,
}

impl Packing {
    /// Measures packages of the large application; quickly, of a small one, once.
    pub(crate) fn measure(&self, common: &Common) -> Result<String, BenchError> {
        let (workspace, runs) = match common.quick {
            true => (Copy::of_current_directory(Path::new("recipes/whois.ncl"))?, 1),
            false => (Copy::of_current_directory_with_bigapp()?, self.runs),
        };
        let name = workspace.recipe().file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let program = Program::beside_this_one(&common.platform)?;
        let header = machine::describe(&program)?;
        let store = workspace.store_with_files_of(&common.store)?;
        let build = |format: &str| {
            let mut command = program.build_command(&workspace, &store);
            command.args(["--format", format]);
            command
        };
        observe(&mut build("deb,rpm"))?;
        let staged = output_of(&mut program.output(&workspace, &store, "stage"))?;
        let tree = Tree::new(&workspace, &Path::new(&staged).join("root"))?;

        let number = Cell::new(0);
        let change = || {
            number.set(number.get() + 1);
            workspace.change_one_line(Edit::Module, number.get()).map(drop)
        };
        let package = |format: &str| {
            let of_format = if format == "deb" { "" } else { " rpm" };
            format!("{name} {} package{of_format}", common.platform)
        };
        let forget = |format: &str| {
            remove(&store.join("memory"))?;
            fs::create_dir(store.join("memory"))?;
            workspace.forget(&store, &package(format))
        };
        let size = tree.size()? >> 20;
        let recipe = workspace.recipe().display();
        let mut text = format!("{header}\nRecipe: `{recipe}`, {size} MiB of files.\n\n{}", absent(&PEERS));
        for format in ["deb", "rpm"] {
            let mut cases = tree.peers(format);
            let what = |what: &str| format!("vb .{format}, {what}");
            cases.push(Case::new(what("nothing remembered"), || forget(format), || build(format)));
            cases.push(Case::new(what("one line changed (all actions)"), change, || build(format)));
            text.push_str(&format!("{}\n", table(&cases, &interleave(&cases, runs)?)));
        }
        for format in ["deb", "rpm"] {
            // What was forgotten for the figures above is remembered again.
            observe(&mut build(format))?;
            workspace.forget(&store, &package(format))?;
            observe(&mut build(format))?;
            change()?;
            let run = program.run(build(format))?;
            text.push_str(&format!("The actions after one changed line, `{format}`:\n\n"));
            text.push_str(&format!("{}\n", crate::report::actions_table(&run.events)));
        }
        Ok(text)
    }
}

impl Tree {
    /// Links the staged files into directories as the peers want them.
    fn new(workspace: &Copy, staged: &Path) -> Result<Self, BenchError> {
        let directory = workspace.root().join("tree");
        workspace.link_tree(staged, &directory)?;
        fs::create_dir(directory.join("DEBIAN"))?;
        let control = "Package: bigapp\nVersion: 1.0.0\nArchitecture: amd64\n\
            Maintainer: Bench <bench@example.org>\nDescription: bench\n";
        fs::write(directory.join("DEBIAN/control"), control)?;
        let (out, spec) = (workspace.root().join("out"), workspace.root().join("bigapp.spec"));
        fs::create_dir(&out)?;
        let text = format!(
            "Name: bigapp\nVersion: 1.0.0\nRelease: 1\nSummary: bench\nLicense: MIT\nBuildArch: x86_64\nAutoReqProv: no\n\
             %global __os_install_post %{{nil}}\n%define _build_id_links none\n%description\nbench\n%install\n\
             mkdir -p %{{buildroot}}\ncp -al {}/vrmd %{{buildroot}}/\n%files\n/vrmd\n",
            directory.display()
        );
        fs::write(&spec, text)?;
        for (format, compression) in [("deb", "xz"), ("rpm", "zstd:9")] {
            let text = format!(
                "name: bigapp\narch: amd64\nplatform: linux\nversion: 1.0.0\nmaintainer: Bench <bench@example.org>\n\
                 description: bench\ncontents:\n- src: {}/vrmd\n  dst: /vrmd\n  type: tree\n{format}:\n  compression: \
                 {compression}\n",
                directory.display()
            );
            fs::write(workspace.root().join(format!("nfpm-{format}.yaml")), text)?;
        }
        Ok(Self { directory, out, spec })
    }

    /// Returns the peers that make a format, each compressed as vb does it: xz of level 6, or zstd of level 9.
    fn peers(&self, format: &'static str) -> Vec<Case<'_>> {
        let (mut cases, empty) = (Vec::new(), || {
            remove(&self.out)?;
            Ok(fs::create_dir(&self.out)?)
        });
        let package = self.out.join(format!("peer.{format}"));
        if let (Some(program), "deb") = (find_program("dpkg-deb"), format) {
            for threads in ["--threads-max=2", "--threads-max=1"] {
                let (program, package) = (program.clone(), package.clone());
                cases.push(Case::new(format!("dpkg-deb -Zxz -z6 {threads}"), empty, move || {
                    let mut command = Command::new(&program);
                    command.args(["--root-owner-group", "-Zxz", "-z6", threads, "--build"]);
                    command.arg(&self.directory).arg(&package);
                    command
                }));
            }
        }
        if let (Some(program), "rpm") = (find_program("rpmbuild"), format) {
            cases.push(Case::new("rpmbuild -bb, w9T2.zstdio", empty, move || {
                let mut command = Command::new(&program);
                command.args(["--quiet", "-bb", "--define", "_binary_payload w9T2.zstdio"]);
                for name in ["_topdir", "_rpmdir", "_tmppath"] {
                    command.arg("--define").arg(format!("{name} {}", self.out.join(name).display()));
                }
                command.arg(&self.spec);
                command
            }));
        }
        if let Some(program) = find_program("nfpm") {
            let settings = self.spec.with_file_name(format!("nfpm-{format}.yaml"));
            cases.push(Case::new(format!("nfpm {format}, its own encoder"), empty, move || {
                let mut command = Command::new(&program);
                command
                    .args(["package", "--packager", format, "--config"])
                    .arg(&settings)
                    .arg("--target")
                    .arg(&package);
                command
            }));
        }
        cases
    }

    fn size(&self) -> Result<u64, BenchError> {
        let files = crate::workspace::files_below(&self.directory)?;
        Ok(files.iter().filter_map(|file| fs::symlink_metadata(file).ok()).map(|metadata| metadata.len()).sum())
    }
}
