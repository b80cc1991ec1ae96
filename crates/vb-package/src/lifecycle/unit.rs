//! The unit of a service (systemd.service(5)).

use std::fmt::Write as _;

use vb_graph::{Restart, Service};

/// Renders the unit.
pub(super) fn render(service: &Service) -> String {
    let mut text = String::new();
    let mut line = |text_of: &dyn std::fmt::Display| writeln!(text, "{text_of}").expect("a string can be written to");
    line(&"[Unit]");
    line(&format!("Description={}", service.description.replace('%', "%%")));
    let others = service.after.iter().map(String::as_str).filter(|unit| *unit != "network.target");
    line(&format!("After={}", std::iter::once("network.target").chain(others).collect::<Vec<_>>().join(" ")));
    line(&"\n[Service]");
    line(&format!("ExecStart={}", command(&service.exec)));
    if !service.reload.is_empty() {
        line(&format!("ExecReload={}", command(&service.reload)));
    }
    line(&format!("User={}", service.user));
    if let Some(group) = &service.group {
        line(&format!("Group={group}"));
    }
    line(&format!("WorkingDirectory={}", service.directory));
    for (name, value) in &service.environment {
        line(&format!("Environment={}", quoted(&format!("{name}={value}")).replace("$$", "$")));
    }
    if !service.capabilities.is_empty() {
        let capabilities = service.capabilities.join(" ");
        line(&format!("AmbientCapabilities={capabilities}\nCapabilityBoundingSet={capabilities}"));
    }
    for (name, value) in &service.limits {
        line(&format!("Limit{}={value}", name.to_uppercase()));
    }
    let restart = match service.restart {
        Restart::Always => "always",
        Restart::OnFailure => "on-failure",
        Restart::Never => "no",
    };
    line(&format!("Restart={restart}\nRestartSec=5\nTimeoutStopSec={}", service.stop_seconds));
    for (name, value) in &service.systemd {
        line(&format!("{name}={value}"));
    }
    line(&"\n[Install]\nWantedBy=multi-user.target");
    text
}

fn command(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Writes a word of a command: specifiers and variables are not meant (systemd.syntax(7), "Quoting").
fn quoted(word: &str) -> String {
    let word = word.replace('\\', "\\\\").replace('%', "%%").replace('$', "$$");
    let is_plain = !word.is_empty() && !word.contains([' ', '\t', '"', '\'', ';']);
    if is_plain { word } else { format!("\"{}\"", word.replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_program_as_they_are_written() {
        let words = ["/bin/x", "a b", "100%", "$HOME", "say \"hi\"", "it's", ";", "", r"a\b"].map(str::to_owned);
        let expect = r#"/bin/x "a b" 100%% $$HOME "say \"hi\"" "it's" ";" "" a\\b"#;
        assert_eq!(command(&words), expect);
    }
}
