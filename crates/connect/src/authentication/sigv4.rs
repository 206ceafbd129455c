//! AWS Signature Version 4 (<https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>): a draft of a request comes in,
//! one that is signed goes out, by headers or, for a link that somebody else uses, by parameters of the address.

use super::needed;
use crate::account::Call;
use crate::encode::{percent, percent_but_slashes};
use crate::fill;
use crate::request::{Draft, HIDDEN, Proof, RequestError};
use aws_lc_rs::hmac;
use jiff::Timestamp;
use manifest::authentication::{PathEncoding, Sigv4};
use std::time::Duration;
use vocab::sha256_hex;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What is signed in the place of a body that is not known yet.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Who signs, filled in.
struct Signer {
    region: String,
    key_id: String,
    key: String,
    session: Option<String>,
    service: String,
    path_encoding: PathEncoding,
    /// `20150830T123600Z`
    moment: String,
}

impl Signer {
    fn of(way: &Sigv4, call: &Call<'_>) -> Result<Self, RequestError> {
        Ok(Self {
            region: needed(&way.region, call)?,
            key_id: needed(&way.access_key_id, call)?,
            key: needed(&way.secret_access_key, call)?,
            session: way.session_token.as_ref().map(|token| fill::text(token, call)).transpose()?.flatten(),
            service: way.service.clone(),
            path_encoding: way.path_encoding,
            moment: moment(call.now),
        })
    }

    fn day(&self) -> &str {
        self.moment.split('T').next().unwrap_or_default()
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day(), self.region, self.service)
    }

    fn signature(&self, canonical: &str) -> String {
        let text = format!("{ALGORITHM}\n{}\n{}\n{}", self.moment, self.scope(), sha256_hex(canonical.as_bytes()));
        let first = format!("AWS4{}", self.key).into_bytes();
        let parts = [self.day(), &self.region, &self.service, "aws4_request"];
        let key = parts.iter().fold(first, |key, part| keyed(&key, part));
        keyed(&key, &text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn moment(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Signs by headers.
pub(super) fn sign(way: &Sigv4, call: &Call<'_>, draft: &mut Draft, proof: Proof) -> Result<(), RequestError> {
    let signer = Signer::of(way, call)?;
    let digest = sha256_hex(&draft.request.body);
    draft.set_header("X-Amz-Date", signer.moment.clone());
    if way.path_encoding == PathEncoding::Once {
        draft.set_header("X-Amz-Content-Sha256", digest.clone());
    }
    if let Some(session) = &signer.session {
        let shown = if proof == Proof::Sent { session.as_str() } else { HIDDEN };
        draft.set_header("X-Amz-Security-Token", shown.to_owned());
    }
    if proof == Proof::Shown {
        draft.set_header("Authorization", format!("{ALGORITHM} {HIDDEN}"));
        return Ok(());
    }
    strictly(draft);
    let headers = headers(draft)?;
    let names = names(&headers);
    let signature = signer.signature(&canonical(&signer, draft, &headers, &digest));
    let credential = format!("{}/{}", signer.key_id, signer.scope());
    let value = format!("{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}");
    draft.set_header("Authorization", value);
    Ok(())
}

/// Signs by parameters: the address alone is enough for who has it, as long as it holds.
pub(crate) fn link(way: &Sigv4, call: &Call<'_>, draft: &mut Draft, holds: Duration) -> Result<String, RequestError> {
    let signer = Signer::of(way, call)?;
    draft.request.headers.clear();
    strictly(draft);
    let mut add = |name: &str, value: &str| draft.query.push((name.to_owned(), percent(value)));
    add("X-Amz-Algorithm", ALGORITHM);
    add("X-Amz-Credential", &format!("{}/{}", signer.key_id, signer.scope()));
    add("X-Amz-Date", &signer.moment);
    add("X-Amz-Expires", &holds.as_secs().to_string());
    if let Some(session) = &signer.session {
        add("X-Amz-Security-Token", session);
    }
    add("X-Amz-SignedHeaders", "host");
    let headers = headers(draft)?;
    let signature = signer.signature(&canonical(&signer, draft, &headers, UNSIGNED));
    Ok(format!("{}{}?{}&X-Amz-Signature={signature}", draft.base, draft.path, draft.query_text()))
}

/// Brackets are encoded as well: the signature is over the text, and the other side writes it its own way.
fn strictly(draft: &mut Draft) {
    for (name, value) in &mut draft.query {
        for text in [name, value] {
            *text = text.replace('[', "%5B").replace(']', "%5D");
        }
    }
}

/// The headers that are signed, sorted: all of them, and the host.
fn headers(draft: &Draft) -> Result<Vec<(String, String)>, RequestError> {
    let (_, rest) = draft.base.split_once("://").ok_or_else(|| RequestError::Absent("the host".to_owned()))?;
    let host = rest.split('/').next().unwrap_or(rest).to_owned();
    let trimmed = |value: &str| value.split_whitespace().collect::<Vec<_>>().join(" ");
    let named = draft.request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), trimmed(value)));
    let mut headers: Vec<_> = named.chain([("host".to_owned(), host)]).collect();
    headers.sort();
    Ok(headers)
}

fn names(headers: &[(String, String)]) -> String {
    headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";")
}

/// The request as both sides write it down to sign it.
fn canonical(signer: &Signer, draft: &Draft, headers: &[(String, String)], digest: &str) -> String {
    let before = draft.base.split_once("://").map_or("", |(_, rest)| rest);
    let before = before.find('/').map_or("", |slash| &before[slash..]);
    let path = format!("{before}{}", draft.path);
    let path = if path.is_empty() { "/".to_owned() } else { path };
    let path = match signer.path_encoding {
        PathEncoding::Once => path,
        PathEncoding::Twice => percent_but_slashes(&path),
    };
    let mut query = draft.query.clone();
    query.sort();
    let query = query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let method = draft.request.method.as_str();
    format!("{method}\n{path}\n{query}\n{lines}\n{}\n{digest}", names(headers))
}
