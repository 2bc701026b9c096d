//! The chain: all valid filters by name in byte order, with stop-after-match.
