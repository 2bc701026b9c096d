//! What several rooms of Postigo speak of and none of them owns: plain data, without input or output.

pub mod actor;
pub mod answer_result;
pub mod claim;
pub mod classification;
pub mod communication;
pub mod component_reference;
pub mod configured;
pub mod guest;
pub mod hexadecimal;
pub mod job;
pub mod mailbox;
pub mod outgoing;
pub mod plan_version;
pub mod result;
pub mod role;
pub mod spool;
pub mod text;
pub mod ticket;
pub mod timestamp;
