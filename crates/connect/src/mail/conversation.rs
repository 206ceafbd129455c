//! One conversation with a mail server: a mail comes in, what became of it goes out. It is known at each step whether the server can have
//! the mail; a password is said over an encrypted connection, or where somebody has asked for a plain one.

use super::kept_open::{KeptOpen, Open};
use super::message::Outgoing;
use super::server::{Encryption, Server};
use crate::delivery::Outcome;
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::transport::smtp::response::Response;
use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How long a server is waited for.
#[derive(Clone, Copy)]
struct Patience {
    /// To be there, and to answer anything but the mail itself.
    answer: Duration,
    /// To say that it has the mail.
    mail: Duration,
}

const PATIENCE: Patience = Patience { answer: Duration::from_secs(30), mail: Duration::from_secs(120) };
/// Most characters that are kept of what a server says.
const MAX_SAID: usize = 300;

/// The statuses of RFC 3463 (5.1.10: RFC 7505) that say of a recipient that nobody has the address, and nothing of us. Not 5.1.0, which Postfix
/// says of a sender too, nor 5.2.1, which Gmail says of who gets too many mails as well: https://support.google.com/a/answer/3726730
const NOBODY: [&str; 5] = ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"];

/// What became of a mail.
pub(super) struct Sent {
    pub outcome: Outcome,
    /// Whether the server says that nobody has the address.
    pub is_nobodys: bool,
    /// The server's last status.
    pub status: Option<u16>,
    /// The same with the enhanced status, where it has one: `550 5.1.1`.
    pub code: Option<String>,
    /// What went wrong, or is to be known.
    pub problem: Option<String>,
    /// The server's last words, without whose address it is.
    pub said: String,
}

/// A step, for what is said when it goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Reach,
    Encrypt,
    SignIn,
    Sender,
    Recipient,
    Begin,
    Mail,
}

/// Why a conversation ended before the server had the mail.
struct Ended {
    step: Step,
    why: Why,
}

enum Why {
    Said(Error),
    TookTooLong,
    Other(String),
}

/// Says the mail to the server, over a connection that is open already where there is one.
pub(super) async fn send(server: &Server, kept: &Arc<KeptOpen>, mail: &Outgoing) -> Sent {
    send_within(PATIENCE, server, kept, mail).await
}

async fn send_within(patience: Patience, server: &Server, kept: &Arc<KeptOpen>, mail: &Outgoing) -> Sent {
    match conversation(patience, server, kept, mail).await {
        Ok((answer, open)) => {
            kept.put(open).await;
            let said = answer.message().collect::<Vec<_>>().join(" ");
            let said = scrubbed(&said, server, mail);
            let status = Some(answer.code().into());
            Sent { outcome: Outcome::Delivered, is_nobodys: false, status, code: None, problem: None, said }
        }
        Err(ended) => ended.sent(server, mail),
    }
}

async fn conversation(
    patience: Patience,
    server: &Server,
    kept: &KeptOpen,
    mail: &Outgoing,
) -> Result<(Response, Open), Ended> {
    let mut open = match kept.take().await {
        Some(open) => open,
        None => Open { connection: connected(patience, server, mail).await?, mails: 0 },
    };
    let connection = &mut open.connection;
    let options = options(connection, &mail.to)?;
    patience.within(Step::Sender, connection.command(Mail::new(Some(mail.from.clone()), options))).await?;
    patience.within(Step::Recipient, connection.command(Rcpt::new(mail.to.clone(), Vec::new()))).await?;
    patience.within(Step::Begin, connection.command(Data)).await?;
    let saying = tokio::time::timeout(patience.mail, connection.message(&mail.bytes)).await;
    let ended = |why| Ended { step: Step::Mail, why };
    let answer = saying.map_err(|_| ended(Why::TookTooLong))?.map_err(|error| ended(Why::Said(error)))?;
    Ok((answer, open))
}

