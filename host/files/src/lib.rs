//! Files of this machine, opened so that nobody leads the daemon elsewhere: regular files only, within bounds, and
//! folders that others cannot read.

pub mod data_folder;
pub mod given_folder;
pub mod regular_file;
