//! Recognises mails that no human wrote to us: bounces, delivery reports, automatic replies and mailing lists.
