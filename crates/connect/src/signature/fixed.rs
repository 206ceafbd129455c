//! What we have told the provider comes back: a header, a password, a part of the address. Compared in constant time.

use super::{Call, Refusal, Values, value};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifest::Text;
use vocab::Secret;

/// Checks that a header holds what it should.
///
/// # Errors
/// [`Refusal`] with the reason.
pub fn verify_fixed_header(name: &str, expected: &Text, call: &Call<'_>, values: Values<'_>) -> Result<(), Refusal> {
    same(call.header(name)?, value(values, expected)?.expose())
}

/// Checks `Authorization: Basic`, RFC 7617.
///
/// # Errors
/// [`Refusal`] with the reason.
pub fn verify_basic(user: &Text, password: &Text, call: &Call<'_>, values: Values<'_>) -> Result<(), Refusal> {
    let header = "Authorization";
    let unreadable = || Refusal::HeaderUnreadable(header.to_owned());
    let (scheme, told) = call.header(header)?.split_once(' ').ok_or_else(unreadable)?;
    let told = STANDARD.decode(told.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"));
    let told = told.ok_or_else(unreadable)?;
    let (user, password) = (value(values, user)?, value(values, password)?);
    let expected = format!("{}:{}", user.expose(), password.expose());
    verify_slices_are_equal(&told, expected.as_bytes()).map_err(|_| Refusal::Wrong)
}

/// Checks the part of the address that nobody can guess.
///
/// # Errors
/// [`Refusal`] when it is another one.
pub fn verify_secret_path(told: &str, expected: &Secret<String>) -> Result<(), Refusal> {
    same(told, expected.expose())
}

fn same(told: &str, expected: &str) -> Result<(), Refusal> {
    verify_slices_are_equal(told.as_bytes(), expected.as_bytes()).map_err(|_| Refusal::Wrong)
}
