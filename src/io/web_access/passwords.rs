//! Passwords against their bcrypt hashes, without giving away time or names.
//!
//! A check costs a tenth of a second of CPU by design. So one is made at a time, what was
//! right is remembered, and a name that nobody has costs as much as one that somebody has.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore};

use crate::model::secret::Secret;

/// The users and their passwords.
#[derive(Debug)]
pub struct Passwords {
    users: BTreeMap<String, Secret>,
    /// Checks under way or waiting: beyond them a client is refused unseen.
    waiting: Semaphore,
    one: Mutex<()>,
    /// Of names with right passwords, hashed with keys that nobody knows.
    right: std::sync::Mutex<HashSet<u64>>,
    keys: RandomState,
}

/// Checks that may wait: a second or two of them.
const WAITING: usize = 16;

/// Right passwords that are remembered: more than anybody has users.
const REMEMBERED: usize = 1000;

/// Checked for a name that nobody has; the hash of a text that was thrown away.
const NOBODY: &str = "$2b$10$2dGDFCLU7MvFjCI9fXCXNejSUTb063Sw0PhHZc7ZL9VoPObCZR8Wm";

impl Passwords {
    /// Users by name, with bcrypt hashes.
    #[must_use]
    pub fn new(users: BTreeMap<String, Secret>) -> Self {
        Self {
            users,
            waiting: Semaphore::new(WAITING),
            one: Mutex::new(()),
            right: std::sync::Mutex::default(),
            keys: RandomState::new(),
        }
    }

    /// Whether anybody is asked.
    #[must_use]
    pub fn are_asked(&self) -> bool {
        !self.users.is_empty()
    }

    /// Whether this is a user's password.
    pub async fn fit(self: &Arc<Self>, user: &str, password: &str) -> bool {
        let hash = self
            .users
            .get(user)
            .map_or(NOBODY, Secret::expose)
            .to_owned();
        let key = self.keys.hash_one((user, password, &hash));
        if self.remembered().contains(&key) {
            return true;
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return false;
        };
        let _alone = self.one.lock().await;
        let password = Secret::new(password.to_owned());
        let check = move || bcrypt::verify(password.expose(), &hash);
        let fits = matches!(tokio::task::spawn_blocking(check).await, Ok(Ok(true)));
        let fits = fits && self.users.contains_key(user);
        if fits {
            let mut remembered = self.remembered();
            if remembered.len() >= REMEMBERED {
                remembered.clear();
            }
            remembered.insert(key);
        }
        fits
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashSet<u64>> {
        let right = self.right.lock();
        right.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_name_fits() {
        // The least cost, so that the test is quick.
        let hash = bcrypt::hash("hunter2", 4).unwrap();
        let users = [("alice".to_owned(), Secret::new(hash))].into();
        let passwords = Arc::new(Passwords::new(users));
        assert!(passwords.are_asked());
        for (user, password, expected) in [
            ("alice", "hunter2", true),
            ("alice", "hunter2", true),
            ("alice", "hunter3", false),
            ("alice", "", false),
            ("bob", "hunter2", false),
        ] {
            assert_eq!(
                passwords.fit(user, password).await,
                expected,
                "{user} {password}"
            );
        }
        assert!(
            bcrypt::verify("x", NOBODY).is_ok(),
            "its form must be right"
        );
    }
}
