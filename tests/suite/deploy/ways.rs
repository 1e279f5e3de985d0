//! The four ways to run it: few lines each, which name what is there.

use crate::deploy::read;

/// The longest that somebody types in to try a thing.
const LINES: usize = 10;

#[test]
fn each_way_to_run_it_takes_few_lines_that_name_what_is_there() {
    let page = read("../README.md");
    let blocks: Vec<_> = page.split("```sh\n").skip(1).collect();
    assert_eq!(blocks.len(), 4, "host, container, cluster, terminal");
    let mut named = 0;
    for block in blocks {
        let (block, _) = block.split_once("```").unwrap();
        assert!(block.lines().count() <= LINES, "{block}");
        for word in block.split_whitespace() {
            if word.starts_with("deploy/") {
                named += 1;
                let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(word);
                assert!(path.exists(), "there is no {word}");
            }
        }
    }
    assert!(named >= 6, "only {named} files are named");
}
