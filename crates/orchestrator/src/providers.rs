//! The providers that a workspace knows: those of this build and those of its own folder `providers`. Files are read, nothing is
//! written, and no provider is spoken to.

use crate::read::read_source;
use crate::trying::last_tried;
use crate::workspace::Workspace;
use catalog::{ProviderFolder, built_in_providers};
use connect::cases::{Difference, play};
use manifest::Manifest;
use manifest::cases::Cases;
use manifest::point::Point;
use manifest::provider::TestSystem;
use manifest::webhook::{Registration, Verification};
use serde::Serialize;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use vocab::suggestion::closest;
use vocab::{Diagnostic, ProviderName};

/// The folder of the workspace's own providers, a folder each.
const PROVIDERS: &str = "providers";
/// What a file's name ends with.
const EXTENSION: &str = "yaml";

/// Why providers cannot be shown or checked.
#[derive(Debug, thiserror::Error)]
pub enum ProvidersFailure {
    /// A folder or a file cannot be read.
    #[error("`{path}` cannot be read: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing is there to check.
    #[error("`{0}` is no folder of a provider, and no folder of such folders: `docs/providers.md` describes one")]
    Nothing(PathBuf),
    /// No provider has that name.
    #[error("no provider is called `{name}`{help}")]
    Unknown {
        /// The name.
        name: String,
        /// What to do.
        help: String,
    },
    /// The task language knows it, and nobody has described it.
    #[error("`{0}` is known, but there is no manifest of it yet: `docs/providers.md` says how one is written")]
    NotBuilt(String),
    /// The manifest is wrong.
    #[error("the manifest of `{0}` is wrong: `producer providers lint` says what and where")]
    Wrong(String),
}

/// A provider, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedProvider {
    /// Its name.
    pub name: String,
    /// What it calls itself.
    pub title: String,
    /// What it is good for.
    pub about: String,
    /// What kinds of service it renders.
    pub service_types: Vec<&'static str>,
    /// How far one gets with it.
    pub state: ProviderState,
    /// Where its manifest is from.
    pub origin: Origin,
    /// What a user must or may give.
    pub needs: Vec<Need>,
    /// What is done at which point.
    pub points: Vec<ListedPoint>,
    /// How its webhooks are known to be its own, and how it gets to know our address; none where it sends none.
    pub webhooks: Option<ListedWebhooks>,
    /// How its test system is reached.
    pub test_system: &'static str,
    /// Whether it can be played on this machine.
    pub simulated: bool,
    /// What the facts are from.
    pub specification: String,
    /// What an origin other than the manifest has confirmed.
    pub verified: Vec<String>,
    /// How it came out when it was last tried at the provider itself, in one line.
    pub tried: Option<String>,
}

/// How far one gets with a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderState {
    /// Its manifest is whole.
    Described,
    /// Its manifest is wrong.
    Wrong,
    /// The task language knows its name, and there is no manifest yet.
    NotBuilt,
}

/// Where a manifest is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// This build.
    BuiltIn,
    /// The workspace.
    Workspace,
}

/// Something that a user must or may give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Its name in a task.
    pub name: String,
    /// What it is.
    pub title: String,
    /// Whether it opens something.
    pub secret: bool,
    /// Whether everything works without it.
    pub optional: bool,
    /// What it is where nobody says.
    pub default: Option<String>,
    /// Where to find it.
    pub find: Option<String>,
    /// The address of that page.
    pub page: Option<String>,
}

/// What is done at a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedPoint {
    /// The event.
    pub event: String,
    /// What is done.
    pub does: String,
}

/// What a provider sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedWebhooks {
    /// How it is known to be the provider's.
    pub verified_by: Vec<&'static str>,
    /// How the provider gets to know our address.
    pub registered: &'static str,
    /// Our events that come of it.
    pub emits: Vec<String>,
}

/// Every provider, by name: the workspace's own take the place of those of this build.
///
/// # Errors
/// [`ProvidersFailure`] when a folder cannot be read.
pub fn list_providers(workspace: &Workspace) -> Result<Vec<ListedProvider>, ProvidersFailure> {
    let own = folders(&workspace.root().join(PROVIDERS), PROVIDERS)?.unwrap_or_default();
    let mut listed: Vec<ListedProvider> = own.iter().map(|found| listed(found, Origin::Workspace)).collect();
    let built_in = built_in_providers().into_iter().map(|folder| listed_folder(&folder, Origin::BuiltIn));
    for provider in built_in.collect::<Vec<_>>() {
        if !listed.iter().any(|known| known.name == provider.name) {
            listed.push(provider);
        }
    }
    for (name, service_types) in spec::known_providers() {
        if !listed.iter().any(|known| known.name == name.as_str()) {
            listed.push(not_built(name.as_str(), service_types));
        }
    }
    listed.sort_by(|left, right| left.name.cmp(&right.name));
    for provider in &mut listed {
        provider.tried = tried(workspace, provider);
    }
    Ok(listed)
}

