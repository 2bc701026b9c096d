//! The rows of OAuth2: tokens of accounts and transports, and sign-ins under way. What they mean stands in
//! [`crate::oauth2`].

mod sign_ins;
mod tokens;

pub use sign_ins::{NewSignIn, SignInRow, SignInStatus, begin, find_sign_in, finish, latest, take};
pub use tokens::{
    ErrorRow, NewTokens, OAuth2TokenRow, ProviderRefusal, RenewedTokens, all, bind, claim, failed, find, forget,
    forget_access, forget_tokens, release, renewed, signed_in,
};

/// Whose: the kind (`account`, `transport`) and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenOwner {
    /// `account` or `transport`.
    pub kind: String,
    /// Its name.
    pub name: String,
}
