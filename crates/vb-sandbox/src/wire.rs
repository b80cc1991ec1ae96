//! What the caller and the helper process tell each other, and on which file descriptors.
//!
//! The request is one JSON document. Reports are one JSON document per line; a failure outranks what comes after it.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::unistd;
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::{Spec, Status};

/// The descriptor that the helper reads its [`Request`] from.
pub(crate) const REQUEST_FD: i32 = 3;
/// The descriptor that reaches its end when the caller is gone or wants the sandbox gone.
pub(crate) const LIVENESS_FD: i32 = 4;
/// The descriptor that the helper writes its [`Report`]s to.
pub(crate) const REPORT_FD: i32 = 5;

/// What the helper is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) spec: Spec,
    pub(crate) streams: Streams,
}

/// Which standard streams the helper was started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Streams {
    /// Standard output and error are the log.
    Log,
    /// They are the caller's.
    Inherited,
}

/// What the helper tells the caller.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    Failed(Failure),
    Ended(Status),
    Used { cpu_micros: u64, max_rss_bytes: u64 },
}

/// Writes one report. A caller that is gone is not an error here: the liveness pipe takes care of that.
pub(crate) fn send(fd: BorrowedFd<'_>, report: &Report) {
    let mut line = serde_json::to_vec(report).expect("reports hold only text and numbers");
    line.push(b'\n');
    let _ = write_all(fd, &line);
}

/// Writes all bytes.
pub(crate) fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match unistd::write(fd, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// All that a helper reported during its life.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    pub(crate) failure: Option<Failure>,
    pub(crate) status: Option<Status>,
    pub(crate) cpu_micros: u64,
    pub(crate) max_rss_bytes: u64,
}

impl Reports {
    /// Reads the reports out of all that came through the pipe. A line cut short by a kill is left out.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut reports = Self::default();
        for line in text.split(|&byte| byte == b'\n') {
            match serde_json::from_slice(line) {
                Ok(Report::Failed(failure)) => {
                    reports.failure.get_or_insert(failure);
                }
                Ok(Report::Ended(status)) => reports.status = Some(status),
                Ok(Report::Used { cpu_micros, max_rss_bytes }) => {
                    reports.cpu_micros = cpu_micros;
                    reports.max_rss_bytes = max_rss_bytes;
                }
                Err(_) => {}
            }
        }
        reports
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Step;

    #[test]
    fn the_first_failure_is_the_one_that_counts() {
        let line = |report: &Report| serde_json::to_string(report).unwrap();
        let failed = |step, errno| Report::Failed(Failure { step, errno });
        let text =
            [line(&failed(Step::MapUser, 1)), line(&failed(Step::Fork, 2)), line(&Report::Ended(Status::Exited(127)))]
                .join("\n");
        let reports = Reports::parse(text.as_bytes());
        assert_eq!(reports.failure, Some(Failure { step: Step::MapUser, errno: 1 }));
        assert_eq!(reports.status, Some(Status::Exited(127)));
    }

    #[test]
    fn a_line_that_was_cut_short_is_no_report() {
        let reports = Reports::parse(b"{\"Ended\":{\"Exi");
        assert_eq!(reports.status, None);
    }
}
