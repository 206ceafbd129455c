//! What kept us from being let in: the driver's error comes in, the word for it goes out. Told apart by codes and by the names
//! of the server's own functions, never by its messages, which are in the server's language.

use super::tls;
use crate::StoreError;
use crate::error::Trouble;
use std::error::Error as _;
use std::io;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

/// The failure of a connection that was being made.
pub(super) fn not_connected(error: &Error) -> StoreError {
    let trouble = match error.as_db_error() {
        Some(said) => trouble_said(said),
        None => trouble_of_network(error),
    };
    StoreError::NotConnected(trouble, said(error))
}

fn trouble_said(said: &DbError) -> Trouble {
    match *said.code() {
        SqlState::INVALID_PASSWORD => Trouble::Authentication,
        // One code for two things: the role itself, and the lines of `pg_hba.conf`.
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION => match said.routine() {
            Some("InitializeSessionUserId") => Trouble::RoleMissing,
            Some("ClientAuthentication") => Trouble::NotAdmitted,
            Some(_) | None => Trouble::Authentication,
        },
        SqlState::INVALID_CATALOG_NAME => Trouble::DatabaseMissing,
        SqlState::INSUFFICIENT_PRIVILEGE => Trouble::NotAllowed,
        SqlState::TOO_MANY_CONNECTIONS => Trouble::Busy,
        SqlState::CANNOT_CONNECT_NOW => Trouble::Starting,
        _ => Trouble::Other,
    }
}

fn trouble_of_network(error: &Error) -> Trouble {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return tls::trouble(tls);
        }
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            // An error of TLS comes wrapped as one of the network, which does not count what it wraps among its sources.
            if let Some(tls) = io.get_ref().and_then(|wrapped| wrapped.downcast_ref::<rustls::Error>()) {
                return tls::trouble(tls);
            }
            return trouble_of_io(io);
        }
        source = inner.source();
    }
    // The driver has no codes for these; the words are its own.
    let (outer, inner) = (error.to_string(), said(error));
    match () {
        () if inner.contains("does not support TLS") => Trouble::TlsNotOffered,
        () if inner.contains("password missing") => Trouble::Authentication,
        () if outer.contains("unexpected message") || outer.contains("parsing response") || error.is_closed() => {
            Trouble::NotTheServer
        }
        () => Trouble::Other,
    }
}

fn trouble_of_io(error: &io::Error) -> Trouble {
    match error.kind() {
        // Where the server's socket is a file, it is not there while the server is not.
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Trouble::Refused,
        io::ErrorKind::TimedOut => Trouble::TimedOut,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Trouble::Unreachable,
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::InvalidData
        | io::ErrorKind::InvalidInput => Trouble::NotTheServer,
        // `target_session_attrs` of the URL, and a server that does not have them.
        io::ErrorKind::PermissionDenied if error.to_string().contains("writes") => Trouble::ReadOnly,
        _ if error.to_string().contains("lookup") => Trouble::UnknownHost,
        _ => Trouble::Other,
    }
}

/// What the server or the driver says, without the details of rows.
pub(super) fn said(error: &Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => said.message().to_owned(),
        (None, Some(source)) => source.to_string(),
        (None, None) => error.to_string(),
    }
}
