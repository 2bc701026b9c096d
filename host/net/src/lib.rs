//! What all protocols share: connections, TLS, signing in, a server's words without secrets, and what listeners need
//! against crowds.

pub mod credentials;
pub mod listen;
pub mod pem;
pub mod redaction;
pub mod sasl;
mod silence;
mod stream;
pub mod tls;
pub mod waiting;
pub mod words;

pub use silence::greeted;
pub use stream::{ConnectError, Stream};
