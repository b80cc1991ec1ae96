//! What is found in a Nickel file by its tokens alone, before it is parsed: its imports, and how deeply it is nested.
//!
//! Parsing, checking and evaluating recurse over the syntax tree, so its depth has to be bounded first; and an import
//! has to be judged before Nickel opens the file.

use std::ops::Range;

use nickel_lang_core::{
    cache::InputFormat,
    parser::lexer::{Lexer, MultiStringToken, NormalToken, StringToken, Token},
};

/// How deeply a file may be nested, counted in tokens: see [`Nesting`].
pub(crate) const MAX_NESTING: usize = 2000;

/// An `import` of a file, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    /// The path in its quotes.
    pub(crate) path: String,
    /// How the file is read.
    pub(crate) format: InputFormat,
    /// The bytes of the quoted path.
    pub(crate) range: Range<usize>,
}

/// What the tokens of a file tell.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// The imports in their order.
    pub(crate) imports: Vec<Import>,
    /// Where the nesting exceeds [`MAX_NESTING`] for the first time.
    pub(crate) too_deep: Option<Range<usize>>,
}

/// Scans a file. It ends at the first token that is none: the parser reports that.
pub(crate) fn scan(text: &str) -> Scan {
    let mut scan = Scan::default();
    let mut nesting = Nesting::default();
    let mut importing = Importing::default();
    for token in Lexer::new(text) {
        let Ok((start, token, end)) = token else { break };
        if nesting.advance(&token) > MAX_NESTING {
            scan.too_deep = Some(start..end);
            break;
        }
        importing.advance(&token, start..end, &mut scan.imports);
    }
    scan
}

/// An upper bound of the syntax tree's depth: each token that is not yet behind a closing bracket or a comma counts.
///
/// Each `in` of a bracket counts to that bracket's end, as the bindings that a comma separates are all around it.
#[derive(Debug, Default)]
struct Nesting {
    outer: Vec<Level>,
    level: Level,
}

#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// The count of the brackets around this one, and of its `in`s.
    base: usize,
    /// The tokens behind the last comma.
    tokens: usize,
}

impl Nesting {
    fn advance(&mut self, token: &Token<'_>) -> usize {
        self.level.tokens += 1;
        match token {
            Token::Normal(
                NormalToken::LBrace | NormalToken::LBracket | NormalToken::LParen | NormalToken::EnumOpen,
            )
            | Token::Str(StringToken::Interpolation)
            | Token::MultiStr(MultiStringToken::Interpolation) => self.open(),
            Token::Normal(
                NormalToken::RBrace | NormalToken::RBracket | NormalToken::RParen | NormalToken::EnumClose,
            ) => self.level = self.outer.pop().unwrap_or_default(),
            Token::Normal(NormalToken::Comma) => self.level.tokens = 0,
            Token::Normal(NormalToken::In) => self.level.base += 1,
            Token::Normal(NormalToken::LineComment) | Token::Str(_) | Token::MultiStr(_) => self.level.tokens -= 1,
            Token::Normal(_) => {}
        }
        self.level.base + self.level.tokens
    }

    fn open(&mut self) {
        self.outer.push(self.level);
        self.level = Level { base: self.level.base + self.level.tokens, tokens: 0 };
    }
}

/// Recognises `import "path"` and `import "path" as 'Format`.
#[derive(Debug, Default)]
enum Importing {
    #[default]
    No,
    Keyword,
    Path {
        path: String,
        start: usize,
    },
    Done,
    As,
}

impl Importing {
    fn advance(&mut self, token: &Token<'_>, range: Range<usize>, imports: &mut Vec<Import>) {
        *self = match (std::mem::take(self), token) {
            (state, Token::Normal(NormalToken::LineComment)) => state,
            (_, Token::Normal(NormalToken::Import)) => Self::Keyword,
            (Self::Keyword, Token::Normal(NormalToken::DoubleQuote)) => {
                Self::Path { path: String::new(), start: range.start }
            }
            (Self::Path { path, start }, Token::Str(part)) => match unescape(part) {
                Some(part) => Self::Path { path: path + &part, start },
                None => Self::No,
            },
            (Self::Path { path, start }, Token::Normal(NormalToken::DoubleQuote)) => {
                let format = InputFormat::from_path(&path).unwrap_or_default();
                imports.push(Import { path, format, range: start..range.end });
                Self::Done
            }
            (Self::Done, Token::Normal(NormalToken::As)) => Self::As,
            (Self::As, Token::Normal(NormalToken::RawEnumTag(tag))) => {
                if let (Ok(format), Some(import)) = (tag.parse(), imports.last_mut()) {
                    import.format = format;
                }
                Self::No
            }
            _ => Self::No,
        };
    }
}

/// Returns the text of a part of a string, or `None` when it is none that an import may have.
fn unescape(part: &StringToken<'_>) -> Option<String> {
    match part {
        StringToken::Literal(text) => Some(text.clone()),
        StringToken::EscapedChar('n') => Some("\n".to_owned()),
        StringToken::EscapedChar('r') => Some("\r".to_owned()),
        StringToken::EscapedChar('t') => Some("\t".to_owned()),
        StringToken::EscapedChar(char) => Some(char.to_string()),
        StringToken::EscapedAscii(digits) | StringToken::EscapedUnicode(digits) => {
            u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).map(String::from)
        }
        StringToken::Error | StringToken::DoubleQuote | StringToken::Interpolation => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_with_their_format_and_place() {
        let text = "let a = import \"a.ncl\" in # import \"no.ncl\"\n\"import\" ++ (import \"b\\\"x.txt\" as 'Json)";
        let imports: Vec<_> =
            scan(text).imports.into_iter().map(|import| (import.path, import.format, &text[import.range])).collect();
        assert_eq!(
            imports,
            [
                ("a.ncl".to_owned(), InputFormat::Nickel, "\"a.ncl\""),
                ("b\"x.txt".to_owned(), InputFormat::Json, "\"b\\\"x.txt\""),
            ]
        );
    }

    #[test]
    fn a_long_list_is_not_deep() {
        let text = format!("{{ a = [{}], b = [{}] }}", "\"x\", ".repeat(9000), "{ c = \"%{x}\" }, ".repeat(9000));
        assert_eq!(scan(&text).too_deep, None);
    }

    #[test]
    fn what_the_parser_nests_is_too_deep_from_some_count_on() {
        let units =
            ["[", "(", "{a=", "!", "1+", "f ", "let a = 1, b = 2 in ", "if a then b else ", "fun x => ", "a.", "\"%{"];
        for unit in units {
            assert_eq!(scan(&unit.repeat(100)).too_deep, None, "{unit}");
            assert!(scan(&unit.repeat(MAX_NESTING + 1)).too_deep.is_some(), "{unit}");
        }
    }
}
