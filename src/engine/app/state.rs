//! Which directory the daemon keeps its state in.
//!
//! Decided from what is given; whether it can be used shows when the store opens it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The daemon's folder in the user's state folder.
const NAME: &str = "probecause";

/// The state directory: what the service manager made (`STATE_DIRECTORY`), else what was
/// asked for, else `probecause` in the user's state folder (XDG Base Directory
/// Specification). `None`: there is no such folder either.
///
/// `variable` looks up an environment variable.
#[must_use]
pub fn directory(
    asked: Option<&Path>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let folder = |name| set(name).map(PathBuf::from).filter(|it| it.is_absolute());
    set("STATE_DIRECTORY")
        .and_then(|value| first(&value))
        .or_else(|| asked.map(Path::to_owned))
        .or_else(|| folder("XDG_STATE_HOME").map(|state| state.join(NAME)))
        .or_else(|| folder("HOME").map(|home| home.join(".local/state").join(NAME)))
}

/// systemd joins the directories of a unit by colons, in the order of the unit.
fn first(value: &OsStr) -> Option<PathBuf> {
    let first = value.as_bytes().split(|byte| *byte == b':').next()?;
    (!first.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_manager_goes_before_the_command_line_before_the_users_folder() {
        let check = |asked: Option<&str>, variables: &[(&str, &str)], expected: Option<&str>| {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            let found = directory(asked.map(Path::new), variable);
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
        // The specification has relative paths ignored.
        let relative = ("XDG_STATE_HOME", "states");
        check(None, &[relative], None);
    }
}
