//! The provider itself: its account, its hosts, how it knows us, what its answers mean, how much it takes.

use super::expression::Place;
use super::operation::{format_of, rules, statuses, when};
use super::{Members, Module, Script, Written, beyond, each, member, number, text, texts};
use crate::node::script::Expression;
use manifest::authentication::{Authentication, BodyPlace, ClientAuthentication, Grant, Oauth2, Repeated};
use manifest::outcome::{Errors, Retry, Wait, WaitForm};
use manifest::point::Point;
use manifest::provider::{Characters, Counted, Credential, Host, Setting};
use manifest::webhook::{SignedPart, Verification};
use manifest::{Manifest, Pointer, Text};
use plan::Plan;
use plan::service::{Priority, System, ValueSource};

/// What a provider is called in the names of variables: `ACME`.
fn prefix(provider: &str) -> String {
    provider.to_ascii_uppercase().replace('-', "_")
}

/// The variable that says where a simulated provider is.
pub fn base_variable(provider: &str) -> String {
    format!("{}_API_BASE", prefix(provider))
}

/// The variable that holds what calls are signed with: the secret of the native server is called like it.
pub fn webhook_variable(provider: &str) -> String {
    format!("{}_WEBHOOK_SECRET", prefix(provider))
}

/// The variable that holds what the provider calls our address, which some signatures cover.
pub fn webhook_id_variable(provider: &str) -> String {
    format!("{}_WEBHOOK_ID", prefix(provider))
}

/// Whether anything but the registration needs that: `producer run` enters the address.
pub fn needs_webhook_id(manifest: &Manifest) -> bool {
    let is_id = |part: &SignedPart| match part {
        SignedPart::Value(value) => value.to_string().contains("${webhook.id}"),
        _ => false,
    };
    let signed = |way: &Verification| match way {
        Verification::Hmac(way) => way.signed.iter().any(is_id),
        Verification::Digest(way) => way.signed.iter().any(is_id),
        Verification::PublicKey(way) => way.signed.iter().any(is_id),
        Verification::Certificate(way) => way.signed.iter().any(is_id),
        _ => false,
    };
    manifest.webhooks.iter().flat_map(|webhooks| &webhooks.verify).any(signed)
}

