//! What every listener needs against clients that come in crowds, say nothing, or drip: places for them, descriptors
//! that they cannot take from the rest of the daemon, and room for what they send.

mod acceptance;
mod descriptors;
mod figures;
mod origin;
mod pace;
mod places;
mod room;
mod seldom;
mod taken;

pub use acceptance::Acceptance;
pub use descriptors::Descriptors;
pub use figures::{Figures, Refusal};
pub use origin::{Origin, network};
pub use pace::Bringing;
pub use places::{Most, Place, Places, Served};
pub use room::{Held, Room, Share};
pub use seldom::Seldom;
