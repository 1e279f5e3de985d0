//! Parses AWS's XML documents into a tree of elements, without attributes.
//!
//! AWS's documents do not define entities, and contain no mixed content and no comments inside
//! values, so a full parser is not needed.

use crate::domain::html::decoded;

/// An element with its name, its text and its child elements.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

/// Maximum nesting depth of elements. A deeper document is rejected.
const MAX_DEPTH: usize = 32;

impl Element {
    /// Parses a document and returns its root element; `None` if the document is incomplete, if its
    /// tags do not match, or if elements are nested deeper than [`MAX_DEPTH`].
    pub(super) fn parse(document: &str) -> Option<Self> {
        let mut open: Vec<Self> = Vec::new();
        let mut rest = document;
        loop {
            let (text, after) = rest.split_once('<')?;
            if let Some(element) = open.last_mut() {
                element.text.push_str(&decoded(text.trim()));
            }
            let (tag, after) = after.split_once('>')?;
            rest = after;
            if tag.starts_with(['?', '!']) {
                continue;
            }
            let closed = if let Some(name) = tag.strip_prefix('/') {
                let element = open.pop()?;
                (element.name == name.trim()).then_some(element)?
            } else {
                let element = Self::named(tag);
                if !tag.ends_with('/') {
                    (open.len() < MAX_DEPTH).then_some(())?;
                    open.push(element);
                    continue;
                }
                element
            };
            match open.last_mut() {
                Some(parent) => parent.children.push(closed),
                None => return Some(closed),
            }
        }
    }

    fn named(tag: &str) -> Self {
        let name = tag.split([' ', '/', '\n', '\t']).next();
        Self {
            name: name.unwrap_or_default().to_owned(),
            ..Self::default()
        }
    }

    /// Returns the element at a path of names below this element; `None` if it is missing. If
    /// several children have the same name, the path leads through the first.
    pub(super) fn find(&self, path: &[&str]) -> Option<&Self> {
        let mut element = self;
        for name in path {
            let mut children = element.children.iter();
            element = children.find(|child| child.name == *name)?;
        }
        Some(element)
    }

    /// Returns the text of the element at a path; `None` if it is missing or empty.
    pub(super) fn text(&self, path: &[&str]) -> Option<&str> {
        let text = self.find(path)?.text.as_str();
        (!text.is_empty()).then_some(text)
    }

    /// Returns the child elements of the list at a path, whatever their names are. Returns an empty
    /// slice if there is no such list.
    pub(super) fn list(&self, path: &[&str]) -> &[Self] {
        self.find(path).map_or(&[][..], |list| &list.children[..])
    }

    /// Removes and returns the child elements of the list at a path. Returns an empty vector if
    /// there is no such list.
    pub(super) fn take_list(&mut self, path: &[&str]) -> Vec<Self> {
        let mut element = self;
        for name in path {
            let mut children = element.children.iter_mut();
            let Some(child) = children.find(|child| child.name == *name) else {
                return Vec::new();
            };
            element = child;
        }
        std::mem::take(&mut element.children)
    }

    /// Returns the texts of the items of the list at a path.
    pub(super) fn texts(&self, path: &[&str]) -> Vec<String> {
        let items = self.list(path).iter();
        items.map(|item| item.text.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_their_path() {
        let document = "<?xml version=\"1.0\"?>\n<A xmlns=\"http://x/\">\n <B><member><C>a &amp; \
                        b</C></member><member/></B>\n <D></D></A>";
        let root = Element::parse(document).unwrap();
        assert_eq!(root.list(&["B"]).len(), 2);
        assert_eq!(root.list(&["B"])[0].text(&["C"]), Some("a & b"));
        assert_eq!(root.text(&["B", "member", "C"]), Some("a & b"));
        assert_eq!(root.text(&["D"]), None);
        assert_eq!(root.find(&["E"]), None);
        assert!(root.list(&["E"]).is_empty());
        assert_eq!(root.find(&["B"]).unwrap().texts(&["member"]), ["a & b"]);
    }

    #[test]
    fn an_incomplete_document_is_not_parsed() {
        for document in ["", "text", "<A>", "<A><B></A>", "<A></B>", "<A"] {
            assert_eq!(Element::parse(document), None, "{document}");
        }
        let deep = "<a>".repeat(40) + &"</a>".repeat(40);
        assert_eq!(Element::parse(&deep), None);
    }
}