impl Module<'_> {
    pub(super) fn provider(&mut self, script: &mut Script, name: &str, plan: &Plan) -> Written<()> {
        let provider = &self.manifest.provider;
        let mut members = Members::default();
        members.add("name", text(self.service.task_id.as_str()));
        members.add("provider", text(provider.provider.as_str()));
        members.add("title", text(&provider.title));
        let system = match self.service.system {
            System::Live => "live",
            System::Test => "test",
            System::Simulated => "simulated",
        };
        members.add("system", text(system));
        let priority = match self.service.priority {
            Priority::High => "0",
            Priority::Normal => "1",
            Priority::Low => "2",
        };
        members.add("priority", Expression::text(priority));
        members.add("baseVariable", text(&base_variable(provider.provider.as_str())));
        members.add("webhookSecretVariable", text(&webhook_variable(provider.provider.as_str())));
        if needs_webhook_id(self.manifest) {
            members.add("webhookIdVariable", text(&webhook_id_variable(provider.provider.as_str())));
        }
        members.add("credentials", self.credentials());
        members.add("settings", self.settings()?);
        members.add("hosts", self.hosts()?);
        members.add("authentication", self.authentication()?);
        members.maybe("successWhen", provider.success_when.as_ref().map(when).transpose()?);
        members.add("errors", errors(&provider.errors)?);
        members.add("wait", wait(&provider.wait));
        members.add("retry", retry(&provider.retry));
        self.rates(&mut members);
        members.maybe("versionHeader", provider.drift.version_header.as_ref().map(|name| text(name)));
        let remembers = self.manifest.points.remembers.iter();
        let remembers = remembers.map(|(name, known)| {
            (name.to_string(), Expression::Object(vec![("of".to_owned(), text(known.of.as_str()))]))
        });
        members.add("remembers", Expression::Object(remembers.collect()));
        let listens = self.service.listens.iter().map(|(event, point)| (event.to_string(), text(point.as_str())));
        members.add("listens", Expression::Object(listens.collect()));
        members.add("points", Expression::text("points"));
        if plan.intake().is_some() && self.manifest.webhooks.is_some() {
            members.add("webhooks", Expression::text("webhooks"));
        }
        if !self.service.syncs.is_empty() {
            members.add("syncs", Expression::text("syncs"));
        }
        script.blank();
        script.line(&format!("/** What `lib/provider/` and `lib/delivery/` have to know of {}. */", provider.title));
        script.statement(&format!("export const {name} = "), &Expression::Lines(members.0));
        Ok(())
    }

    /// Where each credential comes from, and what it looks like.
    fn credentials(&self) -> Expression {
        let known = self.manifest.provider.credentials.iter();
        let found = known.map(|(name, credential)| {
            let from = self.service.account.iter().find(|value| value.name == *name).map(|value| &value.from);
            (name.to_string(), self.credential(name.as_str(), credential, from))
        });
        Expression::Object(found.collect())
    }

    fn credential(&self, name: &str, credential: &Credential, from: Option<&ValueSource>) -> Expression {
        let mut members = Members::default();
        members.add("title", text(&credential.title));
        match from {
            Some(ValueSource::Plain(value)) => members.add("value", text(value)),
            Some(ValueSource::Environment(variable) | ValueSource::Secret(variable)) => {
                members.add("variable", text(variable));
            }
            Some(ValueSource::Default) | None => {
                let variable = format!("{}_{name}", prefix(self.manifest.provider.provider.as_str()));
                members.add("variable", text(&variable.to_ascii_uppercase()));
                members.add("optional", Expression::text("true"));
            }
        }
        members.maybe("endsAfterDays", credential.ends_after_days.map(number));
        members.maybe("secret", credential.secret.then(|| Expression::text("true")));
        let form = &credential.form;
        members.maybe("startsWith", (!form.starts_with.is_empty()).then(|| texts(&form.starts_with)));
        members.maybe("minLength", form.min_length.map(number));
        members.maybe("maxLength", form.max_length.map(number));
        members.maybe("characters", form.characters.map(|characters| text(word(characters))));
        if self.service.system == System::Test && !credential.test_starts_with.is_empty() {
            members.add("testStartsWith", texts(&credential.test_starts_with));
        }
        members.object()
    }

    fn settings(&mut self) -> Written<Expression> {
        let mut settings = Vec::new();
        for (name, setting) in self.manifest.provider.settings.iter() {
            let from = self.service.account.iter().find(|value| value.name == *name).map(|value| &value.from);
            settings.push((name.to_string(), self.setting(setting, from)?));
        }
        Ok(Expression::Object(settings))
    }

    fn setting(&mut self, setting: &Setting, from: Option<&ValueSource>) -> Written<Expression> {
        let mut members = Members::default();
        members.add("type", text(setting.kind.as_str()));
        match from {
            Some(ValueSource::Plain(value)) => members.add("value", text(value)),
            Some(ValueSource::Environment(variable) | ValueSource::Secret(variable)) => {
                members.add("variable", text(variable));
            }
            Some(ValueSource::Default) | None => {}
        }
        if let Some(default) = &setting.default {
            members.add("default", self.writer.function(|writer| writer.text(default, Place::Plain))?);
        }
        Ok(members.object())
    }

    fn hosts(&mut self) -> Written<Expression> {
        let mut hosts = Vec::new();
        for (name, host) in self.manifest.provider.hosts.iter() {
            hosts.push((name.to_string(), self.host(host)?));
        }
        Ok(Expression::Object(hosts))
    }

    fn host(&mut self, host: &Host) -> Written<Expression> {
        let mut members = Members::default();
        members.add("live", self.writer.function(|writer| writer.text(&host.live, Place::Plain))?);
        if let Some(sandbox) = &host.sandbox {
            members.add("sandbox", self.writer.function(|writer| writer.text(sandbox, Place::Plain))?);
        }
        members.maybe("within", (!host.within.is_empty()).then(|| texts(&host.within)));
        members.add("answers", format_of(host.answers)?);
        if !host.headers.is_empty() {
            let headers = self.writer.function(|writer| {
                let headers = host.headers.iter();
                let headers = headers.map(|(name, value)| Ok(member(name, writer.text(value, Place::Proof)?)));
                Ok(Expression::Object(headers.collect::<Written<_>>()?))
            });
            members.add("headers", headers?);
        }
        Ok(members.object())
    }

    fn authentication(&mut self) -> Written<Expression> {
        let mut ways = Vec::new();
        for (name, way) in self.manifest.provider.authentication.iter() {
            ways.push((name.to_string(), self.way(way)?));
        }
        Ok(Expression::Object(ways))
    }

    fn way(&mut self, way: &Authentication) -> Written<Expression> {
        let header = |name: &str, value: Expression| Expression::Object(vec![member(name, value)]);
        let (kind, made) = match way {
            Authentication::None(_) | Authentication::InAddress(_) => return Ok(Expression::Object(Vec::new())),
            Authentication::Bearer { token } => {
                let made = self.writer.function(|writer| {
                    let token = writer.text(token, Place::Proof)?;
                    writer.import("text");
                    Ok(header("Authorization", Expression::text(format!("text`Bearer ${{{}}}`", token.flat()))))
                });
                ("headers", made?)
            }
            Authentication::Basic { user, password } => {
                let made = self.writer.function(|writer| {
                    writer.import("basic");
                    let pair = [writer.text(user, Place::Plain)?, writer.text(password, Place::Plain)?];
                    Ok(header("Authorization", Expression::call("basic", pair)))
                });
                ("headers", made?)
            }
            Authentication::Header { name, value } => {
                ("headers", self.writer.function(|writer| Ok(header(name, writer.text(value, Place::Proof)?)))?)
            }
            Authentication::Query(parameters) => {
                let made = self.writer.function(|writer| {
                    let all = parameters.iter();
                    let all = all.map(|(name, value)| Ok(member(name, writer.text(value, Place::Proof)?)));
                    Ok(Expression::Object(all.collect::<Written<_>>()?))
                });
                ("query", made?)
            }
            Authentication::Body(way) => {
                let fields = self.writer.function(|writer| {
                    let all = way.fields.iter();
                    let all = all.map(|(name, field)| Ok(member(name, writer.document(field, Place::Proof)?)));
                    Ok(Expression::Object(all.collect::<Written<_>>()?))
                });
                let into = match way.into {
                    BodyPlace::Top => "top",
                    BodyPlace::OnlyMember => "only_member",
                };
                let members = vec![("into".to_owned(), text(into)), ("fields".to_owned(), fields?)];
                ("body", Expression::Object(members))
            }
            Authentication::Oauth2(way) => ("oauth2", self.oauth2(way)?),
            Authentication::Sigv4(_) => return beyond("sign requests as AWS has it"),
        };
        Ok(Expression::Object(vec![(kind.to_owned(), made)]))
    }

    /// How a token is got and renewed, and what its answer holds.
    fn oauth2(&mut self, way: &Oauth2) -> Written<Expression> {
        let mut members = Members::default();
        match way.grant {
            Grant::ClientCredentials | Grant::JwtBearer => {
                members.maybe("scopes", (!way.scopes.is_empty()).then(|| texts(&way.scopes)));
            }
            Grant::AuthorizationCode => members.add("isShared", Expression::text("true")),
        }
        let mut text_of = |text: &Text| self.writer.function(|writer| writer.text(text, Place::Plain));
        if let Some(parts) = way.assertion.as_ref().filter(|_| way.grant == Grant::JwtBearer) {
            let mut assertion = Members::default();
            assertion.add("issuer", text_of(&parts.issuer)?);
            assertion.add("subject", text_of(&parts.subject)?);
            assertion.add("audience", text_of(&parts.audience)?);
            assertion.add("key", text_of(&parts.key)?);
            assertion.add("lifetimeSeconds", number(parts.lifetime_seconds));
            members.add("assertion", assertion.object());
        }
        members.add("tokenUrl", text_of(&way.token_url)?);
        members.maybe("tokenWithin", (!way.token_within.is_empty()).then(|| texts(&way.token_within)));
        let client = match way.client {
            ClientAuthentication::Basic => "basic",
            ClientAuthentication::Post => "post",
            ClientAuthentication::None => "none",
        };
        members.add("client", text(client));
        members.add("clientId", text_of(&way.client_id)?);
        members.maybe("clientSecret", way.client_secret.as_ref().map(&mut text_of).transpose()?);
        members.maybe("refreshToken", way.refresh_token.as_ref().map(&mut text_of).transpose()?);
        if !way.parameters.is_empty() {
            let parameters = self.writer.function(|writer| {
                let all = way.parameters.iter();
                let all = all.map(|(name, value)| Ok(member(name, writer.text(value, Place::Plain)?)));
                Ok(Expression::Object(all.collect::<Written<_>>()?))
            });
            members.add("parameters", parameters?);
        }
        let pointer = |pointer: &Pointer| text(&pointer.to_string());
        let mut token = Members::default();
        token.add("accessToken", pointer(&way.token.access_token));
        token.maybe("expiresIn", way.token.expires_in.as_ref().map(pointer));
        token.maybe("lifetimeSeconds", way.token.lifetime_seconds.map(number));
        token.maybe("refreshToken", way.token.refresh_token.as_ref().map(pointer));
        token.maybe("keep", (!way.token.keep.is_empty()).then(|| each(&way.token.keep, pointer)));
        members.add("token", token.object());
        let mut renew = Members::default();
        renew.maybe("beforeSeconds", way.renew.before_seconds.map(number));
        renew.maybe("onStatus", (!way.renew.on_status.is_empty()).then(|| statuses(&way.renew.on_status)));
        renew.maybe("repeated", (way.renew.repeated == Some(Repeated::Refused)).then(|| text("refused")));
        members.add("renew", renew.object());
        Ok(Expression::Lines(members.0))
    }

    /// Of several rates for everything the one that lets the least through counts; a delivery makes as many requests as its longest point.
    fn rates(&self, members: &mut Members) {
        let steps = self.manifest.points.points.iter().map(|(_, point)| match point {
            Point::Calls(calls) => calls.steps.len(),
            Point::Nothing(_) | Point::InBrowser(_) => 0,
        });
        let steps = u32::try_from(steps.max().unwrap_or_default()).unwrap_or(u32::MAX).max(1);
        let is_sandbox = self.service.system != System::Live;
        let rates = self.manifest.provider.rates.iter().map(|(_, rate)| rate);
        let counted = rates.filter(|rate| rate.everywhere && rate.of == Counted::Requests).map(|rate| {
            let limit = rate.sandbox_limit.filter(|_| is_sandbox).unwrap_or(rate.limit);
            ((limit / steps).max(1), rate.per_seconds)
        });
        let counted: Vec<(u32, Option<u32>)> = counted.collect();
        let at_once = counted.iter().filter(|(_, seconds)| seconds.is_none()).map(|(limit, _)| *limit).min();
        members.maybe("atOnce", at_once.map(number));
        let timed = counted.iter().filter_map(|(limit, seconds)| Some((*limit, seconds.as_ref()?.max(&1))));
        let least = timed.min_by_key(|(limit, seconds)| u64::from(*limit) * 1_000_000 / u64::from(**seconds));
        members.maybe(
            "budget",
            least.map(|(limit, seconds)| {
                Expression::Object(vec![
                    ("limit".to_owned(), number(limit)),
                    ("per".to_owned(), number(u64::from(*seconds) * 1000)),
                ])
            }),
        );
    }
}

