//! Finds public items that the program itself does not use.
//!
//! In a library every `pub` item counts as used, so the compiler reports no dead code. Here
//! the same source files are checked as a binary with private modules, where `rustc` sees
//! exactly what `main` reaches. Built with the project's own dependencies, so that nothing
//! but the crate itself is compiled again after `cargo clippy`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Unused items of a crate made by [`write_crate`] from `root`, each as `file: name`.
pub(crate) fn items(root: &Path, manifest: &Path, target: &Path) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet", "--message-format=json"])
        .arg("--manifest-path")
        .arg(manifest)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let messages = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut found = BTreeSet::new();
    let mut errors = String::new();
    for message in messages.map(|line| line["message"].clone()) {
        if message["level"] == "error" {
            let _ = writeln!(errors, "{}", message["rendered"]);
        }
        if message["code"]["code"] != "dead_code" {
            continue;
        }
        let spans = message["spans"].as_array().unwrap();
        // Other spans name the type that holds the item.
        for span in spans.iter().filter(|span| span["is_primary"] == true) {
            let (line, file) = (&span["text"][0], span["file_name"].as_str().unwrap());
            let column = |key: &str| usize::try_from(line[key].as_u64().unwrap()).unwrap() - 1;
            let text = line["text"].as_str().unwrap().chars();
            let length = column("highlight_end") - column("highlight_start");
            let name: String = text.skip(column("highlight_start")).take(length).collect();
            let file = Path::new(file).strip_prefix(root.join("src")).unwrap();
            found.insert(format!("{}: {name}", file.display()));
        }
    }
    assert!(
        output.status.success(),
        "{errors}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    found
}

/// Writes a crate whose `main.rs` is the program's own, with the layers as its modules.
pub(crate) fn write_crate(root: &Path, folder: &Path, layers: &[&str]) {
    let text = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let mut manifest: toml::Table = text.parse().unwrap();
    // Dev-dependencies too, for the same features as in `cargo clippy --all-targets`.
    let further = manifest.remove("dev-dependencies").unwrap();
    let dependencies = manifest["dependencies"].as_table_mut().unwrap();
    for (name, value) in further.as_table().unwrap().clone() {
        if let Some(features) = value.get("features").and_then(toml::Value::as_array)
            && let Some(known) = dependencies.get_mut(&name)
            && let Some(known) = known.get_mut("features")
        {
            known.as_array_mut().unwrap().extend(features.clone());
        }
        dependencies.entry(name).or_insert(value);
    }
    let package = manifest["package"].as_table_mut().unwrap();
    package.retain(|key, _| ["name", "version", "edition"].contains(&key));
    manifest.retain(|key, _| ["package", "dependencies", "profile"].contains(&key));
    let mut modules = String::new();
    for layer in layers {
        let path = root.join("src").join(layer).join("mod.rs");
        let _ = writeln!(modules, "#[path = {path:?}]\nmod {layer};");
    }
    let main = std::fs::read_to_string(root.join("src/main.rs")).unwrap();
    let main = main.replace("use probecause::", "use crate::");
    let (head, rest) = main.split_once("\nuse ").unwrap();
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::write(folder.join("Cargo.toml"), manifest.to_string()).unwrap();
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let main = format!("{head}\n{modules}use {rest}");
    std::fs::write(folder.join("src/main.rs"), main).unwrap();
}
