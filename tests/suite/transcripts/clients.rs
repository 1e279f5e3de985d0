//! The output of real clients, each run against a server with one fault.

use std::fmt::Write as _;

use probecause::domain::transcript;
use probecause::domain::transcript::text::decode::decode;

use super::{folder, summary};

#[test]
fn the_output_of_every_client_is_read() {
    let mut files: Vec<_> = std::fs::read_dir(folder("clients"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut all = String::new();
    for file in files {
        let text = std::fs::read(&file).unwrap();
        let found = transcript::read(&decode(&text)).transcripts;
        let _ = writeln!(all, "{}", file.file_name().unwrap().to_string_lossy());
        for one in &found {
            let _ = writeln!(all, "  {} (line {})", summary(one).escape_debug(), one.line);
            if let Some(response) = &one.observation.response {
                let (headers, exact) = (response.headers.len(), one.body_exact);
                let reason = response.reason.as_deref().unwrap_or("-");
                let version = response.version;
                let _ = writeln!(
                    all,
                    "    HTTP/{version} {reason}, {headers} headers, exact body: {exact}"
                );
            }
        }
    }
    insta::assert_snapshot!(all);
}