/// One provider.
///
/// # Errors
/// [`ProvidersFailure`] when there is none of that name, or its manifest is wrong.
pub fn show_provider(workspace: &Workspace, name: &str) -> Result<ListedProvider, ProvidersFailure> {
    let listed = list_providers(workspace)?;
    let known: Vec<&str> = listed.iter().map(|provider| provider.name.as_str()).collect();
    match listed.iter().find(|provider| provider.name == name) {
        Some(provider) if provider.state == ProviderState::Wrong => Err(ProvidersFailure::Wrong(name.to_owned())),
        Some(provider) => Ok(provider.clone()),
        None => {
            let help = closest(name, &known).map_or_else(
                || "; `producer providers` lists them".to_owned(),
                |meant| format!(": did you mean `{meant}`?"),
            );
            Err(ProvidersFailure::Unknown { name: name.to_owned(), help })
        }
    }
}

fn tried(workspace: &Workspace, provider: &ListedProvider) -> Option<String> {
    let name = ProviderName::parse(&provider.name).ok().filter(|_| provider.state == ProviderState::Described)?;
    let manifest = manifest(workspace, &name).ok()??;
    let (tried, is_current) = last_tried(workspace, &manifest).ok()??;
    let since = if is_current { "" } else { "; the manifest has changed since" };
    Some(format!("{}{since}", tried.in_short()))
}

/// Why a manifest cannot be used.
pub(crate) enum NoManifest {
    /// A folder or a file cannot be read.
    Unreadable { path: PathBuf, source: io::Error },
    /// It is wrong.
    Wrong(Vec<Diagnostic>),
}

/// The manifest of a provider: the workspace's own, else that of this build. None where nobody has described it.
pub(crate) fn manifest(workspace: &Workspace, name: &ProviderName) -> Result<Option<Manifest>, NoManifest> {
    folder(workspace, name)?.map(|folder| folder.read().map_err(NoManifest::Wrong)).transpose()
}

fn folder(workspace: &Workspace, name: &ProviderName) -> Result<Option<ProviderFolder>, NoManifest> {
    let own = workspace.root().join(PROVIDERS).join(name.as_str());
    if !own.is_dir() {
        return Ok(built_in_providers().into_iter().find(|folder| folder.name == name.as_str()));
    }
    let read = read_folder(&own, name.as_str(), &format!("{PROVIDERS}/{name}")).map_err(|failure| match failure {
        ProvidersFailure::File { path, source } => NoManifest::Unreadable { path, source },
        other => NoManifest::Unreadable { path: own.clone(), source: io::Error::other(other.to_string()) },
    })?;
    read.map(Some).map_err(NoManifest::Wrong)
}

/// What may be tried at a provider, and who says what it must come to; nothing where nobody says anything.
pub(crate) fn cases(workspace: &Workspace, name: &ProviderName) -> Option<Cases> {
    folder(workspace, name).ok()??.cases()
}

/// The manifest of a provider that somebody asked for by name.
///
/// # Errors
/// As [`show_provider`], and where there is no manifest of it yet.
pub(crate) fn provider_manifest(workspace: &Workspace, name: &str) -> Result<Manifest, ProvidersFailure> {
    show_provider(workspace, name)?;
    let not_built = || ProvidersFailure::NotBuilt(name.to_owned());
    let known = ProviderName::parse(name).map_err(|_| not_built())?;
    match manifest(workspace, &known) {
        Ok(manifest) => manifest.ok_or_else(not_built),
        Err(NoManifest::Wrong(_)) => Err(ProvidersFailure::Wrong(name.to_owned())),
        Err(NoManifest::Unreadable { path, source }) => Err(ProvidersFailure::File { path, source }),
    }
}

