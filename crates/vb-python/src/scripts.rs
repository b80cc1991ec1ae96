//! Scripts in an environment's `bin`: their first line, and those that are made from entry points.

use crate::entry_points::EntryPoint;

/// The longest first line that Linux kernels before 5.1 take, without its line feed.
const LONGEST_SHEBANG: usize = 127;

/// Returns the first line (or lines) by which `python` runs a script.
///
/// A path that is too long for the kernel, or has a space, goes through `/bin/sh`, by text that is a string to Python.
fn shebang(python: &str, arguments: &str) -> String {
    let line = format!("#!{python}{arguments}");
    if line.len() <= LONGEST_SHEBANG && !python.contains(' ') {
        return format!("{line}\n");
    }
    let command = if python.contains(' ') { format!("\"{python}\"") } else { python.to_owned() };
    format!("#!/bin/sh\n'''exec' {command}{arguments} \"$0\" \"$@\"\n' '''\n")
}

/// Replaces a first line that begins with `#!python` or `#!pythonw` by one for the environment's interpreter (PEP 427).
pub(crate) fn rewrite_shebang(script: Vec<u8>, python: &str) -> Vec<u8> {
    let Some(rest) = script.strip_prefix(b"#!python") else { return script };
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let line = String::from_utf8_lossy(&rest[..end]);
    // What follows directly (`w`, `3`, `3.11`) belongs to the name; the environment has only one interpreter.
    let arguments = line.find(char::is_whitespace).map_or("", |start| line[start..].trim());
    let arguments = if arguments.is_empty() { String::new() } else { format!(" {arguments}") };
    let mut rewritten = shebang(python, &arguments).into_bytes();
    rewritten.extend_from_slice(rest.get(end + 1..).unwrap_or_default());
    rewritten
}

/// Returns the script of an entry point, with pip's text.
pub(crate) fn entry_point_script(entry: &EntryPoint, python: &str) -> Vec<u8> {
    let EntryPoint { module, object, .. } = entry;
    let imported = object.split('.').next().unwrap_or(object);
    let shebang = shebang(python, "");
    format!(
        "{shebang}# -*- coding: utf-8 -*-\n\
         import re\n\
         import sys\n\
         from {module} import {imported}\n\
         if __name__ == '__main__':\n    \
             sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])\n    \
             sys.exit({object}())\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(script: &str, python: &str) -> String {
        String::from_utf8(rewrite_shebang(script.into(), python)).unwrap()
    }

    #[test]
    fn only_the_placeholder_is_rewritten() {
        let python = "/vrmd/whois/bin/python";
        for (script, expect) in [
            ("#!python\nprint(1)\n", "#!/vrmd/whois/bin/python\nprint(1)\n"),
            ("#!pythonw\r\nprint(1)\n", "#!/vrmd/whois/bin/python\nprint(1)\n"),
            ("#!python3 -E\nprint(1)\n", "#!/vrmd/whois/bin/python -E\nprint(1)\n"),
            ("#!python", "#!/vrmd/whois/bin/python\n"),
            ("#!/usr/bin/env python\n", "#!/usr/bin/env python\n"),
            ("#!/bin/sh\n", "#!/bin/sh\n"),
        ] {
            assert_eq!(rewrite(script, python), expect);
        }
    }

    #[test]
    fn a_long_path_goes_through_the_shell() {
        let longest = format!("/{}", "p".repeat(124));
        assert_eq!(rewrite("#!python\n", &longest), format!("#!{longest}\n"));
        let longer = format!("{longest}p");
        assert_eq!(
            rewrite("#!python -E\nx\n", &longer),
            format!("#!/bin/sh\n'''exec' {longer} -E \"$0\" \"$@\"\n' '''\nx\n")
        );
        assert_eq!(rewrite("#!python\n", "/a b/python"), "#!/bin/sh\n'''exec' \"/a b/python\" \"$0\" \"$@\"\n' '''\n");
    }

    #[test]
    fn an_entry_point_imports_the_first_name_and_calls_the_whole() {
        let entry = EntryPoint { name: "x".into(), module: "a.b".into(), object: "Class.main".into() };
        assert_eq!(
            String::from_utf8(entry_point_script(&entry, "/vrmd/whois/bin/python")).unwrap(),
            r"#!/vrmd/whois/bin/python
# -*- coding: utf-8 -*-
import re
import sys
from a.b import Class
if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\.pyw|\.exe)?$', '', sys.argv[0])
    sys.exit(Class.main())
"
        );
    }
}
