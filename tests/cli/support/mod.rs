//! What the tests stand on: a hermetic environment, runs of the program, roots with real tools.

mod desk;
mod distribution;
mod el9;
mod env;
mod gpg;
mod hello;
mod index_server;
mod mirror;
mod own_store;
mod postgresql;
mod process;
mod redact;
mod repository;
mod root;
mod run;
mod s3;
mod small;
mod ssh;
mod web;

pub(crate) use self::{
    desk::{Desk, PASSWORD, USER},
    distribution::{sha256, write_sdist, write_wheel},
    el9::{El9, TRACE},
    env::{TestEnv, repository},
    gpg::Gpg,
    hello::write_hello,
    mirror::{Mirror, Release, build_whois_once},
    own_store::{damage, forget, seeded_store},
    postgresql::{Postgresql, SOCKET_DIRECTORY},
    process::{OwnProgram, Started},
    redact::redact,
    repository::{Repository, company_key},
    root::{TestRoot, bind, helper, run_spec, scripts, systemd_refusal, test_output, test_root, test_root_of},
    run::Run,
    s3::{S3Server, SECRET},
    small::{GOOD_SETUP, SMALL, add_small_recipe},
    ssh::SshServer,
    web::WebServer,
};