/// A new connection, encrypted and signed in as the server's address says.
async fn connected(patience: Patience, server: &Server, mail: &Outgoing) -> Result<AsyncSmtpConnection, Ended> {
    let hello = ClientId::Domain(mail.from.domain().to_owned());
    let tls = || {
        TlsParameters::new(server.host.clone()).map_err(|error| Ended { step: Step::Encrypt, why: Why::Said(error) })
    };
    let from_the_beginning = if server.encryption == Encryption::Tls { Some(tls()?) } else { None };
    let place = (server.host.as_str(), server.port);
    let connecting =
        AsyncSmtpConnection::connect_tokio1(place, Some(patience.answer), &hello, from_the_beginning, None);
    let mut connection = patience.within(Step::Reach, connecting).await?;
    if server.encryption == Encryption::StartTls {
        if !connection.can_starttls() {
            let why = "the server does not offer STARTTLS: nothing was said to it; `?tls=none` in `SMTP_URL` speaks with it all the same, for everybody between to read";
            return Err(Ended { step: Step::Encrypt, why: Why::Other(why.to_owned()) });
        }
        patience.within(Step::Encrypt, connection.starttls(tls()?, &hello)).await?;
    }
    if let Some((user, password)) = &server.credentials {
        let credentials = Credentials::new(user.clone(), password.expose().clone());
        patience.within(Step::SignIn, connection.auth(DEFAULT_MECHANISMS, &credentials)).await?;
    }
    Ok(connection)
}

/// RFC 6531: an address with other letters needs a server that knows them.
fn options(connection: &AsyncSmtpConnection, to: &Address) -> Result<Vec<MailParameter>, Ended> {
    let text: &str = to.as_ref();
    match (text.is_ascii(), connection.server_info().supports_feature(Extension::SmtpUtfEight)) {
        (true, _) => Ok(Vec::new()),
        (false, true) => Ok(vec![MailParameter::SmtpUtfEight]),
        (false, false) => {
            let why = "the address has letters that the mail server does not take (SMTPUTF8)".to_owned();
            Err(Ended { step: Step::Recipient, why: Why::Other(why) })
        }
    }
}

impl Patience {
    async fn within<T>(self, step: Step, doing: impl Future<Output = Result<T, Error>>) -> Result<T, Ended> {
        match tokio::time::timeout(self.answer, doing).await {
            Ok(done) => done.map_err(|error| Ended { step, why: Why::Said(error) }),
            Err(_) => Err(Ended { step, why: Why::TookTooLong }),
        }
    }
}

impl Ended {
    fn outcome(&self) -> Outcome {
        let status = self.status();
        // 530: it wants to know who we are first; 534, 535, 538: it does not take who we say we are.
        if matches!(status, Some(530 | 534 | 535 | 538)) {
            return Outcome::Authentication;
        }
        let is_refused = status.is_some_and(|status| status >= 500);
        match self.step {
            Step::Reach | Step::Encrypt => Outcome::Transient,
            Step::SignIn => match &self.why {
                Why::Said(error) if error.is_client() => Outcome::Authentication,
                Why::Said(_) | Why::TookTooLong | Why::Other(_) if is_refused => Outcome::Authentication,
                Why::Said(_) | Why::TookTooLong | Why::Other(_) => Outcome::Transient,
            },
            Step::Recipient if matches!(self.why, Why::Other(_)) => Outcome::Permanent,
            Step::Sender | Step::Recipient | Step::Begin if is_refused => Outcome::Permanent,
            Step::Sender | Step::Recipient | Step::Begin => Outcome::Transient,
            Step::Mail if is_refused => Outcome::Permanent,
            Step::Mail if status.is_some() => Outcome::Transient,
            // All of the mail may have arrived.
            Step::Mail => Outcome::UnknownEffect,
        }
    }

    fn status(&self) -> Option<u16> {
        match &self.why {
            Why::Said(error) => error.status().map(u16::from),
            Why::TookTooLong | Why::Other(_) => None,
        }
    }

