//! A second, tiny application, over the same roots as `whois`, so that these are in the shared store already.

use super::env::TestEnv;

/// Writes the recipe and source of `hello`, with one module and these requirements. It has no lock yet.
pub(crate) fn write_hello(env: &TestEnv, requirements: &str) {
    let recipe = r#"let vb = import "vb.ncl" in
{
  name = "hello",
  version = 'Fixed "1.0",
  source = 'Path "apps/hello",
  python = "3.11",
  build_deps = ["libpq-dev"],
  run_deps = ["libpq5", "runit"],
} | vb.Recipe
"#;
    env.write("recipes/hello.ncl", recipe);
    env.write("recipes/apps/hello/requirements.txt", requirements);
    env.write("recipes/apps/hello/hello.py", "print('hello')\n");
}
