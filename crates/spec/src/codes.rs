//! The codes this crate reports. `IP0xx` is about the text and its documents, `IP1xx` about the task language.
//! Each has a page in `docs/errors/` and a case in `tests/cases/rejected/`.

use vocab::Code;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        $($(#[$doc])* pub const $name: Code = Code($code);)*

        /// Every code of this crate, in order.
        pub const ALL_CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    /// The text, or one of its documents, holds no task.
    EMPTY = "IP001";
    /// The text is not YAML.
    NOT_YAML = "IP002";
    /// A tab indents a line.
    TAB = "IP003";
    /// A field stands twice in one block.
    FIELD_TWICE = "IP004";
    /// The text is a template that still offers alternatives.
    TEMPLATE = "IP005";
    /// A line offers alternatives instead of one value.
    ALTERNATIVES = "IP006";
    /// The text exceeds a bound: size, documents, nesting, nodes, aliases, endpoints.
    BOUND_EXCEEDED = "IP007";
    /// A field's name is not text.
    FIELD_NAME_NOT_TEXT = "IP008";
    /// A YAML tag that tasks do not use.
    TAG = "IP009";
    /// An alias without its anchor.
    UNKNOWN_ALIAS = "IP010";
    /// A document that is not a block of fields.
    NOT_A_TASK = "IP011";

    /// A field that the block does not know.
    UNKNOWN_FIELD = "IP101";
    /// A field that the block must have.
    MISSING_FIELD = "IP102";
    /// A value of the wrong kind: text where a list belongs, a number where text belongs.
    WRONG_KIND = "IP103";
    /// A word that is not among those the field knows.
    UNKNOWN_WORD = "IP104";
    /// A text that is not a name.
    NOT_A_NAME = "IP105";
    /// `specifications` lacks the block that `task_type` names.
    BLOCK_MISSING = "IP106";
    /// `specifications` holds a block that `task_type` does not use.
    BLOCK_UNUSED = "IP107";
    /// An API without endpoints.
    NO_ENDPOINTS = "IP108";
    /// A path that cannot be served.
    NOT_A_PATH = "IP109";
    /// An endpoint that says nothing about authentication.
    AUTHENTICATION_UNSAID = "IP110";
    /// Two endpoints with one method and path.
    ENDPOINT_TWICE = "IP111";
    /// A rate limit that cannot be read.
    NOT_A_RATE_LIMIT = "IP112";
    /// A validation rule that cannot hold.
    NOT_A_RULE = "IP113";
    /// A list names one thing twice.
    LISTED_TWICE = "IP114";
    /// A task depends on itself.
    DEPENDS_ON_ITSELF = "IP115";
    /// Two documents of one text have the same `task_id`.
    TASK_ID_TWICE = "IP116";
    /// A list or block that needs at least one item.
    EMPTY_LIST = "IP117";
    /// Two things of one block have one name.
    NAMED_TWICE = "IP118";
    /// A name that the task does not declare: a table, a field.
    NOT_DECLARED = "IP119";
    /// A relationship that cannot be read.
    NOT_A_RELATIONSHIP = "IP120";
    /// Two fields of one block exclude each other.
    FIELDS_EXCLUDE = "IP122";
    /// A path or URL that cannot be used.
    NOT_A_LOCATION = "IP123";
    /// A secret stands in the task.
    SECRET_IN_TASK = "IP124";
    /// A reference to a value that cannot be read.
    NOT_A_REFERENCE = "IP125";
    /// A frequency that cannot be read.
    NOT_A_FREQUENCY = "IP126";
    /// A length of time that cannot be read.
    NOT_A_DURATION = "IP127";
    /// A known provider under a service type that is not its own.
    ANOTHER_SERVICE_TYPE = "IP128";
    /// A word for who may call an endpoint that cannot be read.
    NOT_AN_ACCESS = "IP129";
    /// A condition over rows that cannot be read.
    NOT_A_CONDITION = "IP130";
}
