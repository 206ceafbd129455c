//! What can go wrong with a service: a plan comes in, and what is seen then, why, and the command that mends it goes out. One list for
//! the guide that is written, the failures that are told and the tests that bring each of them about. It shows no secret.

use crate::service::{ServicePlan, ValueSource};
use manifest::webhook::Registration;

/// Something that goes wrong with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody has given a credential.
    CredentialsMissing,
    /// The provider does not take the credentials.
    CredentialsRefused,
    /// It takes them, and refuses what they are tried with.
    CheckRefused,
    /// It asks to wait.
    RateLimited,
    /// It does not answer as it should.
    ServiceUnavailable,
    /// It was not to be told where its calls go.
    NotTold,
    /// A call that comes in is not known to be its own.
    CallUnproved,
    /// What it was to be told was given up.
    GivenUp,
    /// No endpoint tells of an event that it is to hear.
    NobodyEmits,
    /// An event lacks what it must be told.
    EventLacks,
}

impl Trouble {
    /// Everything that is known to go wrong.
    pub const ALL: [Self; 10] = [
        Self::CredentialsMissing,
        Self::CredentialsRefused,
        Self::CheckRefused,
        Self::RateLimited,
        Self::ServiceUnavailable,
        Self::NotTold,
        Self::CallUnproved,
        Self::GivenUp,
        Self::NobodyEmits,
        Self::EventLacks,
    ];

    /// The public kind of failure, where a task fails of it.
    #[must_use]
    pub fn kind(self) -> Option<&'static str> {
        match self {
            Self::CredentialsMissing | Self::CredentialsRefused | Self::CheckRefused => {
                Some("integration.authentication")
            }
            Self::RateLimited | Self::ServiceUnavailable => Some("integration.service_unavailable"),
            Self::NotTold => Some("integration.webhook_delivery"),
            Self::CallUnproved | Self::GivenUp | Self::NobodyEmits | Self::EventLacks => None,
        }
    }

    /// The word by which it is told apart, where it is told: in a response, in a problem, as the state of a delivery.
    #[must_use]
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::CredentialsMissing => Some("credentials_missing"),
            Self::CredentialsRefused => Some("credentials_refused"),
            Self::CheckRefused => Some("check_refused"),
            Self::RateLimited => Some("rate_limited"),
            Self::ServiceUnavailable => Some("service_unavailable"),
            Self::CallUnproved => Some("invalid-signature"),
            Self::GivenUp => Some("dead"),
            Self::NotTold | Self::NobodyEmits | Self::EventLacks => None,
        }
    }

    /// Whether it can go wrong with this service.
    #[must_use]
    pub fn concerns(self, plan: &ServicePlan) -> bool {
        let registration = plan.manifest.webhooks.as_ref().map(|webhooks| &webhooks.registration);
        match self {
            Self::CredentialsMissing | Self::CredentialsRefused | Self::CheckRefused => !plan.account.is_empty(),
            Self::RateLimited | Self::ServiceUnavailable => true,
            Self::NotTold => matches!(registration, Some(Registration::ThroughApi(_))),
            Self::CallUnproved => plan.intake.is_some(),
            Self::GivenUp | Self::NobodyEmits | Self::EventLacks => !plan.listens.is_empty(),
        }
    }

    /// What somebody sees.
    #[must_use]
    pub fn seen(self) -> String {
        match (self, self.kind(), self.code()) {
            (Self::CallUnproved, ..) => "a call is answered 401 `invalid-signature`".to_owned(),
            (Self::GivenUp, ..) => "`producer deliveries list` shows one as `dead`".to_owned(),
            (Self::NobodyEmits, ..) => "the warning that nothing in this workspace emits an event".to_owned(),
            (Self::EventLacks, ..) => "the warning that an event does not say a field".to_owned(),
            (_, Some(kind), Some(code)) => format!("`{kind}`, `{code}`"),
            (_, Some(word), None) | (_, None, Some(word)) => format!("`{word}`"),
            (_, None, None) => String::new(),
        }
    }

    /// Why.
    #[must_use]
    pub fn cause(self, plan: &ServicePlan) -> String {
        let title = &plan.manifest.provider.title;
        match self {
            Self::CredentialsMissing => "a credential is not there, or cannot be one by its form".to_owned(),
            Self::CredentialsRefused => {
                format!("{title} was asked and does not take them: revoked, mistyped, or of the other system")
            }
            Self::CheckRefused => format!("{title} knows the credential, and it may not do that"),
            Self::RateLimited => format!("{title} asks to wait; nothing was changed"),
            Self::ServiceUnavailable => format!("{title} did not answer as it should; nothing was changed"),
            Self::NotTold => format!("{title} takes the credentials, and was not to be told where its calls go"),
            Self::CallUnproved => {
                "it is signed with another secret than ours, long ago, or by somebody else; the log says which"
                    .to_owned()
            }
            Self::GivenUp => format!("{title} refused it, or was not to be reached for too long"),
            Self::NobodyEmits => "no endpoint tells of it".to_owned(),
            Self::EventLacks => format!("the endpoint's event lacks what {title} must be given"),
        }
    }

    /// What to do.
    #[must_use]
    pub fn mend(self, plan: &ServicePlan) -> String {
        let again = "run the task again";
        match self {
            Self::CredentialsMissing | Self::CredentialsRefused => format!("{}; {again}", given(plan)),
            Self::CheckRefused => {
                let name = &plan.manifest.provider.provider;
                format!("see what it may do, or {}; `producer providers verify {name}` tries it", given(plan))
            }
            Self::RateLimited | Self::ServiceUnavailable => format!("{again} later: it goes on where it stopped"),
            Self::NotTold => {
                format!("see that `public_url` in `producer.toml` can be reached from there; {again}, or `producer status`")
            }
            Self::CallUnproved => {
                let secret = plan.manifest.provider.webhook_secret();
                format!("`producer secrets set {secret}` with the secret that stands there, or set the clock")
            }
            Self::GivenUp => {
                "`producer deliveries list --state dead`, `producer deliveries show ID` says why, `producer deliveries replay ID` tries again"
                    .to_owned()
            }
            Self::NobodyEmits => "add `emits: [EVENT]` to the endpoint that should tell; run its task again".to_owned(),
            Self::EventLacks => "add the field to the endpoint's `validation`; run its task again".to_owned(),
        }
    }
}

/// How credentials are given.
fn given(plan: &ServicePlan) -> String {
    let ways = plan.account.iter().filter_map(|value| match &value.from {
        ValueSource::Secret(name) => Some(format!("`producer secrets set {name}`")),
        ValueSource::Environment(name) => Some(format!("set the environment variable `{name}`")),
        ValueSource::Plain(_) | ValueSource::Default => None,
    });
    let agreed = plan.manifest.provider.consent().map(|_| format!("`producer secrets connect {}`", plan.task_id));
    let ways: Vec<String> = agreed.into_iter().chain(ways).collect();
    if ways.is_empty() { "give it in the task, under `credentials`".to_owned() } else { ways.join(", ") }
}
