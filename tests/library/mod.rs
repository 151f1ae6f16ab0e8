//! What the library promises to another program.

mod migrations;
mod own_application;
mod own_locks;
mod public_api;
