//! `proc undo`: what `kill`, `stop` and `free` ended can be started again. Before an act it is
//! noted what is needed for that ([`Witness`]), after it the note is kept in a file ([`Store`]),
//! and later that file is read and carried out ([`restore`]). Ending anything is
//! [`crate::act`]'s.

mod inverse;
mod record;
mod restore;
mod store;
mod tell;
mod witness;

pub use inverse::inverse;
pub use record::{Act, Again, Bytes, Ended, FORMAT, FileMark, Held, Item, Stream, What};
pub use restore::{Here, RestoreRequest, restore, restore_here};
pub use store::{KEPT, Store, StoreError, state_directory};
pub use tell::act_report;
pub use witness::Witness;
