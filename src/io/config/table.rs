//! Reads the tables of a configuration file, key by key.
//!
//! A [`Table`] of a target looks up a key first in the target, then in `[defaults]`. The two tables
//! are never merged, so that a problem is reported where the value was written and a path is
//! relative to the file that contains it. A method that finds an invalid value reports the problem
//! at the location of the value and omits the value from its result.

use serde::Deserialize as _;
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::document::{Document, KeyLocation};
use super::habits::{self, Written};
use super::problem::Problems;
use super::value::Checked;
use super::wording::{without_values, wrong_type};

/// A configuration table. A table of a target has the corresponding table of `[defaults]` as its
/// fallback.
#[derive(Clone, Debug)]
pub(super) struct Table<'a> {
    own: Part<'a>,
    defaults: Option<Part<'a>>,
}

/// One table in one file, without a fallback.
#[derive(Clone, Debug)]
struct Part<'a> {
    /// The keys and values. `None` if the table is absent.
    values: Option<&'a DeTable<'a>>,
    place: KeyLocation<'a>,
}

/// A value in a configuration file, with its location.
#[derive(Clone, Debug)]
pub(super) struct Value<'a> {
    pub(super) place: KeyLocation<'a>,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Table<'a> {
    /// Creates the top-level table of a file. Reports each key that is not in `keys`, and appends
    /// `hint` to the error message.
    pub(super) fn root(
        document: &'a Document<'a>,
        keys: &[&str],
        hint: &str,
        problems: &'a Problems,
    ) -> Self {
        let own = Part {
            values: Some(&document.values),
            place: document.place(problems),
        };
        own.check_keys(keys, hint);
        Self {
            own,
            defaults: None,
        }
    }

    /// Returns this table with `defaults` as its fallback.
    pub(super) fn with_defaults(self, defaults: &Self) -> Self {
        Self {
            defaults: Some(defaults.own.clone()),
            ..self
        }
    }

    /// Returns a copy of this table. The copy has no fallback if the table itself contains any of
    /// `keys`.
    pub(super) fn without_defaults_if_own(&self, keys: &[&str]) -> Self {
        let mut table = self.clone();
        if keys.iter().any(|key| self.own.entry(key).is_some()) {
            table.defaults = None;
        }
        table
    }

    /// Returns the table at `key`, with its fallback. Returns an empty table if the key is absent
    /// or its value is not a table. Reports a value that is not a table, and each key in the table
    /// that is not in `keys`.
    pub(super) fn table(&self, key: &str, keys: &[&str]) -> Self {
        let part = |part: &Part<'a>| {
            let below = part.value(key).and_then(|value| value.part(keys));
            below.unwrap_or_else(|| Part {
                values: None,
                place: part.place.key(key),
            })
        };
        Self {
            own: part(&self.own),
            defaults: self.defaults.as_ref().map(part),
        }
    }

    /// Returns the location of the table itself, not of its fallback.
    pub(super) const fn place(&self) -> &KeyLocation<'a> {
        &self.own.place
    }

    /// Returns the location of a key. If the key is absent, returns the location that it would have
    /// in this table.
    pub(super) fn place_of(&self, key: &str) -> KeyLocation<'a> {
        let value = self.find(key);
        value.map_or_else(|| self.own.place.key(key), |value| value.place)
    }

    /// Returns whether the table or its fallback contains the key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.parts().any(|part| part.entry(key).is_some())
    }

    /// Returns the value of a key in the table itself or, if the key is absent there, in the
    /// fallback. Returns `None` if both lack the key.
    pub(super) fn find(&self, key: &str) -> Option<Value<'a>> {
        self.find_all(key).pop()
    }

    /// Returns the values of a key: the value in the fallback, then the value in the table itself.
    /// Used for tables whose entries are merged by name.
    pub(super) fn find_all(&self, key: &str) -> Vec<Value<'a>> {
        self.parts().filter_map(|part| part.value(key)).collect()
    }

    /// Reads the value of a key as `T`, in the fallback and in the table itself, so that invalid
    /// values are reported in both. Returns the value in the table itself if it is present and
    /// valid, otherwise the value in the fallback, or `None` if there is no valid value.
    pub(super) fn get<T: Checked>(&self, key: &str) -> Option<T::Inner> {
        self.parts().filter_map(|part| part.get::<T>(key)).last()
    }

    /// Reads the value of a key into `slot`. Does not change `slot` if [`get`](Self::get) returns
    /// `None`.
    pub(super) fn set<T: Checked>(&self, key: &str, slot: &mut impl From<T::Inner>) {
        if let Some(value) = self.get::<T>(key) {
            *slot = value.into();
        }
    }

    /// Reads the value of a required key. If the key is absent, reports an error that contains
    /// `example`, a line such as `name = "orders"`.
    pub(super) fn required<T: Checked>(&self, key: &str, example: &str) -> Option<T::Inner> {
        if !self.has(key) {
            let place = self.own.place.key(key);
            place.error(format!("is missing; add it, for example `{example}`"));
        }
        self.get::<T>(key)
    }

    /// Returns the items of the list at `key`. Returns no items if the key is absent. If the value
    /// is not a list, reports an error and returns no items.
    pub(super) fn items(&self, key: &str) -> Vec<Value<'a>> {
        self.find(key).map_or_else(Vec::new, |value| value.items())
    }

    /// Returns the entries of the table itself whose key is not in `keys`.
    pub(super) fn others(&self, keys: &[&str]) -> Vec<(&'a str, Value<'a>)> {
        let entries = entries(&self.own.place, self.own.values);
        entries.filter(|(key, _)| !keys.contains(key)).collect()
    }

    fn parts(&self) -> impl Iterator<Item = &Part<'a>> {
        self.defaults.iter().chain(std::iter::once(&self.own))
    }
}

