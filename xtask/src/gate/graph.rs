//! The crate graph: which of our crates each of our crates may see, and where heavy dependencies live.
//! Comes in: what cargo says of the packages; goes out: findings.
//! The table is that of the architecture; it changes only together with it.

use serde_json::Value;

use super::Findings;
use crate::repository::Repository;

/// One of our crates, and what it may see of the others.
pub struct Room {
    name: &'static str,
    sees: Sees,
    kind: Kind,
}

enum Sees {
    Only(&'static [&'static str]),
    /// Every crate of the product but these.
    AllBut(&'static [&'static str]),
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Decides; its dev-dependencies are fenced too.
    Pure,
    /// Carries out.
    Effects,
    /// Wires.
    Binary,
    /// Serves developers: stands outside the fences, and nothing may depend on it.
    Tool,
}

/// The rooms, from left to right.
pub const ROOMS: &[Room] = &[
    room("vocab", Sees::Only(&[]), Kind::Pure),
    room("spec", Sees::Only(&["vocab"]), Kind::Pure),
    room("manifest", Sees::Only(&["vocab"]), Kind::Pure),
    room("catalog", Sees::Only(&["vocab", "manifest"]), Kind::Pure),
    room("plan", Sees::Only(&["vocab", "manifest"]), Kind::Pure),
    room("dialect", Sees::Only(&["vocab", "plan"]), Kind::Pure),
    room("planner", Sees::Only(&["vocab", "spec", "catalog", "plan", "dialect", "manifest"]), Kind::Pure),
    room("emit", Sees::Only(&["vocab", "plan", "dialect", "manifest"]), Kind::Pure),
    room("store", Sees::Only(&["vocab", "plan", "dialect"]), Kind::Effects),
    room("secrets", Sees::Only(&["vocab"]), Kind::Effects),
    room("backup", Sees::Only(&["vocab"]), Kind::Effects),
    room("apply", Sees::Only(&["vocab", "plan", "store"]), Kind::Effects),
    room("provision", Sees::Only(&["vocab"]), Kind::Effects),
    room("connect", Sees::Only(&["vocab", "plan", "store", "manifest"]), Kind::Effects),
    room("serve", Sees::Only(&["vocab", "plan", "dialect", "store", "manifest", "connect"]), Kind::Effects),
    room("orchestrator", Sees::AllBut(&["producer"]), Kind::Effects),
    room("producer", Sees::AllBut(&[]), Kind::Binary),
    room("bench_baseline", Sees::Only(&[]), Kind::Tool),
    room("xtask", Sees::Only(&[]), Kind::Tool),
];

/// A heavy dependency and the only crates that may name it, for any purpose.
const HOMES: &[(&str, &[&str])] = &[
    ("age", &["backup"]),
    ("object_store", &["backup"]),
    ("s3s", &["producer"]),
    ("s3s-fs", &["producer"]),
    ("argon2", &["serve", "bench_baseline"]),
    ("jsonwebtoken", &["serve"]),
    ("aws-lc-rs", &["secrets", "connect", "serve"]),
    ("rustls-pki-types", &["connect"]),
    ("rustls-webpki", &["connect"]),
    ("reqwest", &["connect"]),
    ("lettre", &["connect"]),
    ("md-5", &["connect"]),
    ("toml", &["orchestrator"]),
    ("rpassword", &["producer"]),
    ("rusqlite", &["store"]),
    ("tokio-postgres", &["store"]),
    ("postgres-protocol", &["store"]),
    ("mongodb", &["store"]),
    ("mysql_async", &["store"]),
    ("sha1", &["store"]),
    ("tokio-postgres-rustls", &["store"]),
    ("rustls", &["store"]),
    ("rustls-native-certs", &["store", "connect"]),
    ("hyper", &["serve"]),
    ("hyper-util", &["serve", "producer"]),
    ("matchit", &["serve"]),
    ("brotli", &["serve"]),
    ("flate2", &["backup", "serve", "producer"]),
    ("minijinja", &["emit"]),
    ("clap", &["producer"]),
    ("indicatif", &["producer"]),
    ("serde-saphyr", &["spec", "catalog", "orchestrator", "producer"]),
];

/// One workspace member.
pub struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    purpose: Purpose,
    /// In the workspace, not from a registry.
    ours: bool,
    /// `file:line` of its line in the manifest.
    place: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Purpose {
    Normal,
    Build,
    Development,
}

const fn room(name: &'static str, sees: Sees, kind: Kind) -> Room {
    Room { name, sees, kind }
}

