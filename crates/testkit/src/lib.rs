//! Test actors.