impl<'a> Part<'a> {
    fn entry(&self, key: &str) -> Option<(KeyLocation<'a>, &'a Spanned<DeValue<'a>>)> {
        let (written, value) = self.values?.get_key_value(key)?;
        Some((self.place.key(key).at(written.span()), value))
    }

    fn value(&self, key: &str) -> Option<Value<'a>> {
        let (place, value) = self.entry(key)?;
        Some(Value { place, value })
    }

    fn get<T: Checked>(&self, key: &str) -> Option<T::Inner> {
        self.value(key)?.read::<T>()
    }

    fn check_keys(&self, keys: &[&str], hint: &str) {
        for (key, value) in entries(&self.place, self.values) {
            if !keys.contains(&key) {
                value.report_unknown(&self.place.section(), key, keys, hint);
            }
        }
    }
}

impl<'a> Value<'a> {
    /// Reads the value as `T`. If the value is invalid, reports an error and returns `None`.
    pub(super) fn read<T: Checked>(&self) -> Option<T::Inner> {
        if let Some(message) = self.text().and_then(|text| self.placeholder(text)) {
            self.place.error(message);
            return None;
        }
        match T::deserialize(ValueDeserializer::from(self.value.clone())) {
            Ok(value) => Some(value.into_inner()),
            Err(error) => {
                let remedy = |expected: &str| {
                    habits::retyped(&self.place.section(), &self.plain(), expected)
                };
                self.place.error(without_values(error.message(), remedy));
                None
            }
        }
    }

    /// Returns an error message if `text` contains a variable, such as `${HOST}`, because variables
    /// are not replaced. Returns `None` for any other text, and for keys whose text may contain
    /// anything, such as a body.
    fn placeholder(&self, text: &str) -> Option<String> {
        // Almost all texts contain none of these characters, so this check avoids the slower
        // search.
        if !text.contains(['$', '{', '<', '%']) {
            return None;
        }
        habits::replaced_nowhere(&self.place.section(), text)
    }

