//! Templates: a view in, a text out. A template is named after the file it makes and decides nothing; views do.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use plan::Plan;
use vocab::TaskId;

const TEMPLATES: &[(&str, &str)] = &[
    ("application.js", include_str!("../templates/application.js")),
    ("sqlite-connection.js", include_str!("../templates/sqlite-connection.js")),
    ("mysql-connection.js", include_str!("../templates/mysql-connection.js")),
    ("mongodb-connection.js", include_str!("../templates/mongodb-connection.js")),
    ("mongodb-scratch-database.js", include_str!("../templates/mongodb-scratch-database.js")),
    ("mongodb-service.yaml", include_str!("../templates/mongodb-service.yaml")),
    ("mysql-scratch-database.js", include_str!("../templates/mysql-scratch-database.js")),
    ("mysql-service.yaml", include_str!("../templates/mysql-service.yaml")),
    ("postgresql-connection.js", include_str!("../templates/postgresql-connection.js")),
    ("mysql.compose.yaml", include_str!("../templates/mysql.compose.yaml")),
    ("postgresql.compose.yaml", include_str!("../templates/postgresql.compose.yaml")),
    ("pgbouncer.ini", include_str!("../templates/pgbouncer.ini")),
    ("database.env.example", include_str!("../templates/database.env.example")),
    ("connection-config.js", include_str!("../templates/connection-config.js")),
    ("api.test.js", include_str!("../templates/api.test.js")),
    ("sqlite-scratch-database.js", include_str!("../templates/sqlite-scratch-database.js")),
    ("postgresql-scratch-database.js", include_str!("../templates/postgresql-scratch-database.js")),
    ("postgresql-service.yaml", include_str!("../templates/postgresql-service.yaml")),
    ("env.example", include_str!("../templates/env.example")),
    ("gitignore", include_str!("../templates/gitignore")),
    ("Dockerfile", include_str!("../templates/Dockerfile")),
    ("Dockerfile.native", include_str!("../templates/Dockerfile.native")),
    ("dockerignore", include_str!("../templates/dockerignore")),
    ("compose.yaml", include_str!("../templates/compose.yaml")),
    ("alerts.yaml", include_str!("../templates/alerts.yaml")),
    ("backup-alerts.yaml", include_str!("../templates/backup-alerts.yaml")),
    ("prometheus.yaml", include_str!("../templates/prometheus.yaml")),
    ("client.js", include_str!("../templates/client.js")),
    ("tracking.js", include_str!("../templates/tracking.js")),
    ("client.d.ts", include_str!("../templates/client.d.ts")),
    ("README.md", include_str!("../templates/README.md")),
    ("documentation.md", include_str!("../templates/documentation.md")),
    ("api-reference.md", include_str!("../templates/api-reference.md")),
    ("database-schema.md", include_str!("../templates/database-schema.md")),
    ("integration-guide.md", include_str!("../templates/integration-guide.md")),
    ("recovery.md", include_str!("../templates/recovery.md")),
    ("plan.md", include_str!("../templates/plan.md")),
];

/// The template with the view's values in it.
///
/// # Panics
/// Never: templates are part of this crate, and its tests render each.
pub fn render(template: &str, view: &Value) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters"));
    environment.add_filter("cell", |text: String| cell(&text));
    let (_, source) = TEMPLATES.iter().find(|(name, _)| *name == template).expect("a template of this crate");
    environment.render_str(source, view).expect("a template that fits its view")
}

/// A text as it stands in a cell of a Markdown table.
pub fn cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    // Code between backticks shows `<` as it is; elsewhere it would begin a tag.
    let parts = line.split('`').enumerate();
    let parts: Vec<String> =
        parts.map(|(index, part)| if index % 2 == 0 { part.replace('<', "&lt;") } else { part.to_owned() }).collect();
    parts.join("`")
}

/// The sentence with a capital letter.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// How a kind of file writes comments.
#[derive(Debug, Clone, Copy)]
pub enum Comment {
    /// `// text`
    Slashes,
    /// `# text`
    Hash,
    /// `-- text`
    Dashes,
    /// `<!-- text -->`
    Markup,
}

/// The text under a line that says where it comes from and that it may be edited.
pub fn generated(plan: &Plan, comment: Comment, text: &str) -> String {
    generated_of(&plan.task_id, comment, text)
}

/// The same for a task without an API.
pub fn generated_of(task_id: &TaskId, comment: Comment, text: &str) -> String {
    let says = format!(
        "Generated by Integration Producer from task {task_id}. You may edit it: an edited file is never overwritten."
    );
    let line = match comment {
        Comment::Slashes => format!("// {says}"),
        Comment::Hash => format!("# {says}"),
        Comment::Dashes => format!("-- {says}"),
        Comment::Markup => format!("<!-- {says} -->"),
    };
    format!("{line}\n\n{}\n", text.trim_end())
}
