//! The classic postmaster filter: headers matched by regular expressions, `X-OTOBO-*` headers set.