    fn sent(&self, server: &Server, mail: &Outgoing) -> Sent {
        let at = match self.step {
            Step::Reach => "the mail server was not reached",
            Step::Encrypt => "the conversation was not encrypted",
            Step::SignIn => "the mail server does not let us in",
            Step::Sender => "the mail server does not take the sender",
            Step::Recipient => "the mail server does not take the recipient",
            Step::Begin => "the mail server does not take the mail",
            Step::Mail => "the mail server did not say that it has the mail",
        };
        let (why, said) = match &self.why {
            Why::Said(error) => {
                let said = scrubbed(&error.source().map(ToString::to_string).unwrap_or_default(), server, mail);
                let status = self.status().map(|status| format!("{status} ")).unwrap_or_default();
                let shown = if said.is_empty() { error.to_string() } else { said.clone() };
                (format!("{status}{shown}"), said)
            }
            Why::TookTooLong => ("it took too long".to_owned(), String::new()),
            Why::Other(why) => (why.clone(), String::new()),
        };
        let status = self.status();
        let enhanced = enhanced(&said);
        let code = status.map(|status| match enhanced {
            Some(enhanced) => format!("{status} {enhanced}"),
            None => status.to_string(),
        });
        let outcome = self.outcome();
        let is_nobodys = self.step == Step::Recipient
            && outcome == Outcome::Permanent
            && enhanced.is_some_and(|enhanced| NOBODY.contains(&enhanced));
        Sent { outcome, is_nobodys, status, code, problem: Some(format!("{at}: {why}")), said }
    }
}

/// The status of RFC 3463 with which what a server says begins.
fn enhanced(said: &str) -> Option<&str> {
    let first = said.split_whitespace().next()?;
    let parts: Vec<&str> = first.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    (parts.len() == 3 && matches!(parts[0], "2" | "4" | "5") && parts.iter().all(is_number)).then_some(first)
}

