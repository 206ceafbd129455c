//! A provider's folder: texts of files come in, a checked manifest goes out, or every reason why not with its file and line.

use crate::PROVIDER_FOLDERS;
use crate::codes::{
    PROVIDER_CASE, PROVIDER_CONTRADICTION, PROVIDER_FILE_WRONG, PROVIDER_FOLDER_WRONG, PROVIDER_KIND, PROVIDER_NAME,
    PROVIDER_PRIVACY, PROVIDER_REFERENCE,
};
use crate::own_file::{Form, OwnFile, meant};
use manifest::cases::Cases;
use manifest::check::{Finding, ManifestFile, Rule};
use manifest::point::Points;
use manifest::{Entries, Manifest, Provider};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::fmt;
use vocab::{Code, Diagnostic};

/// What those files are.
const FORM: Form = Form { code: PROVIDER_FILE_WRONG, one: "one document", each: "each provider" };

/// A folder with the files of one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderFolder {
    /// The folder's own name, which is the provider's.
    pub name: String,
    /// The folder as diagnostics show it: `providers/acme`.
    pub path: String,
    /// Its files: the name in the folder, and the text.
    pub files: Vec<(String, String)>,
}

/// The providers that this build brings.
#[must_use]
pub fn built_in_providers() -> Vec<ProviderFolder> {
    let own = |text: &&str| (*text).to_owned();
    let folder = |(name, files): &(&str, &[(&str, &str)])| ProviderFolder {
        name: own(name),
        path: format!("providers/{name}"),
        files: files.iter().map(|(file, text)| (own(file), own(text))).collect(),
    };
    PROVIDER_FOLDERS.iter().map(folder).collect()
}

/// Where the values of a document stand.
struct Places(Spanned<Tree>);

enum Tree {
    Value,
    List(Vec<Places>),
    Block(Vec<(Spanned<String>, Places)>),
}

