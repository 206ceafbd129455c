//! What is spoken with providers. So far: how a call that comes in is known to be a provider's. Bytes and headers come in, a yes or the
//! reason of a no goes out; no secret is ever part of a reason.

pub mod fill;
pub mod signature;
