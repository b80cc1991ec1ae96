//! Interpreters that wait in their sandboxes for sources to compile, so that not every wheel has to start one of its own.
//!
//! Sources and bytecode go through pipes: a compiler sees no file of a wheel, only the paths that they will have. Those of
//! each tree are compiled by a process that has seen no other.

use std::{
    io::{self, BufReader, BufWriter, PipeReader},
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use fs_err as fs;
use rustix::fs::{CWD, FileType, Mode};
use vb_graph::{BlobDigest, DirectoryDigest, Node, Unpack};
use vb_python::{BytecodeReply, SkippedSource, begin_tree, end_tree, read_bytecode_reply, send_source};
use vb_sandbox::{Outcome, SandboxError, Status, Stdio};
use vb_store::Scratch;

use super::{
    command::{last_lines, layered, private, read_only},
    python2::bytecode_server_command,
};
use crate::{
    builder::Builder,
    error::{CommandFailure, ExecuteError},
};

/// How long a cancel may go unnoticed.
const CANCEL_INTERVAL: Duration = Duration::from_millis(25);

/// How long a compiler has to end by itself. One that is killed leaves nobody who knows its processor time.
const GRACE: Duration = Duration::from_millis(500);

/// How many replies may wait: their bytecode is in memory.
const MOST_REPLIES: usize = 32;

/// How much is kept of what a compiler prints, in bytes.
const MOST_PRINTED: usize = 1 << 20;

/// How much is written to a compiler at once, in bytes: what a pipe takes.
const PIPE_SIZE: usize = 64 << 10;

/// Variables that let the C library of a compiler keep the memory that it has: each tree is compiled by a process that
/// begins with little.
const ALLOCATION: [(&str, &str); 3] =
    [("MALLOC_MMAP_THRESHOLD_", "268435456"), ("MALLOC_TOP_PAD_", "4194304"), ("MALLOC_TRIM_THRESHOLD_", "268435456")];

/// What a compiler is good for.
#[derive(Debug, PartialEq, Eq)]
struct Purpose {
    root: DirectoryDigest,
    unpack: Unpack,
}

type Replies = Receiver<io::Result<BytecodeReply>>;

/// A sandbox with an interpreter in it that waits.
#[derive(Debug)]
pub(crate) struct Compiler {
    purpose: Purpose,
    scratch: Scratch,
    argv: Vec<String>,
    /// Where it waits for sources. Its end is that of the interpreter.
    requests: Option<fs::File>,
    /// Does it read its pipe? Then writing fails when it ends.
    is_ready: bool,
    replies: Replies,
    has_to_end: Arc<AtomicBool>,
    sandbox: Option<JoinHandle<Result<Outcome, SandboxError>>>,
}

impl Compiler {
    /// Tells it to end, without waiting for it.
    pub(crate) fn end(&mut self) {
        self.requests = None;
    }

    fn status(&mut self) -> Result<Status, ExecuteError> {
        self.end();
        let sandbox = self.sandbox.take().expect("it is asked once");
        let outcome = sandbox.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(outcome.map_err(ExecuteError::Sandbox)?.status)
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        self.end();
        while self.replies.recv_timeout(GRACE).is_ok() {}
        self.has_to_end.store(true, Ordering::Relaxed);
        // Who sends does not wait for a receiver that is gone.
        self.replies = sync_channel(0).1;
        // Nobody is interested in how it ends.
        drop(self.sandbox.take().map(JoinHandle::join));
    }
}

/// Where the sources of one tree are handed over.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    pipe: BufWriter<&'a fs::File>,
    /// Has the compiler ended?
    is_broken: bool,
}

impl Sources<'_> {
    /// Adds a source, with the path that it will have.
    pub(super) fn add(&mut self, path: &str, source: &[u8]) -> io::Result<()> {
        send_source(&mut self.pipe, path, source).inspect_err(|_| self.is_broken = true)
    }

    fn begin(&mut self) -> io::Result<()> {
        begin_tree(&mut self.pipe).inspect_err(|_| self.is_broken = true)
    }

    fn end(&mut self) -> io::Result<()> {
        end_tree(&mut self.pipe).inspect_err(|_| self.is_broken = true)
    }
}

/// What was made of a tree.
#[derive(Debug)]
pub(super) struct Compiled<T> {
    /// What handing over its sources gave.
    pub(super) fed: T,
    /// Files of bytecode, by their paths below the prefix.
    pub(super) bytecode: Vec<(String, Node)>,
    /// The list of the sources that do not compile.
    pub(super) log: BlobDigest,
}

#[derive(Debug, Default)]
struct Received {
    bytecode: Vec<(String, Node)>,
    skipped: Vec<SkippedSource>,
    /// What the interpreter printed when it ended, or what it should not have said.
    failure: Option<Vec<u8>>,
    /// Has it ended by itself?
    has_ended: bool,
}

