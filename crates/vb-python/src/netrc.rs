//! The login file of the user (netrc(5)): a user name and a password for each host.
//!
//! Nothing here is ever shown: there is no `Debug` that has a password.

use std::fmt;

/// A user name and a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password, or a token.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

/// The logins of a file, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Netrc {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    /// `None` is the entry `default`.
    host: Option<String>,
    login: Login,
}

impl Entry {
    fn of(host: String) -> Self {
        Self { host: Some(host), login: Login::default() }
    }
}

impl Netrc {
    /// Reads the text of a file. Macros and accounts are passed over, and so is a word that nobody knows.
    pub fn parse(text: &str) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        let mut words = words(text).into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "machine" => entries.extend(words.next().map(Entry::of)),
                "default" => entries.push(Entry::default()),
                "login" | "user" => set(&mut entries, words.next(), |login, value| login.user = value),
                "password" => set(&mut entries, words.next(), |login, value| login.password = value),
                "account" => drop(words.next()),
                _ => {}
            }
        }
        Self { entries }
    }

    /// Returns what is known for a host, of a certain user where one is named. The first entry counts.
    pub fn login(&self, host: &str, user: Option<&str>) -> Option<&Login> {
        let fits = |entry: &&Entry| {
            entry.host.as_deref().is_none_or(|known| known.eq_ignore_ascii_case(host))
                && user.is_none_or(|user| entry.login.user == user)
        };
        self.entries.iter().find(fits).map(|entry| &entry.login)
    }
}

fn set(entries: &mut [Entry], value: Option<String>, put: impl FnOnce(&mut Login, String)) {
    if let (Some(entry), Some(value)) = (entries.last_mut(), value) {
        put(&mut entry.login, value);
    }
}

/// Splits a text into words; one may be in double quotes, `#` at the begin of a word starts a comment, and a macro ends with
/// an empty line.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut rest = line.trim_start();
        while !rest.is_empty() && !is_comment(rest, &words) {
            let (word, tail) = next_word(rest);
            rest = tail.trim_start();
            if word == "macdef" {
                lines.by_ref().find(|line| line.trim().is_empty());
                break;
            }
            words.push(word);
        }
    }
    words
}

/// A password may begin with `#`.
fn is_comment(rest: &str, before: &[String]) -> bool {
    rest.starts_with('#') && before.last().is_none_or(|word| word != "password")
}

fn next_word(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut word = String::new();
    let mut characters = quoted.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return (word, &quoted[position + 1..]),
            '\\' => word.extend(characters.next().map(|(_, escaped)| escaped)),
            other => word.push(other),
        }
    }
    (word, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, host: &str, user: Option<&str>, expect: Option<(&str, &str)>) {
        let netrc = Netrc::parse(text);
        let found = netrc.login(host, user).map(|login| (login.user.as_str(), login.password.as_str()));
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn entries_are_found_by_host_and_user() {
        let text = "machine a.example login bob password b1\nmachine a.example\n  login eve\n  password e1\n\
                    default login any password d1\n";
        check(text, "a.example", None, Some(("bob", "b1")));
        check(text, "A.EXAMPLE", Some("eve"), Some(("eve", "e1")));
        check(text, "other.example", None, Some(("any", "d1")));
        check(text, "a.example", Some("nobody"), None);
        check("machine a.example login bob password b1", "other.example", None, None);
    }

    #[test]
    fn comments_quotes_macros_and_accounts_are_understood() {
        let text = "# machine x login y password z\nmacdef init\nmachine in a macro\n\n\
                    machine a.example account none login \"b o\\\"b\" password #1 # the token\n";
        check(text, "a.example", None, Some(("b o\"b", "#1")));
        check(text, "in", None, None);
        check("machine", "a", None, None);
        check("machine a password", "a", None, Some(("", "")));
        check("machine a password \"open", "a", None, Some(("", "open")));
    }

    #[test]
    fn debug_output_has_no_password() {
        let netrc = Netrc::parse("machine a login bob password secret");
        assert!(!format!("{netrc:?}").contains("secret"));
    }
}
