//! The codes this crate reports: a data file that a workspace brings itself is wrong.

use vocab::Code;

/// A file of the workspace's own entities or relations cannot be used.
pub const OWN_FILE_WRONG: Code = Code("IP245");

/// A template of a mail cannot be used.
pub const MAIL_FILE_WRONG: Code = Code("IP280");

/// Every code about a workspace's own entities, relations and mails.
pub const ALL_CODES: &[Code] = &[OWN_FILE_WRONG, MAIL_FILE_WRONG];

/// A file of a provider cannot be read.
pub const PROVIDER_FILE_WRONG: Code = Code("IP260");
/// A value in a provider's file that there is not.
pub const PROVIDER_REFERENCE: Code = Code("IP261");
/// A name in a provider's file that nothing has.
pub const PROVIDER_NAME: Code = Code("IP262");
/// A value of one kind in a provider's file where another is asked for.
pub const PROVIDER_KIND: Code = Code("IP263");
/// A value that a provider's file would handle less carefully than it has to be.
pub const PROVIDER_PRIVACY: Code = Code("IP264");
/// Parts of a provider's files that cannot hold.
pub const PROVIDER_CONTRADICTION: Code = Code("IP265");
/// A provider's folder is not what it should be.
pub const PROVIDER_FOLDER_WRONG: Code = Code("IP266");
/// A case of a provider that comes to something else than it says.
pub const PROVIDER_CASE: Code = Code("IP270");

/// Every code about providers.
pub const PROVIDER_CODES: &[Code] = &[
    PROVIDER_FILE_WRONG,
    PROVIDER_REFERENCE,
    PROVIDER_NAME,
    PROVIDER_KIND,
    PROVIDER_PRIVACY,
    PROVIDER_CONTRADICTION,
    PROVIDER_FOLDER_WRONG,
    PROVIDER_CASE,
];
