//! What most commands start with: a session, its graph, and the builder for it.

use vb_build::Builder;
use vb_graph::{ActionIndex, Graph};

use crate::{
    arguments::{Common, Selection},
    fatal::Fatal,
    machine::Machine,
    session::{Session, Target},
};

/// A session that is ready to build.
#[derive(Debug)]
pub(crate) struct Workbench {
    pub(crate) session: Session,
    pub(crate) graph: Graph,
    pub(crate) targets: Vec<Target>,
    pub(crate) builder: Builder,
}

impl Workbench {
    /// Loads what is selected, lowers it, and opens the store.
    pub(crate) fn open(common: &Common, selection: &Selection) -> Result<Self, Fatal> {
        Self::with(common, Session::open(common, selection)?)
    }

    /// Lowers a session, and opens the store.
    pub(crate) fn with(common: &Common, session: Session) -> Result<Self, Fatal> {
        let (graph, targets) = session.graph()?;
        let platforms = session.pairs().into_iter().map(|(_, platform)| platform);
        let builder = Machine::read()?.builder(common, session.store.clone(), &session.workspace.value, platforms)?;
        Ok(Self { session, graph, targets, builder })
    }

    /// Returns the packages that are selected.
    pub(crate) fn goals(&self) -> Vec<ActionIndex> {
        self.targets.iter().map(|target| target.package).collect()
    }
}
