//! Text as XML 1.0 can hold it.

use std::borrow::Cow;

use quick_xml::escape::escape;

/// Escapes text for an element or an attribute.
///
/// Control characters that XML 1.0 has no way to write (section 2.2) are left out.
pub(super) fn xml(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_allowed) {
        return escape(text);
    }
    let allowed: String = text.chars().filter(|character| is_allowed(*character)).collect();
    Cow::Owned(escape(allowed.as_str()).into_owned())
}

fn is_allowed(character: char) -> bool {
    !matches!(character, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped_and_what_xml_cannot_hold_is_left_out() {
        for (text, escaped) in [
            ("plain äöü\n\t", "plain äöü\n\t"),
            ("a < b & \"c\" > 'd'", "a &lt; b &amp; &quot;c&quot; &gt; &apos;d&apos;"),
            ("bell\x07 and \x1b[1m<", "bell and [1m&lt;"),
        ] {
            assert_eq!(xml(text), escaped);
        }
    }
}
