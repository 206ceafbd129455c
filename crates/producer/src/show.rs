//! What people and programs see: results on standard output, everything else on standard error.

use crate::arguments::{Format, Listing};
use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Report};
use orchestrator::{
    Agreed, IntegrationStatus, ListedDelivery, ListedKey, ListedMail, ListedProvider, ListedSecret, ProviderState,
    Response, ServerStatus, Serving, ShownDelivery, Simulating, Source, SuppressedAddress, TaskStatus, TriedOperation,
    TriedProvider,
};
use plan::TaskPlan;
use std::error::Error;
use std::io::{self, Write as _};
use vocab::{Diagnostic, Severity};

/// Lines of a source that are longer are not shown whole.
const MAX_LINE_BYTES: usize = 400;

/// A failure with those of its causes that it does not tell itself.
pub fn failure(failure: &dyn Error) {
    let mut told = failure.to_string();
    eprintln!("producer: {told}");
    let mut cause = failure.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !told.contains(&text) {
            eprintln!("  because: {text}");
            told = text;
        }
        cause = inner.source();
    }
}

/// Each diagnostic with its source line.
pub fn diagnostics(source: &Source, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let mut shown = MietteDiagnostic::new(diagnostic.message.clone()).with_code(diagnostic.code.0).with_severity(
            match diagnostic.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
                Severity::Advice => miette::Severity::Advice,
            },
        );
        if let Some(help) = &diagnostic.help {
            shown = shown.with_help(help.clone());
        }
        if let Some(place) = diagnostic.place.as_ref().filter(|place| place.source != source.name) {
            shown.message = format!("{place}: {}", shown.message);
            eprintln!("{:?}", Report::new(shown));
        } else if let Some(place) = &diagnostic.place {
            let text = excerpt(&source.text, place.offset);
            let label = LabeledSpan::new_with_span(None, (place.offset, place.length.min(text.len() - place.offset)));
            let named = NamedSource::new(&source.name, text);
            eprintln!("{:?}", Report::new(shown.with_label(label)).with_source_code(named));
        } else {
            eprintln!("{:?}", Report::new(shown));
        }
    }
    let mut codes: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code.0).collect();
    codes.dedup();
    match codes[..] {
        [] => {}
        [code] => eprintln!("`producer explain {code}` says more"),
        [..] => eprintln!("`producer explain CODE` says more about each"),
    }
}

/// The text as a terminal may show it, as long as it was up to there: control characters do nothing, and a line that fills
/// screens ends soon after the place.
fn excerpt(text: &str, offset: usize) -> String {
    let line_end = text[offset..].find('\n').map_or(text.len(), |length| offset + length);
    let is_long = line_end - text[..offset].rfind('\n').unwrap_or(0) > MAX_LINE_BYTES;
    let end = if is_long { text.floor_char_boundary(line_end.min(offset + MAX_LINE_BYTES)) } else { text.len() };
    let mut shown = String::with_capacity(end);
    for character in text[..end].chars() {
        match character.is_control() && !matches!(character, '\n' | '\r' | '\t') {
            true => shown.extend(std::iter::repeat_n('?', character.len_utf8())),
            false => shown.push(character),
        }
    }
    shown
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

/// What goes with a plan that somebody should know.
pub fn warnings(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}

/// All tasks, a line each.
pub fn statuses(tasks: &[TaskStatus], format: Listing) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    if format == Listing::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(tasks)?)?;
        return Ok(());
    }
    if tasks.is_empty() {
        writeln!(out, "no task was run here yet: `producer run TASK` carries one out")?;
        return Ok(());
    }
    let head = ["TASK", "STATUS", "SINCE", "PLAN", "ROUTES", "SERVED AT"].map(ToOwned::to_owned);
    let rows = tasks.iter().map(|task| {
        [
            task.task_id.clone(),
            task.status.clone(),
            or_dash(task.at.as_ref()),
            or_dash(task.plan.as_ref()),
            task.routes.len().to_string(),
            or_dash(task.served_at.as_ref()),
        ]
    });
    out.write_all(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()).as_bytes())?;
    let mut servers: Vec<&ServerStatus> = tasks.iter().filter_map(|task| task.server.as_ref()).collect();
    servers.sort_by(|left, right| left.name.cmp(&right.name));
    servers.dedup();
    if !servers.is_empty() {
        writeln!(out)?;
        out.write_all(server_table(&servers).as_bytes())?;
    }
    let integrations: Vec<&IntegrationStatus> = tasks.iter().flat_map(|task| &task.integrations).collect();
    if !integrations.is_empty() {
        writeln!(out)?;
        out.write_all(integration_table(&integrations).as_bytes())?;
    }
    if tasks.iter().any(|task| task.error.is_some() || !task.warnings.is_empty()) {
        eprintln!("`producer status TASK` says more about one");
    }
    Ok(())
}

