//! What a distribution says of itself in its `METADATA` (core metadata specification).
//!
//! Must not be here: the description, which is most of the file.

/// The part of a `METADATA` that licences and bills of materials need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistributionMetadata {
    /// Its name, as it is written there.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `License-Expression`: an SPDX expression.
    pub license_expression: Option<String>,
    /// Its licence in other words: `License`, where that is one line, or else the classifiers.
    pub license: Option<String>,
    /// Who made it: `Author`, or else `Author-email` or `Maintainer`.
    pub author: Option<String>,
    /// Where to read more: `Home-page`, or the `Project-URL` of that name.
    pub homepage: Option<String>,
}

impl DistributionMetadata {
    /// Reads the fields up to the description. What is not there stays empty: old distributions have next to nothing.
    pub fn parse(text: &str) -> Self {
        let fields: Vec<(String, String)> = fields(text);
        let all = |wanted: &'static str| fields.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value);
        let one = |wanted| all(wanted).find(|value| !value.is_empty() && *value != "UNKNOWN").cloned();
        let classifiers: Vec<&str> = all("classifier")
            .filter_map(|classifier| classifier.strip_prefix("License :: "))
            .filter_map(|license| license.rsplit(" :: ").next())
            .filter(|license| *license != "OSI Approved")
            .collect();
        let from_classifiers = (!classifiers.is_empty()).then(|| classifiers.join(", "));
        let page = |url: &String| {
            let (label, address) = url.split_once(',')?;
            label.trim().eq_ignore_ascii_case("homepage").then(|| address.trim().to_owned())
        };
        Self {
            name: one("name").unwrap_or_default(),
            version: one("version").unwrap_or_default(),
            license_expression: one("license-expression"),
            license: one("license").filter(|license| !license.contains('\n')).or(from_classifiers),
            author: ["author", "author-email", "maintainer", "maintainer-email"].into_iter().find_map(one),
            homepage: one("home-page").or_else(|| all("project-url").find_map(page)),
        }
    }
}

/// Splits the head of a message into its fields, by names in lower case; continuation lines are kept.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines().take_while(|line| !line.is_empty()) {
        match (line.starts_with([' ', '\t']), line.split_once(':')) {
            (true, _) => {
                if let Some((_, value)) = fields.last_mut() {
                    value.extend(["\n", line.trim()]);
                }
            }
            (false, Some((name, value))) => fields.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            (false, None) => {}
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_and_a_labelled_page_are_found() {
        let text = "Metadata-Version: 2.4\nName: attrs\nVersion: 26.1.0\nAuthor-email: Hynek <hs@example.org>\n\
                    License-Expression: MIT\nProject-URL: Changelog, https://example.org/changes\n\
                    Project-URL: Homepage, https://example.org\n\nName: not this\n";
        let expect = DistributionMetadata {
            name: "attrs".to_owned(),
            version: "26.1.0".to_owned(),
            license_expression: Some("MIT".to_owned()),
            license: None,
            author: Some("Hynek <hs@example.org>".to_owned()),
            homepage: Some("https://example.org".to_owned()),
        };
        assert_eq!(DistributionMetadata::parse(text), expect);
    }

    #[test]
    fn a_licence_is_taken_from_classifiers_where_the_field_is_a_whole_text_or_unknown() {
        for license in ["UNKNOWN", "Copyright (c)\n        all of it"] {
            let text = format!(
                "Name: x\nLicense: {license}\nClassifier: License :: OSI Approved\n\
                 Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: Public Domain\n"
            );
            let license = DistributionMetadata::parse(&text).license;
            assert_eq!(license.as_deref(), Some("MIT License, Public Domain"));
        }
        assert_eq!(DistributionMetadata::parse("Name: x\nLicense: BSD\n").license.as_deref(), Some("BSD"));
    }
}
