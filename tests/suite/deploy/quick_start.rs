//! The four command blocks of `deploy/README.md`: each is short and names existing files.

use crate::deploy::read;

/// The longest allowed block, in lines.
const LINES: usize = 10;

#[test]
fn each_command_block_is_short_and_names_existing_files() {
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
                assert!(path.exists(), "{word} does not exist");
            }
        }
    }
    assert!(named >= 6, "only {named} files are named");
}