/// Servers of the workspace, a line each.
pub fn servers(servers: &[ServerStatus], format: Listing) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    if format == Listing::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(servers)?)?;
        return Ok(());
    }
    if servers.is_empty() {
        writeln!(out, "this workspace has no servers: a task with `provision: local` makes one")?;
        return Ok(());
    }
    out.write_all(server_table(&servers.iter().collect::<Vec<_>>()).as_bytes())?;
    Ok(())
}

/// Integrations and what they read, a line each. Deliveries of `mail` are those of the whole database.
fn integration_table(integrations: &[&IntegrationStatus]) -> String {
    let head =
        ["INTEGRATION", "SERVICE", "STATUS", "LAST SUCCESS", "FAILED", "LATENCY", "WAITING", "OLDEST", "GIVEN UP"];
    let mut rows = vec![head.map(ToOwned::to_owned)];
    for one in integrations {
        rows.push([
            one.integration.clone(),
            one.service.clone(),
            one.status.as_str().to_owned(),
            or_dash(one.last_success.as_ref()),
            or_dash(failed_part(one).as_ref()),
            or_dash(one.latency_ms.map(|ms| format!("{ms} ms")).as_ref()),
            one.waiting.to_string(),
            or_dash(one.oldest.as_ref()),
            one.given_up.to_string(),
        ]);
        rows.extend(one.syncs.iter().map(|sync| {
            [
                format!("{}: {}", one.integration, sync.sync),
                format!("{} in", one.service),
                sync.status.as_str().to_owned(),
                or_dash(sync.last_success.as_ref()),
                format!("{} in a row", sync.failures),
                "-".to_owned(),
                "-".to_owned(),
                or_dash(sync.changed_until.as_ref()),
                format!("{} left out", sync.left_out),
            ]
        }));
    }
    rows.dedup();
    table(&rows)
}

/// `3% of 120`.
fn failed_part(one: &IntegrationStatus) -> Option<String> {
    one.error_rate.map(|rate| format!("{:.0}% of {}", rate * 100.0, one.attempts))
}

fn integration_rows(one: &IntegrationStatus) -> Vec<[String; 2]> {
    let said = |what: &str, told: Option<String>| told.map(|told| format!("{what} {told}"));
    let waits = match &one.oldest {
        Some(oldest) => format!("{} wait since {oldest}", one.waiting),
        None => format!("{} wait", one.waiting),
    };
    let latency =
        one.latency_ms.zip(one.latency_p95_ms).map(|(half, most)| format!("{half} ms (95 of 100: {most} ms)"));
    let mut words = vec![format!("{} ({}): {}", one.integration, one.service, one.status.as_str())];
    words.extend(said("last success", one.last_success.clone()));
    words.extend(failed_part(one).map(|part| format!("{part} attempts within an hour failed")));
    words.extend(said("an attempt takes", latency));
    words.extend([waits, format!("{} given up", one.given_up)]);
    words.extend(one.problem.iter().map(|problem| format!("the last problem: {problem}")));
    let mut rows = vec![["integration".to_owned(), words.join(", ")]];
    rows.extend(one.ends.iter().map(|end| ["ends".to_owned(), format!("{} on {}", end.credential, end.ends_at)]));
    rows.extend(one.syncs.iter().map(|sync| {
        let mut words = vec![format!("{}: {}", sync.sync, sync.status.as_str())];
        words.extend(said("last success", sync.last_success.clone()));
        words.extend(said("changes are here until", sync.changed_until.clone()));
        words.extend(said("read next", sync.due_at.clone()));
        words.push(format!(
            "{} records read, {} left out, {} failures in a row",
            sync.records, sync.left_out, sync.failures
        ));
        words.extend(sync.problem.iter().map(|problem| format!("the last problem: {problem}")));
        ["sync".to_owned(), words.join(", ")]
    }));
    rows
}

