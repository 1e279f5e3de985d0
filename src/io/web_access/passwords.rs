//! Checks passwords against bcrypt hashes, without revealing by timing which users exist.
//!
//! By design, a bcrypt check takes about 0.1 s of CPU time. To limit the load, checks run one at a
//! time, and successful checks are cached. For an unknown user, the password is checked against a
//! placeholder hash of cost 10, so that the check takes as long as for a known user with a hash of
//! this cost.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore};

use crate::model::secret::Secret;

/// A password checker with the users, their password hashes, and a cache of successful checks.
#[derive(Debug)]
pub struct Passwords {
    users: BTreeMap<String, Secret>,
    /// Permits for running and waiting checks. If no permit is available, a password that is not in
    /// the cache is rejected without a check.
    pending: Semaphore,
    /// Locked while a check runs, so that checks run one at a time.
    hashing: Mutex<()>,
    /// Cache of successful checks. An entry is a hash of the user name, the correct password and
    /// its bcrypt hash, computed with `hash_keys`.
    verified: std::sync::Mutex<HashSet<u64>>,
    hash_keys: RandomState,
}

/// Maximum number of running and waiting checks. If a check takes 0.1 s, a request waits less than
/// two seconds for the result of its check.
const MAX_PENDING: usize = 16;

/// Maximum number of entries in the cache of successful checks, which is more than the expected
/// number of users. A full cache is cleared before the next entry is added.
const MAX_VERIFIED: usize = 1000;

/// The placeholder hash against which the password of an unknown user is checked. No known password
/// matches: the hash was made from a random password, which was discarded.
const UNKNOWN_USER_HASH: &str = "$2b$10$2dGDFCLU7MvFjCI9fXCXNejSUTb063Sw0PhHZc7ZL9VoPObCZR8Wm";

impl Passwords {
    /// Creates a password checker. `users` maps user names to bcrypt hashes.
    #[must_use]
    pub fn new(users: BTreeMap<String, Secret>) -> Self {
        Self {
            users,
            pending: Semaphore::new(MAX_PENDING),
            hashing: Mutex::new(()),
            verified: std::sync::Mutex::default(),
            hash_keys: RandomState::new(),
        }
    }

    /// Returns whether users are configured. If so, requests need a password, except those for the
    /// public paths, which health checks use.
    #[must_use]
    pub fn are_required(&self) -> bool {
        !self.users.is_empty()
    }

    /// Returns whether the user exists and has this password. While `MAX_PENDING` checks are
    /// running or waiting, returns false without a check, unless the cache contains this user with
    /// this password.
    pub async fn verify(self: &Arc<Self>, user: &str, password: &str) -> bool {
        let hash = self
            .users
            .get(user)
            .map_or(UNKNOWN_USER_HASH, Secret::expose)
            .to_owned();
        let key = self.hash_keys.hash_one((user, password, &hash));
        if self.verified().contains(&key) {
            return true;
        }
        let Ok(_permit) = self.pending.try_acquire() else {
            return false;
        };
        let _guard = self.hashing.lock().await;
        let password = Secret::new(password.to_owned());
        let check = move || bcrypt::verify(password.expose(), &hash);
        let is_valid = matches!(tokio::task::spawn_blocking(check).await, Ok(Ok(true)));
        let is_valid = is_valid && self.users.contains_key(user);
        if is_valid {
            let mut verified = self.verified();
            if verified.len() >= MAX_VERIFIED {
                verified.clear();
            }
            verified.insert(key);
        }
        is_valid
    }

    fn verified(&self) -> std::sync::MutexGuard<'_, HashSet<u64>> {
        let verified = self.verified.lock();
        verified.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_correct_password_of_a_known_user_is_accepted() {
        // The hash has the minimum cost to keep the test fast.
        let hash = bcrypt::hash("hunter2", 4).unwrap();
        let users = [("alice".to_owned(), Secret::new(hash))].into();
        let passwords = Arc::new(Passwords::new(users));
        assert!(passwords.are_required());
        for (user, password, expected) in [
            ("alice", "hunter2", true),
            ("alice", "hunter2", true),
            ("alice", "hunter3", false),
            ("alice", "", false),
            ("bob", "hunter2", false),
        ] {
            assert_eq!(
                passwords.verify(user, password).await,
                expected,
                "{user} {password}"
            );
        }
        assert!(
            bcrypt::verify("x", UNKNOWN_USER_HASH).is_ok(),
            "the placeholder hash must be valid"
        );
    }
}
