//! Finds the files that `include` names.
//!
//! Globs are relative to the file that holds them and know `*` and `?` within one part of
//! a path; there is no `**`, so that a daemon never walks a tree by mistake. Files come
//! sorted, so that two machines read the same configuration in the same order.

use std::path::{Component, Path, PathBuf};

use wildmatch::WildMatch;

/// The files that fit the glob, sorted. A part that cannot be read fits nothing.
pub(super) fn matching(folder: &Path, glob: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    if !Path::new(glob).has_root() {
        found = vec![folder.to_owned()];
    }
    for part in Path::new(glob).components() {
        found = match part {
            Component::Normal(name) => {
                let name = name.to_string_lossy();
                found.iter().flat_map(|base| step(base, &name)).collect()
            }
            other => found.iter().map(|base| base.join(other)).collect(),
        };
    }
    found.retain(|path| path.is_file());
    found.sort();
    found
}

fn step(base: &Path, name: &str) -> Vec<PathBuf> {
    if !name.contains(['*', '?']) {
        return vec![base.join(name)];
    }
    // `read_dir("")` is an error, yet an empty base means the current folder.
    let folder = if base.as_os_str().is_empty() {
        Path::new(".")
    } else {
        base
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let glob = WildMatch::new(name);
    let fits = |file: &str| {
        // As in a shell, a leading dot must be written out: editors leave such files.
        glob.matches(file) && (name.starts_with('.') || !file.starts_with('.'))
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| fits(&entry.file_name().to_string_lossy()))
        .map(|entry| base.join(entry.file_name()))
        .collect()
}
