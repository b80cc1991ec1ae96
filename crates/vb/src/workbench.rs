//! What most commands start with: a session, its graph, and the builder for it.

use vb_build::Builder;
use vb_graph::{ActionIndex, Graph};
use vb_repo::Record;

use crate::{
    arguments::{Common, Selection},
    fatal::Fatal,
    machine::Machine,
    published::{Published, published_before},
    session::{Lowered, Session, Target},
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
    /// The tests of all packages, where they are wanted.
    pub(crate) tests: Vec<ActionIndex>,
    pub(crate) builder: Builder,
}

impl Workbench {
    /// Loads what is selected, and lowers it, with the tests of its packages where they are wanted.
    pub(crate) fn of(common: &Common, selection: &Selection, has_tests: bool) -> Result<Self, Fatal> {
        Self::prepare(common, Session::open(common, selection)?, has_tests)
    }

    /// Lowers a session, and opens the store.
    pub(crate) fn with(common: &Common, session: Session) -> Result<Self, Fatal> {
        Self::prepare(common, session, false)
    }

    fn prepare(common: &Common, mut session: Session, has_tests: bool) -> Result<Self, Fatal> {
        let platforms = session.pairs().into_iter().map(|(_, platform)| platform);
        let builder = Machine::read()?.builder(common, session.store.clone(), session.place(), platforms)?;
        let Published { numbers, mut answers } = Published::find(&session, &builder)?;
        session.number(numbers);
        let older = if has_tests { Some(published_before(&session, builder.store())?) } else { None };
        let Lowered { graph, targets: all, tests } = session.graph(older.as_ref())?;
        let (mut targets, mut answered) = (Vec::new(), Vec::new());
        for target in all {
            match answers.remove(&(target.pair.clone(), target.name.clone())).filter(|_| target.is_own) {
                Some(answer) => answered.push((target, answer)),
                None => targets.push(target),
            }
        }
        Ok(Self { session, graph, targets, answers: answered, tests, builder })
    }

    /// Returns the packages that are to be built.
    pub(crate) fn goals(&self) -> Vec<ActionIndex> {
        self.targets.iter().map(|target| target.package).collect()
    }

    /// Returns the tests, or the packages that are to be built.
    pub(crate) fn goals_of(&self, tests: bool) -> Vec<ActionIndex> {
        if tests { self.tests.clone() } else { self.goals() }
    }
}
