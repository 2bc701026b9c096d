//! What every listener needs against clients that come in crowds, say nothing, or drip: places for them, descriptors
//! that they cannot take from the rest of the daemon, and room for what they send.

mod acceptance;
mod budget;
mod descriptors;
mod figures;
mod origin;
mod pace;
mod places;
mod seldom;
mod taken;

pub use acceptance::Acceptance;
pub use budget::{IntakeBudget, IntakeReservation, ReservedBytes};
pub use descriptors::Descriptors;
pub use figures::{CloseReason, ListenerFigures};
pub use origin::{Origin, network};
pub use pace::IncomingMessage;
pub use places::{ClientPlace, ConnectionLimits, Places, ServedClient};
pub use seldom::Seldom;