fn server_table(servers: &[&ServerStatus]) -> String {
    let head = ["SERVER", "STATE", "ADDRESS", "FOLDER"].map(ToOwned::to_owned);
    let rows = servers.iter().map(|server| {
        [server.name.clone(), server.state.to_owned(), server.address.clone(), server.folder.display().to_string()]
    });
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// One task with all that is known of it.
pub fn status(task: &TaskStatus, format: Listing) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    if format == Listing::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(task)?)?;
        return Ok(());
    }
    let since = task.at.as_ref().map(|at| format!(" since {at}")).unwrap_or_default();
    let mut rows = vec![
        ["task".to_owned(), task.task_id.clone()],
        ["status".to_owned(), format!("{}{since}", task.status)],
        ["plan".to_owned(), or_dash(task.plan.as_ref())],
        ["folder".to_owned(), or_dash(task.folder.as_ref().map(|folder| folder.display().to_string()).as_ref())],
        [
            "served at".to_owned(),
            task.served_at.clone().unwrap_or_else(|| "nowhere at the moment: `producer serve`".to_owned()),
        ],
    ];
    rows.extend(
        task.server
            .iter()
            .map(|server| ["server".to_owned(), format!("{}, {} at {}", server.name, server.state, server.address)]),
    );
    rows.extend(task.integrations.iter().flat_map(integration_rows));
    rows.extend(task.routes.iter().map(|route| ["route".to_owned(), route.clone()]));
    rows.extend(task.warnings.iter().map(|warning| ["warning".to_owned(), warning.clone()]));
    rows.extend(task.error.iter().map(|error| ["error".to_owned(), error.clone()]));
    out.write_all(table(&rows).as_bytes())?;
    Ok(())
}

fn or_dash(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| "-".to_owned())
}

/// All providers, a line each.
pub fn providers(providers: &[ListedProvider], format: Listing) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    if format == Listing::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(providers)?)?;
        return Ok(());
    }
    let head = ["PROVIDER", "TYPE", "STATE", "NEEDS", "POINTS"].map(ToOwned::to_owned);
    let rows = providers.iter().map(|provider| {
        let needed = provider.needs.iter().filter(|need| !need.optional);
        let needs: Vec<&str> = needed.map(|need| need.name.as_str()).collect();
        let points: Vec<&str> = provider.points.iter().map(|point| point.event.as_str()).collect();
        let dash = |words: String| if words.is_empty() { "-".to_owned() } else { words };
        [
            provider.name.clone(),
            provider.service_types.join(", "),
            state_of(provider.state).to_owned(),
            dash(needs.join(", ")),
            dash(points.join(", ")),
        ]
    });
    out.write_all(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()).as_bytes())?;
    Ok(())
}

fn state_of(state: ProviderState) -> &'static str {
    match state {
        ProviderState::Described => "described",
        ProviderState::Wrong => "wrong",
        ProviderState::NotBuilt => "not built",
    }
}

/// One provider with all that is known of it.
pub fn provider(provider: &ListedProvider, format: Listing) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    if format == Listing::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(provider)?)?;
        return Ok(());
    }
    let mut rows = vec![
        ["provider".to_owned(), format!("{} ({})", provider.title, provider.service_types.join(", "))],
        ["state".to_owned(), state_of(provider.state).to_owned()],
    ];
    if provider.state == ProviderState::NotBuilt {
        out.write_all(table(&rows).as_bytes())?;
        return Ok(());
    }
    rows.push(["good for".to_owned(), provider.about.clone()]);
    for need in &provider.needs {
        let kind = if need.secret { "secret" } else { "plain" };
        let default = need.default.iter().map(|text| format!("; else `{text}`")).collect::<String>();
        let found = [&need.find, &need.page].into_iter().flatten().map(|text| format!("; {text}")).collect::<String>();
        let asked = if need.optional { "may be given" } else { "needed" };
        rows.push([
            "credential".to_owned(),
            format!("{} ({kind}, {asked}): {}{default}{found}", need.name, need.title),
        ]);
    }
    rows.extend(provider.points.iter().map(|point| ["at".to_owned(), format!("{}: {}", point.event, point.does)]));
    if let Some(webhooks) = &provider.webhooks {
        rows.push(["webhooks".to_owned(), format!("known by {}", webhooks.verified_by.join(" and "))]);
        rows.push(["webhooks".to_owned(), format!("our address is entered {}", webhooks.registered)]);
        rows.push(["webhooks".to_owned(), format!("become {}", webhooks.emits.join(", "))]);
    }
    rows.push(["test system".to_owned(), provider.test_system.to_owned()]);
    let simulated = if provider.simulated {
        format!("`producer simulate {}` plays it on this machine", provider.name)
    } else {
        "no".to_owned()
    };
    rows.push(["simulator".to_owned(), simulated]);
    rows.push(["facts from".to_owned(), provider.specification.clone()]);
    let verified = match &provider.verified[..] {
        [] => "nothing yet: only the manifest itself was checked".to_owned(),
        checks => checks.join(", "),
    };
    rows.push(["verified".to_owned(), verified]);
    let never = || format!("never: `producer providers verify {}` does it with an account for tests", provider.name);
    rows.push(["tried".to_owned(), provider.tried.clone().unwrap_or_else(never)]);
    out.write_all(table(&rows).as_bytes())?;
    Ok(())
}

