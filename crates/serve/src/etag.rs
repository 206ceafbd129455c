//! Entity tags (RFC 9110, 8.8.3): what an answer is called, and whether a caller's list names it. A tag that went out with a
//! content coding names the same version as the one without.

use crate::coding::Coding;

/// Whether `W/"1"` counts as `"1"`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weak {
    /// It does, when reading.
    Same,
    /// It does not, when writing.
    Different,
}

/// The tag of a version.
pub(crate) fn quoted(version: &str) -> String {
    format!("\"{version}\"")
}

/// The tag of the same version in a coding: other bytes need another strong tag (RFC 9110, 8.8.3.3).
pub(crate) fn coded(tag: &str, coding: Coding) -> String {
    match tag.strip_suffix('"') {
        Some(open) => format!("{open}-{}\"", coding.name()),
        None => tag.to_owned(),
    }
}

/// Whether a list of tags is `*` or names the version of the tag, in whichever coding (RFC 9110, 13.1).
pub(crate) fn names_tag(list: &str, tag: &str, weak: Weak) -> bool {
    let named = |named: &str| Coding::ALL.iter().any(|coding| named == coded(tag, *coding)) || named == tag;
    list.trim() == "*"
        || list.split(',').map(str::trim).any(|text| match text.strip_prefix("W/") {
            Some(inner) => weak == Weak::Same && named(inner),
            None => named(text),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_its_version_in_every_coding() {
        for list in ["*", "\"3\"", "\"2\", \"3-gzip\"", "\"3-br\""] {
            assert!(names_tag(list, "\"3\"", Weak::Different), "{list}");
        }
        for list in ["\"2\"", "\"3-deflate\"", "\"3-gzip-br\"", "W/\"3\"", "W/\"3-br\"", "3"] {
            assert!(!names_tag(list, "\"3\"", Weak::Different), "{list}");
        }
        assert!(names_tag("W/\"3-br\"", "\"3\"", Weak::Same));
    }
}
