//! Keeps the newest list of targets of each AWS account, in memory and in the state directory.
//!
//! A list is TOML with `[[target]]` tables. A new list replaces the file of the previous list in
//! one step, so if the daemon is killed during a write, it finds one of the two lists after its
//! restart.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::hash::fnv1a;
use crate::model::settings::discovery::AwsSource;

/// The newest list of each account. A clone refers to the same lists.
#[derive(Clone, Debug)]
pub struct TargetLists {
    /// The directory that contains the lists; `None` if they are kept in memory only.
    directory: Option<PathBuf>,
    texts: Arc<Mutex<BTreeMap<AwsSource, String>>>,
}

/// The subdirectory of the state directory that contains the lists.
const DIRECTORY: &str = "discovery";

impl TargetLists {
    /// Creates the lists. `state` is the state directory; without it, lists are lost at a restart.
    #[must_use]
    pub fn new(state: Option<&Path>) -> Self {
        Self {
            directory: state.map(|state| state.join(DIRECTORY)),
            texts: Arc::default(),
        }
    }

    /// Returns the newest list of an account; `None` if there is none. Warns and returns `None` if
    /// it cannot be read. Blocks on I/O if the list was not used yet.
    #[must_use]
    pub fn get(&self, source: &AwsSource) -> Option<String> {
        self.read(source).unwrap_or_else(|error| {
            let region = source.region.as_str();
            tracing::warn!(region, %error, "cannot read the targets that were found earlier");
            None
        })
    }

    /// Returns the newest list of an account; `None` if there is none. Blocks on I/O unless the
    /// list is already in memory.
    ///
    /// # Errors
    /// Returns an error if there may be a list, but it cannot be read.
    pub fn read(&self, source: &AwsSource) -> std::io::Result<Option<String>> {
        if let Some(text) = self.texts().get(source) {
            return Ok(Some(text.clone()));
        }
        let Some(file) = self.file(source) else {
            return Ok(None);
        };
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                self.texts().insert(source.clone(), text.clone());
                Ok(Some(text))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let text = format!("{}: {error}", file.display());
                Err(Error::new(error.kind(), text))
            }
        }
    }

    /// Replaces the list of an account. Blocks on I/O.
    ///
    /// # Errors
    /// Returns an error if the list cannot be stored. The list is then kept in memory until a
    /// restart.
    pub fn replace(&self, source: &AwsSource, text: &str) -> std::io::Result<()> {
        self.texts().insert(source.clone(), text.to_owned());
        let (Some(directory), Some(file)) = (&self.directory, self.file(source)) else {
            return Ok(());
        };
        std::fs::create_dir_all(directory)?;
        let temporary = file.with_extension("tmp");
        write(&temporary, text)?;
        std::fs::rename(temporary, file)
    }

    fn texts(&self) -> MutexGuard<'_, BTreeMap<AwsSource, String>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the path of the file that contains the list of an account; `None` without a state
    /// directory. The name of the file consists of the Region and a hash of the role's ARN.
    fn file(&self, source: &AwsSource) -> Option<PathBuf> {
        let directory = self.directory.as_ref()?;
        let role = source.role.as_ref().map_or("", |role| role.arn.as_str());
        let name = format!("{}-{:016x}.toml", source.region, fnv1a(role));
        Some(directory.join(name))
    }
}

/// Writes a file that only the daemon's user can read, because it contains external ids.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file: File = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::settings::Role;

    fn source(role: Option<&str>) -> AwsSource {
        AwsSource {
            region: "eu-west-1".to_owned(),
            role: role.map(|arn| Role {
                arn: arn.to_owned(),
                external_id: None,
            }),
        }
    }

    #[test]
    fn a_list_survives_a_restart_and_each_role_has_its_own() {
        let state = tempfile::tempdir().unwrap();
        let (own, other) = (source(None), source(Some("arn:aws:iam::1:role/a")));
        let lists = TargetLists::new(Some(state.path()));
        assert_eq!(lists.get(&own), None);
        for text in ["# first\n", "# second\n"] {
            lists.replace(&own, text).unwrap();
            assert_eq!(lists.get(&own).as_deref(), Some(text));
        }
        let restarted = TargetLists::new(Some(state.path()));
        assert_eq!(restarted.get(&own).as_deref(), Some("# second\n"));
        assert_eq!(restarted.get(&other), None);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_not_a_missing_list() {
        let state = tempfile::tempdir().unwrap();
        let lists = TargetLists::new(Some(state.path()));
        assert_eq!(lists.read(&source(None)).unwrap(), None);
        lists.replace(&source(None), "# first\n").unwrap();
        let file = lists.file(&source(None)).unwrap();
        std::fs::write(&file, [0xFF_u8]).unwrap();
        let restarted = TargetLists::new(Some(state.path()));
        let error = restarted.read(&source(None)).unwrap_err().to_string();
        assert!(error.starts_with(file.to_str().unwrap()), "{error}");
        assert_eq!(restarted.get(&source(None)), None);
    }

    #[test]
    fn without_a_directory_lists_are_kept_in_memory() {
        let lists = TargetLists::new(None);
        lists.replace(&source(None), "# first\n").unwrap();
        assert_eq!(lists.get(&source(None)).as_deref(), Some("# first\n"));
        assert_eq!(TargetLists::new(None).get(&source(None)), None);
    }

    #[test]
    fn a_list_that_cannot_be_stored_is_kept_in_memory() {
        let state = tempfile::tempdir().unwrap();
        std::fs::write(state.path().join(DIRECTORY), "a file").unwrap();
        let lists = TargetLists::new(Some(state.path()));
        assert!(lists.replace(&source(None), "# first\n").is_err());
        assert_eq!(lists.get(&source(None)).as_deref(), Some("# first\n"));
    }
}
