//! The emitted client as a front end uses it: the compiler of TypeScript accepts what is right and refuses what is wrong, and what it
//! compiled then talks to both servers.

use crate::harness::server::{Kind, Server, node};
use crate::harness::workspace::{Workspace, end};
use crate::harness::{Sample, on_both_servers, repository};
use std::fs;

/// As strict as the compiler can be made.
const STRICT: [&str; 11] = [
    "--strict",
    "--exactOptionalPropertyTypes",
    "--noUncheckedIndexedAccess",
    "--noImplicitOverride",
    "--noUnusedLocals",
    "--target",
    "es2022",
    "--module",
    "nodenext",
    "--lib",
    "es2022,dom,dom.iterable",
];

fn check(kind: Kind, sample: Sample, usage: &str) {
    if !Kind::Node.is_here() {
        return;
    }
    let workspace = Workspace::completed_with(sample);
    let server = Server::start(kind, &workspace);
    is_used(&workspace, &server, usage, &workspace.create_key());
}

/// A program that uses the client is compiled, and talks to the server.
pub fn is_used(workspace: &Workspace, server: &Server, usage: &str, key: &str) {
    let folder = workspace.application.join("usage");
    fs::create_dir(&folder).unwrap();
    fs::copy(repository("crates/producer/tests/it/typed_client").join(usage), folder.join("usage.ts")).unwrap();
    let mut compiler = node(workspace, &["node_modules/typescript/bin/tsc"]);
    let compiled = end(compiler.args(STRICT).arg("usage/usage.ts"));
    assert_eq!(compiled.status, Some(0), "{}{}", compiled.stdout, compiled.stderr);
    let address = format!("http://{}", server.address);
    let used = end(&mut node(workspace, &["usage/usage.js", &address, key])).must_end_with(0);
    assert_eq!(used.stdout, "done\n", "{}", used.stderr);
}

fn a_page_with_a_form_uses_it(kind: Kind) {
    check(kind, Sample::ContactNewsletter, "contact_newsletter.ts");
}

fn a_page_with_records_uses_it(kind: Kind) {
    check(kind, Sample::Products, "products.ts");
}

on_both_servers!(a_page_with_a_form_uses_it, a_page_with_records_uses_it);