/// The members in `metadata`, as `cargo metadata --no-deps` prints it.
pub fn packages(repository: &Repository, metadata: &Value) -> Result<Vec<Package>, String> {
    let members = metadata["packages"].as_array().ok_or("`cargo metadata` names no packages")?;
    members.iter().map(|member| package(repository, member)).collect()
}

fn package(repository: &Repository, member: &Value) -> Result<Package, String> {
    let name = text(member, "name")?.to_owned();
    let manifest = repository.relative(text(member, "manifest_path")?.as_ref());
    let manifest_text = repository.read(&manifest)?;
    let dependencies = member["dependencies"].as_array().ok_or("a package without a list of dependencies")?;
    let dependency = |value: &Value| {
        let dependency = text(value, "name")?;
        Ok(Dependency {
            name: dependency.to_owned(),
            purpose: purpose(value)?,
            ours: value["path"].is_string(),
            place: format!("{manifest}:{}", line_naming(&manifest_text, dependency)),
        })
    };
    Ok(Package { name, dependencies: dependencies.iter().map(dependency).collect::<Result<_, String>>()? })
}

fn text<'v>(value: &'v Value, key: &str) -> Result<&'v str, String> {
    value[key].as_str().ok_or_else(|| format!("`cargo metadata` gives no `{key}`"))
}

fn purpose(dependency: &Value) -> Result<Purpose, String> {
    match dependency["kind"].as_str() {
        None => Ok(Purpose::Normal),
        Some("build") => Ok(Purpose::Build),
        Some("dev") => Ok(Purpose::Development),
        Some(other) => Err(format!("`cargo metadata` names a kind of dependency nobody knows: `{other}`")),
    }
}

fn line_naming(manifest: &str, dependency: &str) -> usize {
    let names = |line: &str| {
        let rest = line.trim_start().strip_prefix(dependency);
        rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    manifest.lines().position(names).map_or(1, |index| index + 1)
}

/// Crates without a row, rows that see a crate without a row, and dependencies the table does not allow.
pub fn wrong_edges(rooms: &[Room], packages: &[Package]) -> Findings {
    let mut findings = rows_naming_nothing(rooms);
    for package in packages {
        let Some(room) = find(rooms, &package.name) else {
            findings.push(format!("crate `{}` has no row in the table of rooms", package.name));
            continue;
        };
        let fenced =
            package.dependencies.iter().filter(|dependency| dependency.ours && room.fences(dependency.purpose));
        for dependency in fenced {
            if !room.may_see(rooms, &dependency.name) {
                findings.push(format!("{}: `{}` may not see `{}`", dependency.place, room.name, dependency.name));
            }
        }
    }
    findings
}

/// Heavy dependencies named outside their home.
pub fn strayed(rooms: &[Room], packages: &[Package]) -> Findings {
    let mut findings = Vec::new();
    for package in packages {
        if find(rooms, &package.name).is_some_and(|room| room.kind == Kind::Tool) {
            continue;
        }
        for dependency in &package.dependencies {
            let home = HOMES.iter().find(|(name, _)| *name == dependency.name);
            if let Some((name, homes)) = home.filter(|(_, homes)| !homes.contains(&package.name.as_str())) {
                let homes = homes.join(", ");
                findings.push(format!("{}: `{name}` lives in {homes}, not in `{}`", dependency.place, package.name));
            }
        }
    }
    findings
}

fn rows_naming_nothing(rooms: &[Room]) -> Findings {
    let mut findings = Vec::new();
    for room in rooms {
        let (Sees::Only(named) | Sees::AllBut(named)) = room.sees;
        for name in named.iter().filter(|name| find(rooms, name).is_none()) {
            findings.push(format!("the row of `{}` names `{name}`, which has no row itself", room.name));
        }
    }
    findings
}

fn find<'r>(rooms: &'r [Room], name: &str) -> Option<&'r Room> {
    rooms.iter().find(|room| room.name == name)
}

impl Room {
    fn fences(&self, purpose: Purpose) -> bool {
        match (self.kind, purpose) {
            (Kind::Tool, _) => false,
            (Kind::Pure, _) | (_, Purpose::Normal | Purpose::Build) => true,
            (Kind::Effects | Kind::Binary, Purpose::Development) => false,
        }
    }

    fn may_see(&self, rooms: &[Room], name: &str) -> bool {
        let of_the_product = find(rooms, name).is_some_and(|room| room.kind != Kind::Tool);
        of_the_product
            && match self.sees {
                Sees::Only(named) => named.contains(&name),
                Sees::AllBut(named) => !named.contains(&name),
            }
    }
}

#[cfg(test)]
mod tests;
