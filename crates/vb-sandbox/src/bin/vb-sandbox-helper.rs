//! The helper process of the tests: the sandbox's inner side and nothing else.

fn main() {
    vb_sandbox::helper_main()
}
