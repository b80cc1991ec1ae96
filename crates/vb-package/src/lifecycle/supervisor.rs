//! A service as a program of Supervisor.

use vb_graph::{Restart, Service};

/// Renders the section. Limits, user and environment are the run script's, which supervisord starts as root.
pub(super) fn render(service: &Service, directory: &str) -> String {
    let autorestart = match service.restart {
        Restart::Always => "true",
        Restart::OnFailure => "unexpected",
        Restart::Never => "false",
    };
    let Service { name, is_enabled, stop_seconds, .. } = service;
    format!(
        "[program:{name}]\ncommand={directory}/run\ndirectory=/\nautostart={is_enabled}\nautorestart={autorestart}\n\
         startsecs=1\nstopwaitsecs={stop_seconds}\nredirect_stderr=true\nstdout_logfile=/var/log/supervisor/{name}.log\n"
    )
}
