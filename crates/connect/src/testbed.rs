//! Accounts at the providers that tests speak with: those that the build brings and those that the format was tried on.

use crate::account::{Account, Call, Delivery, Inputs, Token, WebhookAddress};
use crate::answer::{self, Answered};
use crate::client::Client;
use crate::message::{HttpAnswer, HttpRequest};
use crate::request::{RequestError, render};
use catalog::ProviderFolder;
use jiff::Timestamp;
use manifest::Manifest;
use plan::service::System;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use vocab::{FieldName, Secret};

/// A provider's manifest.
pub fn manifest(name: &str) -> Manifest {
    folder(name).read().unwrap()
}

/// A provider's folder.
pub fn folder(name: &str) -> ProviderFolder {
    let built_in = catalog::built_in_providers().into_iter().find(|folder| folder.name == name);
    built_in.unwrap_or_else(|| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../catalog/tests/manifests").join(name);
        let files = std::fs::read_dir(&folder).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap())
        });
        ProviderFolder { name: name.to_owned(), path: name.to_owned(), files: files.collect() }
    })
}

/// An account with these credentials and settings.
pub fn account(name: &str, values: &[(&str, &str)]) -> Account {
    let value = |(name, value): &(&str, &str)| (field(name), Secret::new((*value).to_owned()));
    Account {
        name: "integration".to_owned(),
        manifest: Arc::new(manifest(name)),
        system: System::Live,
        values: values.iter().map(value).collect(),
        site_url: Some("https://shop.example".to_owned()),
        instead: None,
        webhook: WebhookAddress::default(),
        agreed: None,
    }
}

pub fn field(name: &str) -> FieldName {
    FieldName::parse(name).unwrap()
}

pub fn inputs(value: Value) -> Inputs {
    value.as_object().unwrap().clone()
}

pub fn delivery() -> Delivery {
    Delivery { id: "d-1".to_owned(), key: "key-1".to_owned(), time: now() }
}

pub fn now() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

/// What a test calls.
pub struct Given {
    pub account: Account,
    pub operation: FieldName,
    pub inputs: Inputs,
    pub page: Option<Value>,
    pub token: Option<Token>,
    pub delivery: Delivery,
}

pub fn given(account: Account, operation: &str, inputs_are: Value) -> Given {
    let (operation, inputs, delivery) = (field(operation), inputs(inputs_are), delivery());
    Given { account, operation, inputs, page: None, token: None, delivery }
}

impl Given {
    pub fn call(&self) -> Call<'_> {
        Call {
            account: &self.account,
            name: &self.operation,
            operation: self.account.manifest.operations.get(self.operation.as_str()).unwrap(),
            inputs: &self.inputs,
            delivery: Some(&self.delivery),
            page: self.page.as_ref(),
            token: self.token.as_ref(),
            now: now(),
        }
    }

    pub fn sent(&self) -> Result<HttpRequest, RequestError> {
        render(&self.call()).map(|rendered| rendered.sent)
    }

    pub fn read(&self, status: u16, headers: &[(&str, &str)], body: &str) -> Answered {
        answer::read(&self.call(), &answered(status, headers, body))
    }
}

pub fn answered(status: u16, headers: &[(&str, &str)], body: &str) -> HttpAnswer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    HttpAnswer { status, headers, body: body.as_bytes().to_vec(), is_cut: false }
}

/// A request as text: method, address, headers, body.
pub fn text(request: &HttpRequest) -> String {
    let headers: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("{} {}\n{headers}\n{}", request.method.as_str(), request.url, String::from_utf8_lossy(&request.body))
}

/// A server on this machine that answers each request, given as text, with a status and a body; and a client that may call it.
pub async fn served(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> (Client, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                while let Some(request) = request(&mut stream).await {
                    let (status, body) = answer(&request);
                    // Nothing at all: the reply is lost.
                    if status == 0 {
                        return;
                    }
                    let head = format!(
                        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    );
                    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
                }
            });
        }
    });
    (Client::new(vec![address]).unwrap(), format!("http://{address}"))
}

/// The next request of a connection with its body, as far as `Content-Length` says.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let so_far = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = so_far.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")
                    .map(|number| number.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or_default() {
                return Some(so_far);
            }
        }
        let length = stream.read(&mut piece).await.ok().filter(|length| *length > 0)?;
        text.extend_from_slice(&piece[..length]);
    }
}
