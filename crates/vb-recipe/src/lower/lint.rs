//! A look of a distribution's checker at a package: the root that has the checker, and one action for each package.

use vb_graph::{ActionIndex, Checker, Graph, Kind, Lint, Provenance};

use super::{input, lower_root};
use crate::{
    lock::{PlatformLock, RootKind},
    platform::Platform,
};

/// Adds the look of a checker at a package, in the root that is locked for the platform, and returns it.
pub fn lower_lint(
    graph: &mut Graph,
    (platform, lock): (&Platform, &PlatformLock),
    checker: Checker,
    package: ActionIndex,
    provenance: Provenance,
) -> ActionIndex {
    let of_root = Provenance { label: format!("lint {} root", platform.name), declared_at: None };
    let root = lower_root(graph, platform, &lock.root(RootKind::Run), of_root);
    graph.add(Kind::Lint(Lint { checker }), vec![input("package", package), input("root", root)], provenance)
}
