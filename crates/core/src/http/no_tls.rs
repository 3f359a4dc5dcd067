//! What stands for TLS in a build without it.

use super::HttpError;
use super::line::Line;

/// Whether this build speaks TLS.
pub(super) const SPOKEN: bool = false;

/// Refuses.
pub(super) fn over<'a>(_: Line<'a>, _: &str) -> Result<Line<'a>, HttpError> {
    Err(HttpError::NoTlsHere)
}
