//! The API as a client sees it: requests go through the whole router, and every answer is held against the served
//! OpenAPI document.

mod access;
mod configured;
mod correspondence;
mod filed;
mod harness;
mod intake;
mod pages;
mod panics;
mod seed;
mod unreadable;
mod versions;
