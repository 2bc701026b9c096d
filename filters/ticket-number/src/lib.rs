//! Finds the ticket numbers of other systems in subject and body.
