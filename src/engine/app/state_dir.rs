//! Chooses the directory in which the daemon keeps its state.
//!
//! The store checks whether the directory is usable when it opens the directory.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Name of the daemon's directory in the user's state directory.
const NAME: &str = "probecause";

/// Returns the state directory: the directory that the service manager assigned
/// (`STATE_DIRECTORY`), else the directory given by `--state`, else `probecause` in the user's
/// state directory (XDG Base Directory Specification). Returns `None` if none of these is known.
///
/// `variable` looks up an environment variable.
#[must_use]
pub fn resolve(
    option: Option<&Path>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    // The XDG specification requires that relative paths are ignored.
    let absolute = |name| set(name).map(PathBuf::from).filter(|it| it.is_absolute());
    set("STATE_DIRECTORY")
        .and_then(|value| first(&value))
        .or_else(|| option.map(Path::to_owned))
        .or_else(|| absolute("XDG_STATE_HOME").map(|state| state.join(NAME)))
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state").join(NAME)))
}

/// Returns the first directory in the value of `STATE_DIRECTORY`, or `None` if the text before the
/// first colon is empty. systemd separates the directories with colons, in the order of the unit
/// file.
fn first(value: &OsStr) -> Option<PathBuf> {
    let first = value.as_bytes().split(|byte| *byte == b':').next()?;
    (!first.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_managers_directory_precedes_the_option_and_the_users_directory() {
        let check = |option: Option<&str>, variables: &[(&str, &str)], expected: Option<&str>| {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            let found = resolve(option.map(Path::new), variable);
            assert_eq!(found.as_deref(), expected.map(Path::new), "{variables:?}");
        };
        let home = ("HOME", "/home/ann");
        let xdg = ("XDG_STATE_HOME", "/states");
        let systemd = ("STATE_DIRECTORY", "/var/lib/probecause");
        check(Some("here"), &[systemd, home], Some("/var/lib/probecause"));
        check(Some("here"), &[xdg, home], Some("here"));
        check(None, &[xdg, home], Some("/states/probecause"));
        check(None, &[home], Some("/home/ann/.local/state/probecause"));
        check(None, &[], None);
        let several = ("STATE_DIRECTORY", "/var/lib/a:/var/lib/b");
        check(None, &[several], Some("/var/lib/a"));
        let empty = [("STATE_DIRECTORY", ""), ("XDG_STATE_HOME", ""), home];
        check(Some("here"), &empty, Some("here"));
        check(None, &empty, Some("/home/ann/.local/state/probecause"));
        let relative = ("XDG_STATE_HOME", "states");
        check(None, &[relative], None);
    }
}