/// Everything that is wrong with a provider's folder, or with every folder in it, and every case in it that comes to something else;
/// without a folder, with those of the workspace. A name that is no folder means a provider of this build.
///
/// # Errors
/// [`ProvidersFailure`] when there is nothing to check, or it cannot be read.
pub fn lint_providers(workspace: &Workspace, folder: Option<&Path>) -> Result<Vec<Diagnostic>, ProvidersFailure> {
    let named = folder.filter(|folder| !folder.exists()).and_then(Path::to_str);
    let is_name = |folder: &&ProviderFolder| Some(folder.name.as_str()) == named;
    if let Some(built_in) = built_in_providers().iter().find(is_name) {
        return Ok(wrong(built_in));
    }
    let (path, shown) = match folder {
        Some(folder) => (folder.to_owned(), folder.display().to_string()),
        None => (workspace.root().join(PROVIDERS), PROVIDERS.to_owned()),
    };
    let found = match one_folder(&path, &shown)? {
        Some(found) => vec![found],
        None => folders(&path, &shown)?.unwrap_or_default(),
    };
    if found.is_empty() {
        return Err(ProvidersFailure::Nothing(path));
    }
    Ok(found.into_iter().flat_map(|found| found.map_or_else(|problems| problems, |folder| wrong(&folder))).collect())
}

/// What is wrong with a folder: its files, else what its cases come to.
fn wrong(folder: &ProviderFolder) -> Vec<Diagnostic> {
    let manifest = match folder.read() {
        Ok(manifest) => manifest,
        Err(problems) => return problems,
    };
    let Some(cases) = folder.cases() else { return Vec::new() };
    let problem = |different: Difference| {
        let case = ["cases".to_owned(), different.case.to_string()];
        folder.case_problem(&[&case[..], &different.path].concat(), different.what)
    };
    play(&manifest, &cases).into_iter().map(problem).collect()
}

/// A provider's folder as it was read, or why one of its files is no text.
type Found = Result<ProviderFolder, Vec<Diagnostic>>;

/// The folders in a folder, by name; none where there is no such folder.
fn folders(path: &Path, shown: &str) -> Result<Option<Vec<Found>>, ProvidersFailure> {
    let mut names = Vec::new();
    let failed = |source| ProvidersFailure::File { path: path.to_owned(), source };
    match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.path().is_dir() && !name.starts_with('.') {
                    names.push(name);
                }
            }
        }
    }
    names.sort();
    names
        .iter()
        .map(|name| read_folder(&path.join(name), name, &format!("{shown}/{name}")))
        .collect::<Result<Vec<_>, _>>()
        .map(Some)
}

/// The folder itself, where it holds files of a provider.
fn one_folder(path: &Path, shown: &str) -> Result<Option<Found>, ProvidersFailure> {
    let failed = |source| ProvidersFailure::File { path: path.to_owned(), source };
    let name = match path.canonicalize() {
        Ok(whole) => whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let found = read_folder(path, &name, shown)?;
    Ok(match &found {
        Ok(folder) if folder.files.is_empty() => None,
        Ok(_) | Err(_) => Some(found),
    })
}

fn read_folder(path: &Path, name: &str, shown: &str) -> Result<Found, ProvidersFailure> {
    let failed = |source| ProvidersFailure::File { path: path.to_owned(), source };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_data = path.extension().is_some_and(|extension| extension == EXTENSION);
        if path.is_file() && is_data {
            paths.push(path);
        }
    }
    paths.sort();
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let source = File::open(&path).and_then(|text| read_source(&format!("{shown}/{file}"), text));
        let source = source.map_err(|source| ProvidersFailure::File { path: path.clone(), source })?;
        match source.problem {
            Some(problem) => problems.push(problem),
            None => files.push((file, source.text)),
        }
    }
    let folder = ProviderFolder { name: name.to_owned(), path: shown.to_owned(), files };
    Ok(if problems.is_empty() { Ok(folder) } else { Err(problems) })
}

fn listed(found: &Found, origin: Origin) -> ListedProvider {
    match found {
        Ok(folder) => listed_folder(folder, origin),
        Err(problems) => {
            let source = problems.first().and_then(|problem| problem.place.as_ref()).map(|place| place.source.as_str());
            let name = source.and_then(|source| source.rsplit('/').nth(1)).unwrap_or_default();
            ListedProvider { state: ProviderState::Wrong, origin, ..not_built(name, Vec::new()) }
        }
    }
}

fn listed_folder(folder: &ProviderFolder, origin: Origin) -> ListedProvider {
    match folder.read() {
        Ok(manifest) => ListedProvider { verified: origins(folder.cases()), ..described(&manifest, origin) },
        Err(_) => ListedProvider { state: ProviderState::Wrong, origin, ..not_built(&folder.name, Vec::new()) },
    }
}

