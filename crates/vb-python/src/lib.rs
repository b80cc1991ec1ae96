//! Python's packaging formats: index configuration, locks, wheel choice for a platform, wheels to an environment, import check.
//!
//! The crate takes values and returns data. Must not be here: reading environment variables, running commands
//! (command lines for the sandbox are returned as data), knowledge of the store or of the graph's order.
//!
//! - [`read_config`], [`locate`]: where the machine's own configuration says that Python files come from.
//! - [`BoundIndex`], [`project_files`]: indexes that are bound to names, and all that may be had of one distribution.
//! - [`check_requirements`], [`requirements_of_pylock`], [`requirements_of_poetry`]: what is resolved, in several forms.
//! - [`CompileRequest`], [`read_pylock`], [`choose`]: a resolution by uv, and one file per distribution of it.
//! - [`build_requires`], [`unpack_sdist`], [`BuildRequest`]: an sdist to a wheel.
//! - [`unpack`], [`unpack_each`], [`environment_files`]: wheels to a virtual environment.
//! - [`python2`]: what all that is for Python 2.7, which has other tools.
//! - [`relocate`]: a file of an interpreter that moves to another prefix.
//! - [`bytecode_command`], [`bytecode_server_command`], [`import_check_command`]: what runs inside a sandbox, and what it reports.

mod archive;
mod bound;
mod bytecode;
mod check;
mod entry_points;
mod environment;
mod foreign;
mod hook;
mod indexes;
mod ini;
mod locate;
mod location;
mod lock;
mod marker;
mod metadata;
mod names;
mod netrc;
mod old_poetry;
mod pages;
mod project;
mod project_page;
mod pylock;
pub mod python2;
mod record;
mod relocate;
mod requirements;
mod scripts;
mod sdist;
mod serve_bytecode;
mod tags;
mod wheel;

pub use archive::{ArchiveError, read_members};
pub use bound::{BoundIndex, NamePatterns, NoLocation};
pub use bytecode::{SkippedSource, bytecode_command};
pub use check::{
    ImportCause, ImportCheckOptions, ImportFailure, ImportReport, ImportReportError, UnparsedSource,
    import_check_command, parse_import_report,
};
pub use entry_points::EntryPointError;
pub use environment::{EnvironmentFile, environment_files};
pub use foreign::{ForeignLockError, requirements_of_poetry, requirements_of_pylock};
pub use hook::{ASK_BUILD_REQUIRES, BuildBackend, HookRequest, backend_of_pyproject, exact_requirements};
pub use indexes::{HostFiles, IndexConfig, IndexConfigError, default_index_query, read_config};
pub use ini::IniError;
pub use locate::{LocateError, locate};
pub use location::{has_credentials, has_password, host_and_user, with_login};
pub use lock::{CompileRequest, Dependencies, ExportRequest, UV, UvTool, preferences};
pub use marker::Chosen;
pub use metadata::DistributionMetadata;
pub use names::normalize_name;
pub use netrc::{Login, Netrc};
pub use old_poetry::{OldPoetry, is_old_poetry, requirements_of_old_poetry};
pub use project::{ProjectError, check_project, check_project_requirements};
pub use project_page::{IndexFile, ProjectPageError, project_files};
pub use pylock::{BinaryPolicy, PylockError, read_pylock};
pub use record::{InstalledRecord, RecordError, prune_record};
pub use relocate::{RelocateError, relocate};
pub use requirements::{
    AllowedHashes, RefusedLine, RequirementsError, allowed_hashes, check_requirements, expand_variables,
};
pub use sdist::{BuildRequest, SdistError, build_constraints, build_requires, requires_of_pyproject, unpack_sdist};
pub use serve_bytecode::{
    BytecodeReply, begin_tree, bytecode_server_command, end_tree, read_bytecode_reply, send_source,
};
pub use tags::{Implementation, Rank, Target, choose, rank};
pub use wheel::{InstalledFile, Layout, Unpacked, WheelError, unpack, unpack_each};