/// Columns as wide as their longest cell, two spaces between.
/// What somebody's agreement has led to.
pub fn agreed(title: &str, agreed: &Agreed) {
    let ends = match (&agreed.ends_at, agreed.is_renewed) {
        (Some(end), true) => format!("the token ends at {end}, and is renewed by itself"),
        (None, true) => "the token is renewed by itself".to_owned(),
        (Some(end), false) => {
            format!("the token ends at {end}, and leads to no other: somebody has to agree again by then")
        }
        (None, false) => "the provider does not say when the token ends, and it leads to no other".to_owned(),
    };
    eprintln!("connected with {title}, kept sealed: {ends}");
    match &agreed.problem {
        None => {}
        Some(problem) => eprintln!("and yet {title} does not do what the token is tried with: {problem}"),
    }
}

/// How a provider's manifest came out when it was tried.
pub fn tried(tried: &TriedProvider, format: Listing) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    if format == Listing::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(tried)?)?;
        return Ok(());
    }
    let row = |tried: &TriedOperation| {
        let operation = tried.operation.clone().unwrap_or_else(|| "-".to_owned());
        [tried.outcome.as_str().to_owned(), operation, tried.detail.clone()]
    };
    out.write_all(table(&tried.tried.iter().map(row).collect::<Vec<_>>()).as_bytes())?;
    eprintln!("{}, {}", tried.provider, tried.in_short());
    Ok(())
}