/// Ends the sandbox when what it waits for does not come.
struct EndUnlessFed<'a> {
    has_to_end: &'a AtomicBool,
    is_fed: bool,
}

impl Drop for EndUnlessFed<'_> {
    fn drop(&mut self) {
        if !self.is_fed {
            self.has_to_end.store(true, Ordering::Relaxed);
        }
    }
}

impl Builder {
    /// Takes a compiler that waits, or starts one.
    pub(super) fn take_compiler(&self, unpack: &Unpack, root: DirectoryDigest) -> Result<Compiler, ExecuteError> {
        let purpose = Purpose { root, unpack: unpack.clone() };
        let mut waiting = self.compilers.lock().unwrap_or_else(PoisonError::into_inner);
        let found = waiting.iter().position(|compiler| compiler.purpose == purpose).map(|at| waiting.swap_remove(at));
        drop(waiting);
        match found {
            Some(compiler) => Ok(compiler),
            None => self.start_compiler(purpose),
        }
    }

    /// Lets another action use the compiler.
    pub(super) fn give_back(&self, compiler: Compiler) {
        self.compilers.lock().unwrap_or_else(PoisonError::into_inner).push(compiler);
    }

    /// Compiles the sources that `feed` hands over, while it goes on. The bytecode is put into the store.
    pub(super) fn compile<T>(
        &self,
        compiler: &mut Compiler,
        cancel: &AtomicBool,
        feed: impl FnOnce(&mut Sources<'_>) -> Result<T, ExecuteError>,
    ) -> Result<Compiled<T>, ExecuteError> {
        self.wait_until_ready(compiler, cancel)?;
        let Compiler { requests, replies, has_to_end, purpose, .. } = &mut *compiler;
        let requests = requests.as_ref().expect("nobody has told it to end");
        let (has_to_end, prefix): (&AtomicBool, _) = (has_to_end, &purpose.unpack.prefix);
        let mut sources = Sources { pipe: BufWriter::with_capacity(PIPE_SIZE, requests), is_broken: false };
        let (fed, received) = std::thread::scope(|scope| {
            let receiving = scope.spawn(move || {
                let mut receiving = EndUnlessFed { has_to_end, is_fed: false };
                let received = self.receive(replies, prefix, cancel);
                receiving.is_fed =
                    received.as_ref().is_ok_and(|received| received.failure.is_none() || received.has_ended);
                // A compiler that nobody listens to waits, and its sandbox with it, until what it wrote is read.
                let goes_on = !receiving.is_fed;
                drop(receiving);
                while goes_on && replies.recv().is_ok() {}
                received
            });
            let mut feeding = EndUnlessFed { has_to_end, is_fed: false };
            let fed = hand_over(&mut sources, feed);
            // One that has ended by itself has a status to tell.
            feeding.is_fed = fed.is_ok() || sources.is_broken;
            drop(feeding);
            (fed, receiving.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let is_broken = sources.is_broken;
        drop(sources);
        let Received { bytecode, skipped, failure, .. } = received?;
        if cancel.load(Ordering::Relaxed) && (fed.is_err() || failure.is_some()) {
            return Err(ExecuteError::Cancelled);
        }
        match (fed, failure) {
            (Err(error), _) if !is_broken => Err(error),
            (_, Some(printed)) => Err(self.failure(compiler, &printed)?),
            (fed, None) => {
                let report = serde_json::to_vec(&skipped).expect("texts can be written as JSON");
                let log = self.store.put_bytes(&report).map_err(ExecuteError::Store)?;
                Ok(Compiled { fed: fed?, bytecode, log })
            }
        }
    }

    /// Ends the compilers that wait.
    pub(crate) fn end_compilers(&self) {
        let mut compilers = std::mem::take(&mut *self.compilers.lock().unwrap_or_else(PoisonError::into_inner));
        // All at once, then one is waited for after the other.
        compilers.iter_mut().for_each(Compiler::end);
    }

    fn wait_until_ready(&self, compiler: &mut Compiler, cancel: &AtomicBool) -> Result<(), ExecuteError> {
        if compiler.is_ready {
            return Ok(());
        }
        let mut printed = Vec::new();
        loop {
            match next_reply(&compiler.replies, cancel)? {
                Some(BytecodeReply::Ready) => {
                    // Only for writing: it fails when nobody reads any more.
                    let pipe = fs::OpenOptions::new().write(true).open(pipe_of(&compiler.scratch));
                    compiler.requests = Some(pipe.map_err(ExecuteError::scratch)?);
                    compiler.is_ready = true;
                    return Ok(());
                }
                Some(BytecodeReply::Printed(line)) => keep(&mut printed, &line),
                None => return Err(self.failure(compiler, &printed)?),
                Some(_) => {
                    compiler.has_to_end.store(true, Ordering::Relaxed);
                    return Err(self.failure(compiler, &printed)?);
                }
            }
        }
    }

    fn receive(&self, replies: &mut Replies, prefix: &str, cancel: &AtomicBool) -> Result<Received, ExecuteError> {
        let (mut received, mut printed) = (Received::default(), Vec::new());
        loop {
            match next_reply(replies, cancel)? {
                Some(BytecodeReply::Bytecode { path, bytes }) => {
                    let Some(below) = path.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')) else {
                        received.failure = Some(path.into_bytes());
                        return Ok(received);
                    };
                    let blob = self.store.put_bytes(&bytes).map_err(ExecuteError::Store)?;
                    let node = Node::File { blob, size: bytes.len() as u64, mode: 0o644 };
                    received.bytecode.push((below.to_owned(), node));
                }
                Some(BytecodeReply::Skipped(source)) => received.skipped.push(source),
                Some(BytecodeReply::Done) => return Ok(received),
                Some(BytecodeReply::Printed(line)) => keep(&mut printed, &line),
                other @ (Some(BytecodeReply::Ready) | None) => {
                    received.failure = Some(printed);
                    received.has_ended = other.is_none();
                    return Ok(received);
                }
            }
        }
    }

    /// Tells how the interpreter ended.
    fn failure(&self, compiler: &mut Compiler, printed: &[u8]) -> Result<ExecuteError, ExecuteError> {
        let log = self.store.put_bytes(printed).map_err(ExecuteError::Store)?;
        let status = compiler.status()?;
        self.check_disk()?;
        Ok(ExecuteError::Command(Box::new(CommandFailure {
            argv: compiler.argv.clone(),
            status,
            last_lines: last_lines(io::Cursor::new(printed)).map_err(ExecuteError::scratch)?,
            log: self.store.blob_path(&log),
        })))
    }

    fn start_compiler(&self, purpose: Purpose) -> Result<Compiler, ExecuteError> {
        let scratch = self.scratch()?;
        let pipe = pipe_of(&scratch);
        let requests = make_pipe(&pipe).map_err(ExecuteError::scratch)?;
        let shown = private("requests");
        let argv = bytecode_server_command(&purpose.unpack.interpreter, &shown);
        let mut spec = layered(vec![self.layer(&purpose.root)?], argv.clone(), vec![read_only(&pipe, &shown)]);
        spec.env.extend(ALLOCATION.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let (printed, log) = io::pipe().map_err(ExecuteError::scratch)?;
        let (sender, replies) = sync_channel(MOST_REPLIES);
        let has_to_end = Arc::new(AtomicBool::new(false));
        let (helper, cancel) = (self.helper.clone(), Arc::clone(&has_to_end));
        let sandbox = std::thread::spawn(move || {
            std::thread::scope(|scope| {
                scope.spawn(|| forward(printed, &sender));
                let log = Stdio::Log(std::os::fd::OwnedFd::from(log).into());
                vb_sandbox::run(&helper, &spec, log, &cancel)
            })
        });
        let (requests, sandbox) = (Some(requests), Some(sandbox));
        Ok(Compiler { purpose, scratch, argv, requests, is_ready: false, replies, has_to_end, sandbox })
    }
}

fn hand_over<T>(
    sources: &mut Sources<'_>,
    feed: impl FnOnce(&mut Sources<'_>) -> Result<T, ExecuteError>,
) -> Result<T, ExecuteError> {
    sources.begin().map_err(ExecuteError::scratch)?;
    let fed = feed(sources)?;
    sources.end().map_err(ExecuteError::scratch)?;
    Ok(fed)
}

/// Keeps what an interpreter prints, as much as anybody reads.
fn keep(printed: &mut Vec<u8>, line: &[u8]) {
    if printed.len() < MOST_PRINTED {
        printed.extend(line);
    }
}

fn pipe_of(scratch: &Scratch) -> PathBuf {
    scratch.path().join("requests")
}

/// Makes a named pipe, and opens it for both ends: that waits for nobody.
fn make_pipe(path: &Path) -> io::Result<fs::File> {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    fs::OpenOptions::new().read(true).write(true).open(path)
}

/// Waits for what a compiler has to say; `None` when it has nothing any more.
fn next_reply(replies: &Replies, cancel: &AtomicBool) -> Result<Option<BytecodeReply>, ExecuteError> {
    loop {
        match replies.recv_timeout(CANCEL_INTERVAL) {
            Ok(Ok(reply)) => return Ok(Some(reply)),
            // It was killed while it wrote.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Ok(Err(error)) => return Err(ExecuteError::scratch(error)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) if cancel.load(Ordering::Relaxed) => return Err(ExecuteError::Cancelled),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Hands on what comes back, until it ends or nobody listens.
fn forward(printed: PipeReader, replies: &SyncSender<io::Result<BytecodeReply>>) {
    let mut printed = BufReader::with_capacity(PIPE_SIZE, printed);
    while let Some(reply) = read_bytecode_reply(&mut printed).transpose() {
        let is_last = reply.is_err();
        if replies.send(reply).is_err() || is_last {
            return;
        }
    }
}
