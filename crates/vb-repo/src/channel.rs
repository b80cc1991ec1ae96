//! Channels: `development` of `bookworm`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A channel of a platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChannelId {
    /// The platform: `bookworm`.
    pub platform: String,
    /// The channel: `development`.
    pub channel: String,
}

/// A name cannot be a channel's or a platform's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot be a {what}'s name")]
pub struct ChannelNameError {
    /// The name.
    pub name: String,
    /// Whose: `channel` or `platform`.
    pub what: &'static str,
}

impl ChannelId {
    /// Names a channel.
    ///
    /// # Errors
    /// [`ChannelNameError`] for a name that cannot be a part of a path: lower case letters, digits, `.`, `_`, `+`, and,
    /// for platforms alone, `-`, so that `<platform>-<channel>` is no two channels' suite.
    pub fn new(platform: &str, channel: &str) -> Result<Self, ChannelNameError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let check = |name: &str, what: &'static str, marks: &[u8]| {
            let is_name = name.bytes().next().is_some_and(is_plain)
                && name.bytes().all(|byte| is_plain(byte) || marks.contains(&byte));
            if is_name { Ok(name.to_owned()) } else { Err(ChannelNameError { name: name.to_owned(), what }) }
        };
        Ok(Self { platform: check(platform, "platform", b"._+-")?, channel: check(channel, "channel", b"._+")? })
    }

    /// Returns what clients call it: `bookworm-development`.
    pub fn suite(&self) -> String {
        format!("{}-{}", self.platform, self.channel)
    }

    /// Returns the name of the object that says at which generation it is.
    pub fn pointer(&self) -> String {
        format!("state/channels/{}/{}", self.platform, self.channel)
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.platform, self.channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_paths_or_ambiguous_are_refused() {
        assert_eq!(ChannelId::new("el9", "staging").unwrap().suite(), "el9-staging");
        assert!(ChannelId::new("bookworm-arm64", "staging").is_ok());
        for (platform, channel) in
            [("..", "a"), ("a", ".."), ("a/b", "c"), ("a", "b-c"), ("", "a"), ("a", ""), ("A", "b")]
        {
            assert!(ChannelId::new(platform, channel).is_err(), "{platform} {channel}");
        }
    }
}
