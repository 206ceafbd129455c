//! How many mails a second the native worker brings to a mail server that takes everything: a form writes to everybody who fills it in. Each
//! mail must arrive, and once.

use super::load::{Load, read_answer};
use super::{Programs, Scratch, said, write};
use crate::server::Server;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const TASK: &str = "task_id: mails\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    rate_limiting: 50000000_requests_per_minute\n    endpoints: [{ path: /api/contact, method: POST, authentication: none }]\n";
const MAIL: &str = "mail: contact_form\nto: email\ntexts:\n  - language: en\n    subject: Thank you, ${event.name}\n    paragraphs: ['Hello ${event.name},', we have your message.]\n";
const MAIL_SERVER: &str = include_str!("mails/server.mjs");
const MAILS: usize = 2_000;
const PATIENCE: Duration = Duration::from_secs(300);

/// A mail server, until this is dropped.
struct MailServer {
    child: Child,
    lines: Receiver<String>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl MailServer {
    fn start(folder: &Path, modules: &Path) -> Result<Self, String> {
        // Packages are found from where a script really is.
        std::os::unix::fs::symlink(modules, folder.join("node_modules")).map_err(|error| error.to_string())?;
        let script = write(&folder.join("server.mjs"), MAIL_SERVER)?;
        let mut node = Command::new("node");
        node.arg(script).arg(MAILS.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = node.spawn().map_err(|error| format!("no mail server: {error}"))?;
        let out = child.stdout.take().ok_or("the mail server says nothing")?;
        let (says, lines) = channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(out).lines().map_while(Result::ok);
            // Whoever listened has gone.
            let _ = lines.try_for_each(|line| says.send(line));
        });
        Ok(Self { child, lines })
    }

    fn line(&self) -> Result<String, String> {
        self.lines.recv_timeout(PATIENCE).map_err(|_| "the mail server has not got every mail".to_owned())
    }
}

pub fn run(programs: &Programs, scratch: &Scratch) -> Result<(), String> {
    let Some(modules) = &programs.node_modules else {
        println!("mails are left out: there is no `smtp-server`");
        return Ok(());
    };
    let mails = MailServer::start(&scratch.folder("mail-server")?, modules)?;
    let workspace = scratch.folder("mails")?;
    fs::create_dir(workspace.join("mails")).map_err(|error| error.to_string())?;
    write(&workspace.join("mails/contact_form.yaml"), MAIL)?;
    let task = write(&workspace.join("task.yaml"), TASK)?;
    said(programs.producer(&["run"], &workspace).arg(task))?;
    let mut serve = programs.producer(&["serve", "--listen", "127.0.0.1:0"], &workspace);
    serve.env("SMTP_URL", format!("smtp://127.0.0.1:{}", mails.line()?)).env("MAIL_FROM", "shop@shop.example");
    let server = Server::start("the native server", &mut serve)?;
    let load = Load::new(server.address, Vec::new(), 201, 1);
    let mut connection = load.connect().map_err(|error| format!("cannot connect: {error}"))?;
    let mut answer = Vec::new();
    for number in 0..MAILS {
        let body = format!(r#"{{"name":"Ada","email":"person{number}@example.com","message":"Hello"}}"#);
        let length = body.len();
        let request = format!(
            "POST /api/contact HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        connection.write_all(request.as_bytes()).map_err(|error| format!("cannot send: {error}"))?;
        read_answer(&mut connection, &mut answer, 201)?;
    }
    let told = mails.line()?;
    let [different, seconds] = told.split(' ').collect::<Vec<_>>()[..] else { return Err(format!("`{told}`?")) };
    if different != MAILS.to_string() {
        return Err(format!("of {MAILS} mails {different} were different"));
    }
    let seconds: f64 = seconds.parse().map_err(|_| format!("`{told}`?"))?;
    println!("mails: {:.0} a second by SMTP, {MAILS} of them, each once", MAILS as f64 / seconds);
    server.stop()
}
