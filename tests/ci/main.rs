//! The workflow that `tollgate ci init` writes, step by step as GitHub Actions would run it: every `run:` in order, against
//! real databases, a server that stands for GitHub's API, and one that stands for Slack.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod comment;
mod events;
mod flow;
mod hub;
mod init;
mod workflow;
