//! Paragraphs of `Field: value` lines, the form of apt sources, `Release`, `Packages` and control files (deb822(5)).
//!
//! Values are slices of the text. A continuation line keeps its line break and leading blank.

/// One paragraph. Field names compare without case.
#[derive(Debug)]
pub(crate) struct Stanza<'a> {
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Stanza<'a> {
    /// Returns a field's value without surrounding blanks; an absent and an empty field are told apart.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Iterates over the fields as they stand in the text.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.fields.iter().copied()
    }

    /// Returns the words of a field; none when it is absent.
    pub(crate) fn words(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.get(name).unwrap_or_default().split_ascii_whitespace()
    }
}

/// Iterates over the paragraphs of a text. A line that is no field and no continuation is left out.
pub(crate) fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || next_stanza(text, &mut at))
}

fn next_stanza<'a>(text: &'a str, at: &mut usize) -> Option<Stanza<'a>> {
    let mut fields = Vec::with_capacity(32);
    while *at < text.len() {
        let start = *at;
        *at = line_end(text, start);
        let line = &text[start..*at];
        if line.trim_ascii().is_empty() {
            if fields.is_empty() {
                continue;
            }
            break;
        }
        let Some(colon) = line.find(':').filter(|_| !line.starts_with([' ', '\t', '#'])) else { continue };
        while is_continuation(&text[*at..]) {
            *at = line_end(text, *at);
        }
        fields.push((line[..colon].trim_ascii(), text[start + colon + 1..*at].trim_ascii()));
    }
    (!fields.is_empty()).then_some(Stanza { fields })
}

fn line_end(text: &str, start: usize) -> usize {
    text[start..].find('\n').map_or(text.len(), |length| start + length + 1)
}

fn is_continuation(rest: &str) -> bool {
    rest.starts_with([' ', '\t']) && !rest[..line_end(rest, 0)].trim_ascii().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&[(&str, &str)]]) {
        let found: Vec<Vec<_>> = stanzas(text).map(|stanza| stanza.fields().collect()).collect();
        assert_eq!(found, expect, "{text:?}");
    }

    #[test]
    fn paragraphs_fields_and_continuations_are_found() {
        check("", &[]);
        check("\n \n", &[]);
        check("A: 1\nB:2 \n\n\nC: x: y", &[&[("A", "1"), ("B", "2")], &[("C", "x: y")]]);
        check("A:\n one\n two\nB:\n", &[&[("A", "one\n two"), ("B", "")]]);
        check("# comment: no\nA: 1\nnonsense\n  \nB: 2\n", &[&[("A", "1")], &[("B", "2")]]);
    }

    #[test]
    fn names_compare_without_case_and_words_are_split() {
        let stanza = stanzas("Package-List:\n a b\n c\n").next().unwrap();
        assert_eq!(stanza.words("package-list").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(stanza.get("absent"), None);
    }
}
