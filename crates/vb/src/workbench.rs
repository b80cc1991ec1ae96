//! What most commands start with: a session, its graph, and the builder for it.

use vb_build::Builder;
use vb_graph::{ActionIndex, Graph};
use vb_repo::Record;

use crate::{
    arguments::{Common, Selection},
    fatal::Fatal,
    machine::Machine,
    published::Published,
    session::{Session, Target},
};

/// A session that is ready to build.
#[derive(Debug)]
pub(crate) struct Workbench {
    pub(crate) session: Session,
    pub(crate) graph: Graph,
    /// The packages that are to be built.
    pub(crate) targets: Vec<Target>,
    /// Those that are published already, made of the same inputs.
    pub(crate) answers: Vec<(Target, Record)>,
    pub(crate) builder: Builder,
}

impl Workbench {
    /// Loads what is selected, lowers it, and opens the store.
    pub(crate) fn open(common: &Common, selection: &Selection) -> Result<Self, Fatal> {
        Self::with(common, Session::open(common, selection)?)
    }

    /// Lowers a session, and opens the store.
    pub(crate) fn with(common: &Common, mut session: Session) -> Result<Self, Fatal> {
        let platforms = session.pairs().into_iter().map(|(_, platform)| platform);
        let builder = Machine::read()?.builder(common, session.store.clone(), session.place(), platforms)?;
        let Published { numbers, mut answers } = Published::find(&session, &builder)?;
        session.number(numbers);
        let (graph, all) = session.graph()?;
        let (mut targets, mut answered) = (Vec::new(), Vec::new());
        for target in all {
            match answers.remove(&(target.pair.clone(), target.name.clone())).filter(|_| target.is_own) {
                Some(answer) => answered.push((target, answer)),
                None => targets.push(target),
            }
        }
        Ok(Self { session, graph, targets, answers: answered, builder })
    }

    /// Returns the packages that are to be built.
    pub(crate) fn goals(&self) -> Vec<ActionIndex> {
        self.targets.iter().map(|target| target.package).collect()
    }
}
