//! The waiting against a scripted machine.
