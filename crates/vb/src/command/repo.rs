//! `vb repo`: the commands of a package repository.

mod add;
mod care;
pub(crate) mod errors;
mod import;
mod init;
pub(crate) mod open;
mod pass;
mod serve;
pub(crate) mod show;
pub(crate) mod signers;

pub(crate) use self::{
    errors::state_error,
    open::{Opened, Purpose},
};
use crate::{
    arguments::{Place, Repo},
    exit::Exit,
    fatal::Fatal,
};

/// Runs the command.
pub(crate) fn run(place: &Place, command: &Repo) -> Result<Exit, Fatal> {
    match command {
        Repo::Init(arguments) => init::run(place, arguments),
        Repo::Add(arguments) => add::run(place, arguments),
        Repo::Import(arguments) => import::run(place, arguments),
        Repo::List(arguments) => show::list(place, arguments),
        Repo::History(arguments) => show::history(place, arguments),
        Repo::Verify(arguments) => care::verify(place, arguments),
        Repo::Promote(arguments) => pass::promote(place, arguments),
        Repo::Rollback(arguments) => pass::rollback(place, arguments),
        Repo::Remove(arguments) => pass::remove(place, arguments),
        Repo::Retain(arguments) => care::retain(place, arguments),
        Repo::Gc(arguments) => care::gc(place, arguments),
        Repo::Refresh(arguments) => care::refresh(place, arguments),
        Repo::Snapshot(arguments) => pass::snapshot(place, arguments),
        Repo::Restore(arguments) => pass::restore(place, arguments),
        Repo::Serve(arguments) => serve::run(place, arguments),
        Repo::ClientConfig(arguments) => show::client_config(place, arguments),
    }
}
