//! What people and programs see: results on standard output, everything else on standard error.

use crate::arguments::Format;
use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Report};
use orchestrator::{ListedKey, Response, Serving, Source, TaskStatus};
use plan::{Phase, Plan};
use std::error::Error;
use std::io::{self, Write as _};
use vocab::{Diagnostic, Severity};

/// A failure with its causes.
pub fn failure(failure: &dyn Error) {
    eprintln!("producer: {failure}");
    let mut cause = failure.source();
    while let Some(inner) = cause {
        eprintln!("  because: {inner}");
        cause = inner.source();
    }
}

/// One step of a run.
pub fn progress(phase: Phase, doing: &str) {
    eprintln!("{phase}: {doing}");
}

/// Each diagnostic with its source line.
pub fn diagnostics(source: &Source, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let mut shown = MietteDiagnostic::new(diagnostic.message.clone()).with_code(diagnostic.code.0).with_severity(
            match diagnostic.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
            },
        );
        if let Some(help) = &diagnostic.help {
            shown = shown.with_help(help.clone());
        }
        if let Some(place) = &diagnostic.place {
            let label = LabeledSpan::new_with_span(None, (place.offset, place.length));
            let named = NamedSource::new(&source.name, source.text.clone());
            eprintln!("{:?}", Report::new(shown.with_label(label)).with_source_code(named));
        } else {
            eprintln!("{:?}", Report::new(shown));
        }
    }
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        eprintln!("`producer explain CODE` says more about each");
    }
}

/// Each diagnostic with the source that it is about.
pub fn diagnostics_of<'a>(sources: impl Iterator<Item = &'a Source> + Clone, all: &[Diagnostic]) {
    for diagnostic in all {
        let is_about = |source: &&Source| diagnostic.place.as_ref().is_some_and(|place| place.source == source.name);
        if let Some(source) = sources.clone().find(is_about) {
            diagnostics(source, std::slice::from_ref(diagnostic));
        }
    }
}

/// All tasks, as a table.
pub fn statuses(tasks: &[TaskStatus], format: Format) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(tasks)?)?,
        Format::Yaml => {
            writeln!(out, "{:<28}  {:<10}  {:<24}  {:<4}  {:<8}  SERVED AT", "TASK", "STATUS", "AT", "PLAN", "ROUTES")?;
            for task in tasks {
                let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
                writeln!(
                    out,
                    "{:<28}  {:<10}  {:<24}  {:<4}  {:<8}  {}",
                    task.task_id,
                    task.status,
                    or_none(&task.at),
                    or_none(&task.plan),
                    task.routes.len(),
                    or_none(&task.served_at)
                )?;
            }
        }
    }
    Ok(())
}

/// The schema, alone on standard output.
pub fn schema(schema: &str) -> Result<(), Box<dyn Error>> {
    io::stdout().lock().write_all(schema.as_bytes())?;
    Ok(())
}

/// The diagnostics that a response brings.
pub fn response_diagnostics(source: &Source, response: &Response) {
    diagnostics(source, &response.diagnostics());
}

/// A response, alone on standard output; documents of YAML are parted by `---`.
pub fn response(response: &Response, format: Format) -> Result<(), Box<dyn Error>> {
    let text = match format {
        Format::Yaml => format!("---\n{}", response.to_yaml()?),
        Format::Json => serde_json::to_string_pretty(response)? + "\n",
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// A plan: for people, or whole as JSON.
pub fn plan(plan: &Plan, format: Format) -> Result<(), Box<dyn Error>> {
    let text = match format {
        Format::Yaml => plan::print::plan(plan),
        Format::Json => serde_json::to_string_pretty(plan)? + "\n",
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// What `check` found.
pub fn findings(findings: &[Diagnostic], format: Format) -> Result<(), Box<dyn Error>> {
    let text = match format {
        Format::Yaml if findings.is_empty() => "nothing is wrong\n".to_owned(),
        Format::Yaml => findings.iter().map(|finding| format!("{finding}\n")).collect(),
        Format::Json => serde_json::to_string_pretty(findings)? + "\n",
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// Where a server listens, and for what.
pub fn listening(serving: &Serving) {
    for route in &serving.routes {
        eprintln!("  {route}");
    }
    eprintln!("listening on http://{}", serving.address);
}

/// A new key, alone on standard output.
pub fn new_key(new: &orchestrator::NewApiKey) -> Result<(), Box<dyn Error>> {
    eprintln!("key {} for {}; it is shown this once and kept nowhere", new.row.id, new.row.name);
    writeln!(io::stdout().lock(), "{}", new.key.expose())?;
    Ok(())
}

/// A key in the place of another one, alone on standard output.
pub fn rotated_key(rotated: &orchestrator::RotatedKey) -> Result<(), Box<dyn Error>> {
    new_key(&rotated.new)?;
    eprintln!("key {} works until {}", rotated.old, rotated.until);
    Ok(())
}

/// Which key was revoked.
pub fn revoked_key(id: &str) {
    eprintln!("key {id} stops working within a second");
}

/// All keys, as a table.
pub fn keys(keys: &[ListedKey], format: Format) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(keys)?)?,
        Format::Yaml => {
            let heads = ["ID", "STARTS", "STATUS", "CREATED", "ENDS", "LAST USED", "REPLACED BY", "SCOPES", "NAME"];
            writeln!(out, "{}", key_row(heads))?;
            for key in keys {
                let minute = |time: Option<&String>| {
                    time.and_then(|time| time.get(..16)).map_or_else(|| "-".to_owned(), |minute| format!("{minute}Z"))
                };
                let ends = minute(key.revoked_at.as_ref().or(key.expires_at.as_ref()));
                let (created, used) = (minute(Some(&key.created_at)), minute(key.last_used_at.as_ref()));
                let scopes = key.scopes.as_ref().map_or_else(|| "everything".to_owned(), |scopes| scopes.join(","));
                let newer = key.replaced_by.as_deref().unwrap_or("-");
                let status = key.status.as_str();
                writeln!(
                    out,
                    "{}",
                    key_row([&key.id, &key.hint, status, &created, &ends, &used, newer, &scopes, &key.name])
                )?;
            }
        }
    }
    Ok(())
}

fn key_row([id, hint, status, created, ends, used, newer, scopes, name]: [&str; 9]) -> String {
    format!(
        "{id:<36}  {hint:<8}  {status:<8}  {created:<17}  {ends:<17}  {used:<17}  {newer:<36}  {scopes:<24}  {name}"
    )
}
