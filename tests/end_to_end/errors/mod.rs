//! What goes wrong, as users see it: what happened and where, what state the database is in, what to do next.

mod connection;
mod execution;
mod folder;
mod ledger;
mod locked;
mod plugin;
mod script;
