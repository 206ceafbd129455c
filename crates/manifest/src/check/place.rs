//! Places inside a manifest, and what was found there.

use vocab::closest;
use vocab::suggestion::list;

/// A file of a provider's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ManifestFile {
    /// `provider.yaml`
    Provider,
    /// `operations.yaml`
    Operations,
    /// `points.yaml`
    Points,
    /// `syncs.yaml`
    Syncs,
    /// `webhooks.yaml`
    Webhooks,
    /// `sign_in.yaml`
    SignIn,
    /// `browser.yaml`
    Browser,
    /// `simulator.yaml`
    Simulator,
    /// `cases.yaml`
    Cases,
}

impl ManifestFile {
    /// All of them, in the order in which they are read.
    pub const ALL: [Self; 9] = [
        Self::Provider,
        Self::Operations,
        Self::Points,
        Self::Syncs,
        Self::Webhooks,
        Self::SignIn,
        Self::Browser,
        Self::Simulator,
        Self::Cases,
    ];

    /// Its name in the folder.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider.yaml",
            Self::Operations => "operations.yaml",
            Self::Points => "points.yaml",
            Self::Syncs => "syncs.yaml",
            Self::Webhooks => "webhooks.yaml",
            Self::SignIn => "sign_in.yaml",
            Self::Browser => "browser.yaml",
            Self::Simulator => "simulator.yaml",
            Self::Cases => "cases.yaml",
        }
    }
}

/// What kind of rule was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A value in `${...}` that there is not.
    Reference,
    /// An operation, a host, a way of authentication, a rate ... of that name there is not.
    Name,
    /// A value of one kind where another is asked for.
    Kind,
    /// A value that is handled less carefully than it has to be.
    Privacy,
    /// Two parts that cannot hold together, or one that cannot hold at all.
    Contradiction,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// In which file.
    pub file: ManifestFile,
    /// Where in it: members and numbers of items, from the outside.
    pub path: Vec<String>,
    /// Which kind of rule.
    pub rule: Rule,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// A place in a file.
#[derive(Debug, Clone)]
pub(super) struct At {
    file: ManifestFile,
    path: Vec<String>,
}

impl At {
    pub fn file(file: ManifestFile) -> Self {
        Self { file, path: Vec::new() }
    }

    /// A member or an item of it.
    pub fn to(&self, member: impl ToString) -> Self {
        let mut path = self.path.clone();
        path.push(member.to_string());
        Self { file: self.file, path }
    }
}

#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub fn add(&mut self, at: &At, rule: Rule, message: impl Into<String>, help: impl Into<String>) {
        let At { file, path } = at.clone();
        self.0.push(Finding { file, path, rule, message: message.into(), help: help.into() });
    }

    /// A name that must be one of those that there are.
    pub fn must_be_known(&mut self, at: &At, what: &str, name: &str, known: &[&str]) -> bool {
        let is_known = known.contains(&name);
        if !is_known {
            self.add(at, Rule::Name, format!("no {what} is called `{name}`"), meant(name, known));
        }
        is_known
    }

    pub fn into_list(self) -> Vec<Finding> {
        self.0
    }
}

/// What was meant, or what there is.
pub(super) fn meant(name: &str, known: &[&str]) -> String {
    match (closest(name, known), known) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, []) => "there is none".to_owned(),
        (None, known) => format!("it is one of {}", list(known)),
    }
}