impl ProviderFolder {
    /// Reads the manifest.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(&self) -> Result<Manifest, Vec<Diagnostic>> {
        let mut problems = self.stray_files();
        let parts = (
            self.part::<Provider>(ManifestFile::Provider, &mut problems),
            self.part::<Entries<_, _>>(ManifestFile::Operations, &mut problems),
            self.part::<Points>(ManifestFile::Points, &mut problems),
            self.part::<Entries<_, _>>(ManifestFile::Syncs, &mut problems),
        );
        let webhooks = self.part(ManifestFile::Webhooks, &mut problems);
        let sign_in = self.part(ManifestFile::SignIn, &mut problems);
        let browser = self.part(ManifestFile::Browser, &mut problems);
        let simulator = self.part(ManifestFile::Simulator, &mut problems);
        let cases: Option<Cases> = self.part(ManifestFile::Cases, &mut problems);
        let (Some(provider), true) = (parts.0, problems.is_empty()) else { return Err(problems) };
        let (operations, points, syncs) = (parts.1.unwrap_or_default(), parts.2.unwrap_or_default(), parts.3);
        let syncs = syncs.unwrap_or_default();
        let manifest = Manifest { provider, operations, points, syncs, webhooks, sign_in, browser, simulator };
        if manifest.provider.provider.as_str() != self.name {
            let file = self.file(ManifestFile::Provider).unwrap_or_else(|| self.empty());
            let at = place_in(&file, &["provider".to_owned()]);
            let message =
                format!("the folder is called `{}`, and the provider `{}`", self.name, manifest.provider.provider);
            let form = Form { code: PROVIDER_FOLDER_WRONG, ..FORM };
            problems.push(file.problem(form, at, message, "give both one name"));
        }
        let of_cases = cases.iter().flat_map(|cases| manifest::check::case_findings(&manifest, cases));
        let found = manifest::check::findings(&manifest).into_iter().chain(of_cases);
        problems.extend(found.map(|finding| self.diagnostic(&finding)));
        if problems.is_empty() { Ok(manifest) } else { Err(problems) }
    }

    /// What somebody else than the manifest says that it must come to; nothing where nobody says anything, or it cannot be read.
    #[must_use]
    pub fn cases(&self) -> Option<Cases> {
        self.part(ManifestFile::Cases, &mut Vec::new())
    }

    /// A case that comes to something else than it says: `path` leads to what is different in the file of cases.
    #[must_use]
    pub fn case_problem(&self, path: &[String], message: String) -> Diagnostic {
        let file = self.file(ManifestFile::Cases).unwrap_or_else(|| self.empty());
        let help = "mend the manifest; or the case, where who says so says something else";
        file.problem(Form { code: PROVIDER_CASE, ..FORM }, place_in(&file, path), message, help)
    }

    /// Files that are no part of a manifest, and the one that must be there.
    fn stray_files(&self) -> Vec<Diagnostic> {
        let known: Vec<&str> = ManifestFile::ALL.iter().map(|file| file.name()).collect();
        let form = Form { code: PROVIDER_FOLDER_WRONG, ..FORM };
        let mut problems: Vec<Diagnostic> = Vec::new();
        for (name, text) in self.files.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            let file = OwnFile { name: format!("{}/{name}", self.path), text: text.clone() };
            let message = format!("`{name}` is no file of a provider");
            problems.push(file.problem(form, Location::UNKNOWN, message, meant(name, &known)));
        }
        if !self.files.iter().any(|(name, _)| name == ManifestFile::Provider.name()) {
            let message = format!("`{}` is missing", ManifestFile::Provider.name());
            let help = "`docs/providers.md` describes it";
            problems.push(self.empty().problem(form, Location::UNKNOWN, message, help));
        }
        problems
    }

    fn empty(&self) -> OwnFile {
        OwnFile { name: format!("{}/{}", self.path, ManifestFile::Provider.name()), text: String::new() }
    }

    fn file(&self, file: ManifestFile) -> Option<OwnFile> {
        let (name, text) = self.files.iter().find(|(name, _)| name == file.name())?;
        Some(OwnFile { name: format!("{}/{name}", self.path), text: text.clone() })
    }

    fn part<T: DeserializeOwned>(&self, file: ManifestFile, problems: &mut Vec<Diagnostic>) -> Option<T> {
        match self.file(file)?.read(FORM) {
            Ok(part) => Some(part),
            Err(problem) => {
                problems.push(problem);
                None
            }
        }
    }

    fn diagnostic(&self, finding: &Finding) -> Diagnostic {
        let file = self.file(finding.file).unwrap_or_else(|| self.empty());
        let form = Form { code: code(finding.rule), ..FORM };
        file.problem(form, place_in(&file, &finding.path), finding.message.clone(), finding.help.clone())
    }
}

fn code(rule: Rule) -> Code {
    match rule {
        Rule::Reference => PROVIDER_REFERENCE,
        Rule::Name => PROVIDER_NAME,
        Rule::Kind => PROVIDER_KIND,
        Rule::Privacy => PROVIDER_PRIVACY,
        Rule::Contradiction => PROVIDER_CONTRADICTION,
    }
}

/// Where a path ends in a file; where a part of it is absent, what should hold it.
fn place_in(file: &OwnFile, path: &[String]) -> Location {
    let options = serde_saphyr::options! { with_snippet: false };
    let Ok(mut here) = serde_saphyr::from_str_with_options::<Places>(&file.text, options) else {
        return Location::UNKNOWN;
    };
    let mut place = here.0.referenced;
    for member in path {
        let next = match here.0.value {
            Tree::Block(entries) => entries.into_iter().find(|(key, _)| key.value == *member).map(|(key, value)| {
                let is_value = matches!(value.0.value, Tree::Value);
                (if is_value { value.0.referenced } else { key.referenced }, value)
            }),
            Tree::List(items) => {
                let item = member.parse().ok().and_then(|number: usize| items.into_iter().nth(number));
                item.map(|item| (item.0.referenced, item))
            }
            Tree::Value => None,
        };
        match next {
            Some((at, value)) => (place, here) = (at, value),
            None => break,
        }
    }
    place
}

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any document")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Value)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Value)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Value)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Value)
    }

    fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
        Ok(Tree::Value)
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Value)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Value)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Tree::Value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Block(entries))
    }
}
