//! Interpreters that wait in their sandboxes for trees to compile, so that not every wheel has to start one of its own.
//!
//! A compiler's sandbox shows one directory at one prefix; the trees of one wheel after another are put there. Each is
//! compiled by a process that has seen no other.

use std::{
    io::{self, BufRead, BufReader, PipeReader, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use fs_err as fs;
use rustix::fs::{CWD, FileType, Mode};
use vb_graph::{BlobDigest, DirectoryDigest, Unpack};
use vb_python::parse_bytecode_report;
use vb_sandbox::{Outcome, SandboxError, Status, Stdio};
use vb_store::Scratch;

use super::{
    command::{last_lines, layered, private, read_only, read_write},
    python2::bytecode_server_command,
};
use crate::{
    builder::Builder,
    error::{CommandFailure, ExecuteError},
};

/// How long a cancel may go unnoticed.
const CANCEL_INTERVAL: Duration = Duration::from_millis(25);

/// What a compiler is good for.
#[derive(Debug, PartialEq, Eq)]
struct Purpose {
    root: DirectoryDigest,
    unpack: Unpack,
}

/// A sandbox with an interpreter in it that waits.
#[derive(Debug)]
pub(crate) struct Compiler {
    purpose: Purpose,
    scratch: Scratch,
    /// How many trees it has compiled and given back.
    served: usize,
    argv: Vec<String>,
    /// Where it waits for a line. Its end is that of the interpreter.
    requests: Option<fs::File>,
    replies: Receiver<io::Result<Vec<u8>>>,
    has_to_end: Arc<AtomicBool>,
    sandbox: Option<JoinHandle<Result<Outcome, SandboxError>>>,
}

impl Compiler {
    /// Returns the directory that is shown at the prefix, empty when the compiler is taken.
    pub(super) fn tree(&self) -> PathBuf {
        self.path("tree")
    }

    /// Returns a path of its scratch directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Empties its directory. What was there is removed with the compiler: file systems take long to find free inodes right
    /// after others were freed.
    fn set_aside(&mut self) -> io::Result<()> {
        let aside = self.path(&format!("done-{}", self.served));
        self.served += 1;
        fs::create_dir(&aside)?;
        for entry in fs::read_dir(self.tree())? {
            let entry = entry?;
            fs::rename(entry.path(), aside.join(entry.file_name()))?;
        }
        Ok(())
    }

    /// Tells it to end, without waiting for it.
    pub(crate) fn end(&mut self) {
        self.requests = None;
        self.has_to_end.store(true, Ordering::Relaxed);
    }

    fn request(&mut self) -> io::Result<()> {
        self.requests.as_mut().map_or(Ok(()), |requests| requests.write_all(b"\n"))
    }

    /// Waits for what it has to say; `None` when it has nothing any more.
    fn reply(&self, cancel: &AtomicBool) -> Result<Option<Vec<u8>>, ExecuteError> {
        loop {
            match self.replies.recv_timeout(CANCEL_INTERVAL) {
                Ok(reply) => return reply.map(Some).map_err(ExecuteError::scratch),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) if cancel.load(Ordering::Relaxed) => {
                    return Err(ExecuteError::Cancelled);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn status(&mut self) -> Result<Status, ExecuteError> {
        self.requests = None;
        let sandbox = self.sandbox.take().expect("it is asked once");
        let outcome = sandbox.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(outcome.map_err(ExecuteError::Sandbox)?.status)
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        self.end();
        // Nobody is interested in how it ends.
        drop(self.sandbox.take().map(JoinHandle::join));
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
    pub(super) fn give_back(&self, mut compiler: Compiler) -> Result<(), ExecuteError> {
        compiler.set_aside().map_err(ExecuteError::scratch)?;
        self.compilers.lock().unwrap_or_else(PoisonError::into_inner).push(compiler);
        Ok(())
    }

    /// Compiles what is in the compiler's tree, and returns the blob of what was printed.
    pub(super) fn compile(&self, compiler: &mut Compiler, cancel: &AtomicBool) -> Result<BlobDigest, ExecuteError> {
        compiler.request().map_err(ExecuteError::scratch)?;
        let printed = compiler.reply(cancel)?.unwrap_or_default();
        let log = self.store.put_bytes(&printed).map_err(ExecuteError::Store)?;
        if parse_bytecode_report(&printed).is_ok() {
            return Ok(log);
        }
        let status = compiler.status()?;
        self.check_disk()?;
        Err(ExecuteError::Command(Box::new(CommandFailure {
            argv: compiler.argv.clone(),
            status,
            last_lines: last_lines(io::Cursor::new(printed)).map_err(ExecuteError::scratch)?,
            log: self.store.blob_path(&log),
        })))
    }

    /// Ends the compilers that wait, and removes what they compiled.
    pub(crate) fn end_compilers(&self) {
        let mut compilers = std::mem::take(&mut *self.compilers.lock().unwrap_or_else(PoisonError::into_inner));
        compilers.iter_mut().for_each(Compiler::end);
        std::thread::scope(|scope| {
            for compiler in compilers {
                scope.spawn(move || drop(compiler));
            }
        });
    }

    fn start_compiler(&self, purpose: Purpose) -> Result<Compiler, ExecuteError> {
        let scratch = self.scratch()?;
        let (tree, pipe) = (scratch.path().join("tree"), scratch.path().join("requests"));
        let requests = fs::create_dir(&tree).and_then(|()| make_pipe(&pipe)).map_err(ExecuteError::scratch)?;
        let Unpack { interpreter, prefix } = &purpose.unpack;
        let shown = private("requests");
        let argv = bytecode_server_command(interpreter, &shown, prefix);
        let binds = vec![read_write(&tree, prefix), read_only(&pipe, &shown)];
        let spec = layered(vec![self.layer(&purpose.root)?], argv.clone(), binds);
        let (printed, log) = io::pipe().map_err(ExecuteError::scratch)?;
        let (sender, replies) = channel();
        let has_to_end = Arc::new(AtomicBool::new(false));
        let (helper, cancel) = (self.helper.clone(), Arc::clone(&has_to_end));
        let sandbox = std::thread::spawn(move || {
            std::thread::scope(|scope| {
                scope.spawn(|| forward(printed, &sender));
                let log = Stdio::Log(std::os::fd::OwnedFd::from(log).into());
                vb_sandbox::run(&helper, &spec, log, &cancel)
            })
        });
        let sandbox = Some(sandbox);
        Ok(Compiler { purpose, scratch, served: 0, argv, requests: Some(requests), replies, has_to_end, sandbox })
    }
}

/// Makes a named pipe, and opens it for both ends: that waits for nobody, and neither does writing when nobody reads.
fn make_pipe(path: &Path) -> io::Result<fs::File> {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    fs::OpenOptions::new().read(true).write(true).open(path)
}

/// Hands on what ends with a NUL, and at the end what is left.
fn forward(printed: PipeReader, replies: &Sender<io::Result<Vec<u8>>>) {
    // Nobody listens any more when the compiler is dropped.
    BufReader::new(printed).split(0).take_while(|reply| reply.is_ok()).for_each(|reply| drop(replies.send(reply)));
}
