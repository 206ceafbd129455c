//! The codes this crate reports, `IP2xx`: the task is well formed and cannot be planned all the same.

use vocab::Code;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        $($(#[$doc])* pub const $name: Code = Code($code);)*

        /// Every code of this crate, in order.
        pub const ALL_CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    /// The provider is part of the language, and nobody has described it yet.
    PROVIDER_NOT_DESCRIBED = "IP201";
    /// The API type is part of the language and not of this build.
    API_TYPE_NOT_BUILT = "IP202";
    /// No rule tells what the endpoint does.
    NOT_INFERRED = "IP204";
    /// An override or a rule is part of the language and not of this build.
    OVERRIDE_NOT_BUILT = "IP205";
    /// A limit counts by something that the endpoint does not know.
    LIMIT_WITHOUT_SUBJECT = "IP207";
    /// A table that is there differs from what the task needs.
    TABLE_DIFFERS = "IP208";
    /// A change of a table that no statement can make.
    CHANGE_REFUSED = "IP209";
    /// A field would keep a secret in the clear.
    SECRET_FIELD = "IP210";
    /// `behavior` names none that is known.
    UNKNOWN_BEHAVIOR = "IP220";
    /// A behaviour does not fit the method, the path or what it works on.
    BEHAVIOR_DOES_NOT_FIT = "IP221";
    /// `access` contradicts `authentication`.
    ACCESS_CONTRADICTS = "IP222";
    /// An override says something of an endpoint that cannot have it.
    OVERRIDE_WITHOUT_MEANING = "IP223";
    /// The server itself answers the path.
    PATH_TAKEN = "IP224";
    /// An event would hold one field as two types.
    EVENT_DIFFERS = "IP225";
    /// A rule does not fit its field.
    RULE_DOES_NOT_FIT = "IP226";
    /// A part of a database task is part of the language and not of this build.
    DATABASE_PART_NOT_BUILT = "IP230";
    /// A rule or a reference names a column that its table does not have.
    UNKNOWN_COLUMN = "IP231";
    /// A rule of a table that no row, or no statement, could hold to.
    CANNOT_HOLD = "IP232";
    /// A name that something else has.
    NAME_TAKEN = "IP233";
    /// More than the engine can hold.
    ENGINE_LIMIT = "IP234";
    /// A change that would lose something, which nobody has allowed.
    DATA_WOULD_BE_LOST = "IP236";
    /// Something is gone and something like it is new: it may have been renamed.
    PERHAPS_RENAMED = "IP237";
    /// A table of a database task that no API can be made of.
    TABLE_NOT_SERVED = "IP246";
    /// A role that the engine has not, or that contradicts itself.
    ROLE_CANNOT_BE = "IP248";
    /// How the rows of one table belong together is neither said nor known.
    KIND_UNSAID = "IP251";
    /// `provision` asks for a server, and the engine has none.
    NO_SERVER_TO_PROVISION = "IP252";
    /// A condition over rows asks what these rows, or these callers, do not have.
    CONDITION_DOES_NOT_FIT = "IP312";
    /// A service is to be told a field of which nobody knows what it is there.
    FIELD_NOT_TAKEN = "IP313";
    /// A service is to be told at times, which is not built.
    FREQUENCY_NOT_BUILT = "IP314";
    /// Who calls an endpoint of an API for senders, or how that is proved, is not said.
    CALLS_UNSAID = "IP315";
    /// A budget of plans on an engine that is not asked for estimates.
    NOTHING_ESTIMATED = "IP310";
    /// Reads are to go to replicas of an engine where they do not.
    NO_REPLICAS = "IP311";
    /// Nobody takes the payments of a checkout, or it is open who does.
    NOBODY_TAKES_PAYMENTS = "IP275";
    /// A checkout has nothing to sell, or is asked for what it does not take.
    CANNOT_SELL = "IP276";
    /// Nobody of the table of users could sign in.
    USERS_DO_NOT_FIT = "IP290";
    /// An endpoint works for its caller, and asks nobody who calls.
    NOBODY_CALLS = "IP291";
    /// Whose a record is cannot be told.
    OWNER_UNSAID = "IP292";
    /// An endpoint works on accounts of others, and everybody may call it.
    ACCOUNTS_OPEN = "IP296";
    /// Subscribers are offered what is no event of the API, or nothing says who they are.
    SUBSCRIBERS_DO_NOT_FIT = "IP374";
    /// Whoever is to be told how an integration stands cannot be.
    ALERTS_DO_NOT_FIT = "IP375";
    /// Endpoints or a service would stand on documents, which is not built.
    STANDS_ON_DOCUMENTS = "IP380";
    /// Backups that contradict themselves.
    BACKUPS_CONTRADICT = "IP381";
}