/// What a server says, without the address that it may repeat, and without who we are there.
fn scrubbed(said: &str, server: &Server, mail: &Outgoing) -> String {
    let mut text: String = said.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let to: &str = mail.to.as_ref();
    let mut hides = vec![(to, "[recipient]"), (mail.to.user(), "[recipient]")];
    if let Some((user, password)) = &server.credentials {
        hides.extend([(password.expose().as_str(), "[redacted]"), (user.as_str(), "[redacted]")]);
    }
    for (hidden, stands_for) in hides.into_iter().filter(|(hidden, _)| hidden.len() > 2) {
        text = text.replace(hidden, stands_for);
    }
    text.trim().chars().take(MAX_SAID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    const SHORT: Patience = Patience { answer: Duration::from_millis(300), mail: Duration::from_millis(300) };

    /// What becomes of a mail at a server that answers each line so, and nothing where the answers have ended. An answer to the mail itself is
    /// the last one; `drop` hangs up instead.
    async fn sent(answers: &'static [&'static str]) -> Sent {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let playing = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let (mut is_mail, mut line) = (false, String::new());
            for answer in answers {
                if *answer == "drop" {
                    return;
                }
                stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
                loop {
                    line.clear();
                    if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
                        return;
                    }
                    if !is_mail || line == ".\r\n" {
                        break;
                    }
                }
                is_mail = line.starts_with("DATA");
            }
            std::future::pending::<()>().await;
        });
        let server = Server::parse(&format!("smtp://ann:geheim@127.0.0.1:{port}")).unwrap();
        let address = |text: &str| text.parse::<Address>().unwrap();
        let (from, to) = (address("shop@shop.example"), address("ada@guest.example"));
        let mail = Outgoing { id: "<1@shop.example>".to_owned(), from, to, bytes: b"Subject: x\r\n\r\nHello".to_vec() };
        let sent = send_within(SHORT, &server, &Arc::default(), &mail).await;
        playing.abort();
        sent
    }

    const HELLO: &str = "250 AUTH PLAIN";

    #[tokio::test]
    async fn it_is_known_at_each_step_whether_the_server_can_have_the_mail() {
        use Outcome::{Authentication, Delivered, Permanent, Transient, UnknownEffect};
        let cases: [(&'static [&'static str], Outcome, &str); 13] = [
            (&[], Transient, "was not reached: it took too long"),
            (&["drop"], Transient, "was not reached"),
            (&["554 not today"], Transient, "was not reached: 554 not today"),
            (&["220 hi", "250 nothing"], Authentication, "does not let us in"),
            (&["220 hi", HELLO, "535 no"], Authentication, "does not let us in: 535 no"),
            (&["220 hi", HELLO, "454 later"], Transient, "does not let us in: 454 later"),
            (&["220 hi", HELLO, "235 ok", "553 no"], Permanent, "does not take the sender: 553 no"),
            (&["220 hi", HELLO, "235 ok", "250 ok", "450 busy"], Transient, "does not take the recipient: 450 busy"),
            (&["220 hi", HELLO, "235 ok", "250 ok", "250 ok", "drop"], Transient, "does not take the mail"),
            (
                &["220 hi", HELLO, "235 ok", "250 ok", "250 ok", "354 go", "552 geheim ada@guest.example"],
                Permanent,
                "552 [redacted] [recipient]",
            ),
            (
                &["220 hi", HELLO, "235 ok", "250 ok", "250 ok", "354 go"],
                UnknownEffect,
                "did not say that it has the mail: it took too long",
            ),
            (
                &["220 hi", HELLO, "235 ok", "250 ok", "250 ok", "354 go", "drop"],
                UnknownEffect,
                "did not say that it has the mail",
            ),
            (&["220 hi", HELLO, "235 ok", "250 ok", "250 ok", "354 go", "250 ok"], Delivered, ""),
        ];
        for (answers, outcome, says) in cases {
            let found = sent(answers).await;
            let problem = found.problem.unwrap_or_default();
            assert_eq!(found.outcome, outcome, "{answers:?}: {problem}");
            assert!(problem.contains(says) && !problem.contains("geheim"), "{answers:?}: {problem}");
        }
    }

    #[tokio::test]
    async fn an_address_is_nobodys_where_the_server_says_that_of_the_recipient() {
        const SENDER: &str = "250 ok";
        let cases: [(&'static [&'static str], bool); 12] = [
            (&["220 hi", HELLO, "235 ok", SENDER, "550 5.1.1 nobody here"], true),
            (&["220 hi", HELLO, "235 ok", SENDER, "550-5.1.1 nobody here\r\n550 5.1.1 really"], true),
            (&["220 hi", HELLO, "235 ok", SENDER, "550 5.1.2 no such domain"], true),
            (&["220 hi", HELLO, "235 ok", SENDER, "556 5.1.10 null MX"], true),
            (&["220 hi", HELLO, "235 ok", SENDER, "550 No such user here"], false),
            (&["220 hi", HELLO, "235 ok", SENDER, "550 5.1.0 sender rejected"], false),
            (&["220 hi", HELLO, "235 ok", SENDER, "550 5.2.1 gets too many mails"], false),
            (&["220 hi", HELLO, "235 ok", SENDER, "552 5.2.2 mailbox full"], false),
            (&["220 hi", HELLO, "235 ok", SENDER, "550 5.7.1 not from there"], false),
            (&["220 hi", HELLO, "235 ok", SENDER, "450 4.1.1 not now"], false),
            (&["220 hi", HELLO, "235 ok", "550 5.1.1 who are you"], false),
            (&["220 hi", HELLO, "235 ok", SENDER, "250 ok", "354 go", "550 5.1.1 not this one"], false),
        ];
        for (answers, is_nobodys) in cases {
            assert_eq!(sent(answers).await.is_nobodys, is_nobodys, "{answers:?}");
        }
    }
}
