//! Whether a request says who sends it, in the manifest's own way. Any credential of the right form is taken, of the test system
//! where the manifest says what one looks like: a key of the live system has no business here.

use super::request::Request;
use super::setup::Setup;
use crate::fill::as_text;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifest::authentication::{Authentication, BodyAuthentication, BodyPlace, Grant};
use manifest::reference::Reference;
use manifest::template::Part;
use manifest::{Template, Text};
use serde_json::Value;
use std::collections::BTreeMap;
use vocab::Secret;

/// Why a request is not let in: for the log, never with what was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// It says nothing.
    Nothing,
    /// What it says is not of the form that the manifest gives.
    Form,
    /// It shows a credential of the live system.
    Live,
    /// Its token was not given out here, has ended, or was revoked.
    Token,
}

impl Stranger {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "it does not say who sends it",
            Self::Form => "its credential is not of the form that the manifest gives",
            Self::Live => "its credential is one of the live system",
            Self::Token => "its token was not given out here, or holds no more",
        }
    }
}

/// The credentials that a caller has shown, by name.
pub(super) type Shown = BTreeMap<String, Secret<String>>;

/// What of a way of authentication cannot be done here.
pub(super) fn beyond(way: &Authentication) -> Option<&'static str> {
    match way {
        Authentication::Sigv4(_) => Some("its requests are signed, and the simulator does not check that"),
        Authentication::Oauth2(way) if way.grant == Grant::JwtBearer => {
            Some("its tokens are got with something signed, and the simulator does not check that")
        }
        Authentication::None(_)
        | Authentication::InAddress(_)
        | Authentication::Oauth2(_)
        | Authentication::Bearer { .. }
        | Authentication::Basic { .. }
        | Authentication::Header { .. }
        | Authentication::Query(_)
        | Authentication::Body(_) => None,
    }
}

/// Who sends a request.
pub(super) fn known(setup: &Setup, way: Option<&Authentication>, request: &Request) -> Result<Shown, Stranger> {
    let Some(way) = way else { return Ok(Shown::new()) };
    let mut shown = Shown::new();
    let mut pairs: Vec<(&Text, String)> = Vec::new();
    match way {
        Authentication::None(_) | Authentication::InAddress(_) => return Ok(shown),
        Authentication::Bearer { token } => pairs.push((token, scheme(request, "bearer")?)),
        Authentication::Basic { user, password } => {
            let (told_user, told_password) = basic(request)?;
            pairs.extend([(user, told_user), (password, told_password)]);
        }
        Authentication::Header { name, value } => {
            pairs.push((value, request.header(name).ok_or(Stranger::Nothing)?.to_owned()));
        }
        Authentication::Query(parameters) => {
            for (name, text) in parameters.iter() {
                let told = request.query.iter().find(|(known, _)| known == name).ok_or(Stranger::Nothing)?;
                pairs.push((text, told.1.clone()));
            }
        }
        Authentication::Body(way) => members(way, &request.says, &mut pairs)?,
        // Asked of what was given out; refused before it is begun.
        Authentication::Oauth2(_) | Authentication::Sigv4(_) => return Err(Stranger::Form),
    }
    for (text, told) in pairs {
        fit(setup, text, &told, &mut shown)?;
    }
    Ok(shown)
}

fn scheme(request: &Request, wanted: &str) -> Result<String, Stranger> {
    let (scheme, rest) =
        request.header("authorization").and_then(|header| header.split_once(' ')).ok_or(Stranger::Nothing)?;
    if scheme.eq_ignore_ascii_case(wanted) { Ok(rest.trim().to_owned()) } else { Err(Stranger::Nothing) }
}

/// The name and the password of `Authorization: Basic`.
pub(super) fn basic(request: &Request) -> Result<(String, String), Stranger> {
    let told = STANDARD.decode(scheme(request, "basic")?).map_err(|_| Stranger::Form)?;
    let told = String::from_utf8(told).map_err(|_| Stranger::Form)?;
    told.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned())).ok_or(Stranger::Form)
}

fn members<'w>(way: &'w BodyAuthentication, says: &Value, pairs: &mut Vec<(&'w Text, String)>) -> Result<(), Stranger> {
    let place = match way.into {
        BodyPlace::Top => Some(says),
        BodyPlace::OnlyMember => says.as_object().and_then(|members| members.values().next()),
    };
    let place = place.ok_or(Stranger::Nothing)?;
    way.fields.iter().try_for_each(|(name, template)| member(template, place.get(name), pairs))
}

fn member<'w>(
    template: &'w Template,
    told: Option<&Value>,
    pairs: &mut Vec<(&'w Text, String)>,
) -> Result<(), Stranger> {
    let told = told.ok_or(Stranger::Nothing)?;
    match template {
        Template::Text(text) => {
            pairs.push((text, as_text(told)));
            Ok(())
        }
        Template::Fields(fields) => fields.iter().try_for_each(|(name, field)| member(field, told.get(name), pairs)),
        Template::Null | Template::Boolean(_) | Template::Number(_) | Template::List(_) | Template::Each { .. } => {
            Ok(())
        }
    }
}

/// Whether a text is one that the manifest's could come to; the credentials in it are noted.
pub(super) fn fit(setup: &Setup, text: &Text, told: &str, shown: &mut Shown) -> Result<(), Stranger> {
    let parts = text.parts();
    let mut rest = told;
    for (number, part) in parts.iter().enumerate() {
        match part {
            Part::Literal(literal) => rest = rest.strip_prefix(literal.as_str()).ok_or(Stranger::Form)?,
            Part::Value(expression) => {
                // What it holds ends where the next literal begins.
                let end = match parts.get(number + 1) {
                    Some(Part::Literal(next)) => rest.find(next.as_str()).ok_or(Stranger::Form)?,
                    Some(Part::Value(_)) | None => rest.len(),
                };
                let (value, behind) = rest.split_at(end);
                rest = behind;
                let is_as_it_was = expression.through.is_empty();
                match &expression.from {
                    Reference::Credential(name) if is_as_it_was => {
                        credential(setup, name.as_str(), value)?;
                        shown.insert(name.to_string(), Secret::new(value.to_owned()));
                    }
                    Reference::Value(name) if is_as_it_was => {
                        let known = setup.manifest.provider.values.get(name.as_str());
                        if known.is_none_or(|known| known != value) {
                            return Err(Stranger::Form);
                        }
                    }
                    _ if value.is_empty() => return Err(Stranger::Nothing),
                    _ => {}
                }
            }
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(Stranger::Form) }
}

fn credential(setup: &Setup, name: &str, told: &str) -> Result<(), Stranger> {
    if told.is_empty() {
        return Err(Stranger::Nothing);
    }
    let Some(known) = setup.manifest.provider.credentials.get(name) else { return Ok(()) };
    if !known.form.fits(told) {
        return Err(Stranger::Form);
    }
    let is_test = known.test_starts_with.is_empty()
        || known.test_starts_with.iter().any(|begins| told.starts_with(begins.as_str()));
    if is_test { Ok(()) } else { Err(Stranger::Live) }
}