    /// Returns the value if it is a string. Does not report a value of another type.
    pub(super) fn text(&self) -> Option<&'a str> {
        self.value.get_ref().as_str()
    }

    /// Returns whether the value is a list.
    pub(super) fn is_list(&self) -> bool {
        self.value.get_ref().is_array()
    }

    /// Returns whether the value is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    /// Returns whether the value is an empty list or an empty table.
    pub(super) fn is_empty(&self) -> bool {
        match self.value.get_ref() {
            DeValue::Array(items) => items.is_empty(),
            DeValue::Table(table) => table.is_empty(),
            _ => false,
        }
    }

    /// Returns the items of a list. If the value is not a list, reports an error and returns no
    /// items.
    pub(super) fn items(&self) -> Vec<Self> {
        let DeValue::Array(items) = self.value.get_ref() else {
            let list = habits::as_list(&self.place.section(), &self.plain());
            let message = list.map(|list| format!("is not a list; write {list}"));
            let message = message.unwrap_or_else(|| wrong_type(self.kind(), "a sequence"));
            self.place.error(message);
            return Vec::new();
        };
        let numbered = items.iter().enumerate();
        numbered
            .map(|(index, value)| Self {
                place: self.place.item(index, value),
                value,
            })
            .collect()
    }

    /// Returns the tables in a list. For a table that contains only tables, returns its entries.
    /// For a table that contains only lists of tables, such as `[[inputs.http_response]]`, returns
    /// the tables in these lists. Returns any other table itself, and nothing for any other value.
    /// Reports no errors.
    pub(super) fn tables(&self) -> Vec<Self> {
        match self.value.get_ref() {
            DeValue::Array(_) => self.items().into_iter().filter(Self::is_table).collect(),
            DeValue::Table(values) => {
                let all: Vec<Self> = entries(&self.place, Some(values))
                    .map(|(_, it)| it)
                    .collect();
                let are_lists = !all.is_empty() && all.iter().all(Self::is_list_of_tables);
                let are_tables = !all.is_empty() && all.iter().all(Self::is_table);
                if are_lists {
                    all.iter().flat_map(Self::tables).collect()
                } else if are_tables {
                    all
                } else {
                    vec![self.clone()]
                }
            }
            _ => Vec::new(),
        }
    }

    /// Returns whether the value is a non-empty list that contains only tables.
    fn is_list_of_tables(&self) -> bool {
        let items = self.value.get_ref().as_array();
        items.is_some_and(|items| {
            !items.is_empty() && items.iter().all(|item| item.get_ref().is_table())
        })
    }

    /// Reads each item of a list as `T`. Reports invalid items and omits them.
    pub(super) fn read_items<T: Checked>(&self) -> Vec<T::Inner> {
        let items = self.items().into_iter();
        items.filter_map(|item| item.read::<T>()).collect()
    }

    /// Returns the entries of a table with arbitrary keys. If the value is not a table, reports an
    /// error and returns no entries.
    pub(super) fn entries(&self) -> Vec<(&'a str, Self)> {
        entries(&self.place, self.values()).collect()
    }

    /// Converts the value to JSON, for use in messages.
    pub(super) fn plain(&self) -> Json {
        let read = Json::deserialize(ValueDeserializer::from(self.value.clone()));
        read.unwrap_or_default()
    }

    /// Reports that `key`, the key of this value, is unknown. `section` is the path of its table,
    /// and `known` are the valid keys of that table. Appends `hint` to the error message. If the
    /// value is a table whose keys must be moved, reports each of these keys, too.
    fn report_unknown(&self, section: &str, key: &str, known: &[&str], hint: &str) {
        let written = Written {
            section,
            key,
            value: &self.plain(),
        };
        let remedy = habits::remedy(written);
        let message = habits::unknown_key(written, known, remedy.as_ref());
        self.place.error(format!("{message}{hint}"));
        if remedy.is_some_and(|remedy| remedy.is_table) {
            for (key, value) in entries(&self.place, self.value.get_ref().as_table()) {
                value.report_unknown(section, key, &[], "");
            }
        }
    }

    /// Returns the value as a table without a fallback. Reports each key that is not in `keys`. If
    /// the value is not a table, reports an error and returns `None`.
    pub(super) fn table(&self, keys: &[&str]) -> Option<Table<'a>> {
        Some(Table {
            own: self.part(keys)?,
            defaults: None,
        })
    }

    fn part(&self, keys: &[&str]) -> Option<Part<'a>> {
        let part = Part {
            values: Some(self.values()?),
            place: self.place.clone(),
        };
        part.check_keys(keys, "");
        Some(part)
    }

    fn values(&self) -> Option<&'a DeTable<'a>> {
        let table = self.value.get_ref().as_table();
        if table.is_none() {
            let section = self.place.section();
            let table = habits::as_table(&section, &self.plain());
            let message = table.map(|table| format!("is not a table; write {table}"));
            let message = message.unwrap_or_else(|| wrong_type(self.kind(), "a map"));
            self.place.error(message);
        }
        table
    }

    fn kind(&self) -> &'static str {
        self.value.get_ref().type_str()
    }
}

/// Returns the entries of a table with their locations. Returns no entries if the table is absent.
fn entries<'a>(
    place: &KeyLocation<'a>,
    values: Option<&'a DeTable<'a>>,
) -> impl Iterator<Item = (&'a str, Value<'a>)> {
    values.into_iter().flatten().map(move |(key, value)| {
        let name = key.get_ref().as_ref();
        let place = place.key(name).at(key.span());
        (name, Value { place, value })
    })
}