fn word(characters: Characters) -> &'static str {
    match characters {
        Characters::Digits => "digits",
        Characters::Hex => "hex",
        Characters::Word => "word",
        Characters::Base64 => "base64",
        Characters::Pem => "pem",
    }
}

fn errors(errors: &Errors) -> Written<Expression> {
    let mut members = Members::default();
    members.maybe("code", errors.code.as_ref().map(|pointer| text(&pointer.to_string())));
    members.maybe("message", errors.message.as_ref().map(|pointer| text(&pointer.to_string())));
    members.maybe("requestIdHeader", errors.request_id_header.as_ref().map(|name| text(name)));
    members.add("rules", rules(&errors.rules)?);
    members.add("otherwise", text(errors.otherwise.as_str()));
    Ok(members.object())
}

fn wait(wait: &Wait) -> Expression {
    let mut members = Members::default();
    let headers = wait.headers.iter().map(|header| {
        let form = match header.holds {
            WaitForm::SecondsOrDate => "seconds_or_date",
            WaitForm::Seconds => "seconds",
            WaitForm::Milliseconds => "milliseconds",
            WaitForm::UnixSeconds => "unix_seconds",
        };
        Expression::Object(vec![("name".to_owned(), text(&header.name)), ("holds".to_owned(), text(form))])
    });
    members.maybe("headers", (!wait.headers.is_empty()).then(|| Expression::Array(headers.collect())));
    members.maybe("otherwiseSeconds", wait.otherwise_seconds.map(number));
    members.add("mostSeconds", number(wait.most_seconds));
    members.object()
}

pub(super) fn retry(retry: &Retry) -> Expression {
    let mut members = Members::default();
    members.add("attempts", number(retry.attempts));
    members.add("forHours", number(retry.for_hours));
    members.add("firstWait", number(retry.first_wait_ms));
    members.add("mostWaitSeconds", number(retry.most_wait_seconds));
    members.add("answerWithin", number(retry.answer_within_ms));
    members.object()
}
