//! A target's own keys over `[defaults]`: who said it, and where.
//!
//! Keys are looked up one by one in the target, then in the defaults; nothing is merged
//! ahead of time, so that a problem is reported where the value was written and a file
//! name is relative to the file that names it.

use super::document::Site;

/// A table as a target wrote it, over the same table of `[defaults]`.
#[derive(Debug)]
pub(super) struct Layer<'a, T> {
    own: Option<&'a T>,
    own_site: Site<'a>,
    defaults: Option<&'a T>,
    defaults_site: Site<'a>,
}

/// A value with the place it was found at.
#[derive(Clone, Debug)]
pub(super) struct Found<'a, V: ?Sized> {
    pub(super) value: &'a V,
    pub(super) site: Site<'a>,
}

impl<'a, T> Layer<'a, T> {
    pub(super) fn new(own: (Option<&'a T>, Site<'a>), defaults: (Option<&'a T>, Site<'a>)) -> Self {
        Self {
            own: own.0,
            own_site: own.1,
            defaults: defaults.0,
            defaults_site: defaults.1,
        }
    }

    /// A table that has no defaults.
    pub(super) fn alone(table: Option<&'a T>, site: Site<'a>) -> Self {
        Self::new((table, site.clone()), (None, site))
    }

    /// The value of a key: the target's own, else the default one.
    pub(super) fn pick<V>(
        &self,
        key: &str,
        get: impl Fn(&'a T) -> Option<&'a V>,
    ) -> Option<Found<'a, V>> {
        self.both(key, get).pop()
    }

    /// The default and the own value of a key, in this order, as far as they are there:
    /// for tables whose entries are merged one by one.
    pub(super) fn both<V>(
        &self,
        key: &str,
        get: impl Fn(&'a T) -> Option<&'a V>,
    ) -> Vec<Found<'a, V>> {
        let found = |table: Option<&'a T>, site: &Site<'a>| {
            let value = get(table?)?;
            Some(Found {
                value,
                site: site.key(key),
            })
        };
        let defaults = found(self.defaults, &self.defaults_site);
        defaults
            .into_iter()
            .chain(found(self.own, &self.own_site))
            .collect()
    }

    /// The layer of a table below this one.
    pub(super) fn table<V>(&self, key: &str, get: impl Fn(&'a T) -> Option<&'a V>) -> Layer<'a, V> {
        Layer {
            own: self.own.and_then(&get),
            own_site: self.own_site.key(key),
            defaults: self.defaults.and_then(&get),
            defaults_site: self.defaults_site.key(key),
        }
    }

    /// Whether something holds of one of the two tables.
    pub(super) fn any(&self, holds: impl Fn(&T) -> bool) -> bool {
        [self.own, self.defaults].into_iter().flatten().any(holds)
    }

    /// The same layer without the defaults if `shadows` holds of the target's own table.
    pub(super) fn shadowed_if(&self, shadows: impl Fn(&T) -> bool) -> Self {
        Self {
            own: self.own,
            own_site: self.own_site.clone(),
            defaults: self.defaults.filter(|_| !self.own.is_some_and(shadows)),
            defaults_site: self.defaults_site.clone(),
        }
    }

    /// Where the target itself would write this table.
    pub(super) const fn own_site(&self) -> &Site<'a> {
        &self.own_site
    }
}