/// Who says what the provider's cases must come to, each once.
pub(crate) fn origins(cases: Option<Cases>) -> Vec<String> {
    let cases = cases.map(|cases| cases.cases).unwrap_or_default();
    let mut origins: Vec<String> =
        cases.iter().map(|case| format!("{} {}", case.origin.source, case.origin.version)).collect();
    origins.sort();
    origins.dedup();
    origins
}

fn not_built(name: &str, service_types: Vec<&'static str>) -> ListedProvider {
    ListedProvider {
        name: name.to_owned(),
        title: name.to_owned(),
        about: String::new(),
        service_types,
        state: ProviderState::NotBuilt,
        origin: Origin::BuiltIn,
        needs: Vec::new(),
        points: Vec::new(),
        webhooks: None,
        test_system: "none",
        simulated: false,
        specification: String::new(),
        verified: Vec::new(),
        tried: None,
    }
}

fn described(manifest: &Manifest, origin: Origin) -> ListedProvider {
    let provider = &manifest.provider;
    let point = |event: String, point: &Point| {
        let does = match point {
            Point::Nothing(why) => format!("nothing: {why}"),
            Point::InBrowser(why) => format!("in the browser: {why}"),
            Point::Calls(calls) => {
                let steps = calls.steps.iter().filter_map(|call| manifest.operations.get(call.operation.as_str()));
                steps.map(|operation| operation.does.clone()).collect::<Vec<_>>().join(", then ")
            }
        };
        ListedPoint { event, does }
    };
    let specification = &provider.specification;
    let version = specification.version.iter().map(|version| format!(" {version}")).collect::<String>();
    ListedProvider {
        name: provider.provider.to_string(),
        title: provider.title.clone(),
        about: provider.about.clone(),
        service_types: provider.service_types.iter().map(|kind| kind.as_str()).collect(),
        state: ProviderState::Described,
        origin,
        needs: needs(manifest),
        points: manifest.points.points.iter().map(|(event, what)| point(event.to_string(), what)).collect(),
        webhooks: manifest.webhooks.as_ref().map(|webhooks| ListedWebhooks {
            verified_by: webhooks.verify.iter().map(mechanism).collect(),
            registered: match webhooks.registration {
                Registration::ThroughApi(_) => "through the provider's API",
                Registration::ByHand { .. } => "by hand",
                Registration::WithEachRequest(_) => "with each request",
            },
            emits: {
                let mut emits: Vec<String> =
                    webhooks.events.iter().filter_map(|event| event.emits.as_ref()).map(ToString::to_string).collect();
                emits.sort();
                emits.dedup();
                emits
            },
        }),
        test_system: match provider.test_system {
            TestSystem::Hosts => "hosts of its own",
            TestSystem::Credential => "by a credential of it",
            TestSystem::Account => "an account for tests",
            TestSystem::None => "none",
        },
        simulated: connect::simulator::can_be_simulated(manifest).is_ok(),
        specification: format!("{}{version}, read on {}", specification.source, specification.read_on),
        verified: Vec::new(),
        tried: None,
    }
}

fn needs(manifest: &Manifest) -> Vec<Need> {
    let provider = &manifest.provider;
    let credentials = provider.credentials.iter().map(|(name, known)| Need {
        name: name.to_string(),
        title: known.title.clone(),
        secret: known.secret,
        optional: known.optional,
        default: None,
        find: Some(known.find.clone()),
        page: known.page.clone(),
    });
    let settings = provider.settings.iter().map(|(name, known)| Need {
        name: name.to_string(),
        title: known.title.clone(),
        secret: false,
        optional: known.optional || known.default.is_some(),
        default: known.default.as_ref().map(ToString::to_string),
        find: known.find.clone(),
        page: None,
    });
    credentials.chain(settings).collect()
}

fn mechanism(way: &Verification) -> &'static str {
    match way {
        Verification::Hmac(_) => "a keyed digest",
        Verification::Digest(_) => "a digest with the secret in it",
        Verification::PublicKey(_) => "a signature and a public key",
        Verification::Certificate(_) => "a signature and a certificate",
        Verification::FixedHeader { .. } => "a header that we have chosen",
        Verification::Basic { .. } => "a password that we have chosen",
        Verification::BodyHolds { .. } => "something of ours in the body",
        Verification::SecretPath(_) => "an address that nobody can guess",
        Verification::Ask { .. } => "asking the provider",
    }
}
