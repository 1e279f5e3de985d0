//! Finds the files that match a glob pattern, such as an item of `include`.
//!
//! `*` and `?` match within one path component. `**` is not supported, so a wrong pattern cannot
//! cause a search of a whole directory tree. The files are sorted, so that every machine reads them
//! in the same order.

use std::path::{Component, Path, PathBuf};

use wildmatch::WildMatch;

/// Returns the files that match `glob`, sorted by path. A relative `glob` is resolved against
/// `directory`. Directories that cannot be read are skipped.
pub(super) fn find_files(directory: &Path, glob: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    if !Path::new(glob).has_root() {
        found = vec![directory.to_owned()];
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
    // `read_dir("")` returns an error, but an empty base means the current directory.
    let directory = if base.as_os_str().is_empty() {
        Path::new(".")
    } else {
        base
    };
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let glob = WildMatch::new(name);
    let matches = |file: &str| {
        // As in a shell, only a pattern that starts with a dot matches hidden files, such as the
        // temporary files of editors.
        glob.matches(file) && (name.starts_with('.') || !file.starts_with('.'))
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| matches(&entry.file_name().to_string_lossy()))
        .map(|entry| base.join(entry.file_name()))
        .collect()
}