pub fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let line = |row: &[String; COLUMNS]| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
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
pub fn plan(plan: &TaskPlan, format: Format) -> Result<(), Box<dyn Error>> {
    let text = match format {
        Format::Yaml => plan::print::task_plan(plan),
        Format::Json => serde_json::to_string_pretty(plan)? + "\n",
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// What `check` found.
pub fn findings(findings: &[Diagnostic], format: Listing) -> Result<(), Box<dyn Error>> {
    let text = match format {
        Listing::Text if findings.is_empty() => "nothing is wrong\n".to_owned(),
        Listing::Text => findings.iter().map(|finding| format!("{finding}\n")).collect(),
        Listing::Json => serde_json::to_string_pretty(findings)? + "\n",
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// What a check of files found, each with what to do about it.
pub fn findings_in_full(found: &[Diagnostic], format: Listing) -> Result<(), Box<dyn Error>> {
    findings(found, format)?;
    if format == Listing::Text {
        for finding in found {
            if let (Some(place), Some(help)) = (&finding.place, &finding.help) {
                eprintln!("{place}: help: {help}");
            }
        }
    }
    Ok(())
}

/// Where a server listens, and for what.
pub fn listening(serving: &Serving) {
    for route in &serving.routes {
        eprintln!("  {route}");
    }
    for (title, address) in &serving.played {
        eprintln!("{title} is played at http://{address}; what it has been told is at http://{address}/_simulator");
    }
    eprintln!("listening on {}", serving.url);
}

/// Where a provider is played and what it takes: lines of `name value`, for people and programs.
pub fn simulating(simulating: &Simulating) -> Result<(), Box<dyn Error>> {
    let mut rows = vec![["address".to_owned(), format!("http://{}", simulating.address)]];
    for (name, secret) in &simulating.credentials {
        rows.push([name.clone(), secret.expose().clone()]);
    }
    for (url, secret) in &simulating.webhooks {
        rows.push(["webhooks to".to_owned(), url.clone()]);
        rows.extend(secret.iter().map(|secret| ["webhook secret".to_owned(), secret.expose().clone()]));
    }
    rows.push(["seed".to_owned(), simulating.seed.to_string()]);
    let mut out = io::stdout().lock();
    out.write_all(table(&rows).as_bytes())?;
    out.flush()?;
    eprintln!(
        "{} is simulated: nothing here is real, and no key opens anything else; http://{}{} tells and leads",
        simulating.title,
        simulating.address,
        orchestrator::SIMULATOR_CONTROL
    );
    Ok(())
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

/// Which role an account has now.
pub fn role_given(email: &str, role: &str) {
    eprintln!("{email} has the role {role}, which counts within a second");
}

/// All keys, as a table.
pub fn keys(keys: &[ListedKey], format: Listing) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    match format {
        Listing::Json => writeln!(out, "{}", serde_json::to_string_pretty(keys)?)?,
        Listing::Text => {
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

/// Mails, as a table.
pub fn mails(mails: &[ListedMail], format: Listing) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    match format {
        Listing::Json => writeln!(out, "{}", serde_json::to_string_pretty(mails)?)?,
        Listing::Text => {
            let head = ["EVENT", "LANGUAGES", "LINK", "FILE"].map(ToOwned::to_owned);
            let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            let rows = mails
                .iter()
                .map(|mail| [mail.event.clone(), mail.languages.join(","), or_none(&mail.link), or_none(&mail.file)]);
            out.write_all(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()).as_bytes())?;
        }
    }
    Ok(())
}

/// Addresses to which no mail goes, as a table.
pub fn suppressed(addresses: &[SuppressedAddress], format: Listing) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    match format {
        Listing::Json => writeln!(out, "{}", serde_json::to_string_pretty(addresses)?)?,
        Listing::Text if addresses.is_empty() => writeln!(out, "mails go to every address")?,
        Listing::Text => {
            let head = ["ADDRESS", "REASON", "SINCE", "SAID"].map(ToOwned::to_owned);
            let rows = addresses.iter().map(|one| {
                let reason = one.reason.as_str().to_owned();
                [one.address.clone(), reason, one.suppressed_at.clone(), one.said.clone().unwrap_or_default()]
            });
            out.write_all(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()).as_bytes())?;
        }
    }
    Ok(())
}

/// Deliveries, as a table.
pub fn deliveries(deliveries: &[ListedDelivery], format: Listing) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    match format {
        Listing::Json => writeln!(out, "{}", serde_json::to_string_pretty(deliveries)?)?,
        Listing::Text if deliveries.is_empty() => writeln!(out, "no delivery fits")?,
        Listing::Text => {
            let head = ["ID", "STATE", "PROVIDER", "EVENT", "TRIED", "SINCE", "PROBLEM"].map(ToOwned::to_owned);
            let rows = deliveries.iter().map(|one| {
                [
                    one.id.clone(),
                    if one.in_doubt { format!("{} (in doubt)", one.state) } else { one.state.to_owned() },
                    one.provider.clone(),
                    one.event.clone(),
                    one.attempts.to_string(),
                    one.created_at.clone(),
                    one.problem.clone().unwrap_or_default(),
                ]
            });
            out.write_all(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()).as_bytes())?;
        }
    }
    Ok(())
}

/// One delivery with what was tried.
pub fn delivery(shown: &ShownDelivery, format: Listing) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    match format {
        Listing::Json => writeln!(out, "{}", serde_json::to_string_pretty(shown)?)?,
        Listing::Text => {
            let one = &shown.delivery;
            writeln!(out, "{} of `{}` to {} ({})", one.id, one.event, one.provider, one.integration)?;
            let doubt = if one.in_doubt { ", and may have had its effect" } else { "" };
            writeln!(out, "{}{doubt}; tried {} times in vain, made at {}", one.state, one.attempts, one.created_at)?;
            for attempt in &shown.tried {
                let code = attempt.code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
                let problem = attempt.problem.as_ref().map(|problem| format!(": {problem}")).unwrap_or_default();
                writeln!(out, "\n{}  {}{code}{problem}", attempt.started_at, attempt.outcome)?;
                writeln!(out, "{}", serde_json::to_string_pretty(&attempt.record)?)?;
            }
        }
    }
    Ok(())
}

/// The secrets of a workspace, without their values.
pub fn secrets(secrets: &[ListedSecret], format: Listing) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    match format {
        Listing::Json => writeln!(out, "{}", serde_json::to_string_pretty(secrets)?)?,
        Listing::Text if secrets.is_empty() => {
            writeln!(out, "no secret was set here yet: `producer secrets set NAME` sets one")?
        }
        Listing::Text => {
            let head = ["NAME", "VERSION", "SET", "CHANGED", ""].map(ToOwned::to_owned);
            let rows = secrets.iter().map(|secret| {
                [
                    secret.name.to_string(),
                    secret.version.to_string(),
                    secret.set_at.clone(),
                    secret.changed_at.clone(),
                    match &secret.before_until {
                        _ if secret.is_rotating => "a rotation is to be ended".to_owned(),
                        Some(until) => format!("the one before is taken until {until}"),
                        None => String::new(),
                    },
                ]
            });
            out.write_all(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()).as_bytes())?;
        }
    }
    Ok(())
}

fn key_row([id, hint, status, created, ends, used, newer, scopes, name]: [&str; 9]) -> String {
    format!(
        "{id:<36}  {hint:<8}  {status:<8}  {created:<17}  {ends:<17}  {used:<17}  {newer:<36}  {scopes:<24}  {name}"
    )
}
