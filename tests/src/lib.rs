//! Mulberry's laboratory: a PKI, an add-on signer, the incident replay and the journeys.
//!
//! Every fixture of the test suites has a maker here, so no opaque signed file needs to be kept in the repository.
//!
//! | module | what |
//! |---|---|
//! | [`pki`] | keys made once a run, certificates of every shape the field has, and the certificates of the incident |
//! | [`xpi_signer`] | signed add-ons, right or wrong in one named way |
//! | [`mod@oracle`] | add-ons of every shape, judged by our verifier and by a real Firefox |
//! | [`corpus`] | many add-ons in groups, with the verdicts to expect |
//! | [`real`] | where the real material lies that is not part of the repository |
//! | [`binaries`], [`process`] | the three binaries, built in this process's own profile, and running them |
//! | [`nginx`] | an nginx of our own, for a cache and for comparing |
//! | [`python_tuf`] | the reference implementation of TUF, installed beside the build; and what drives a Firefox |
//! | [`stage`] | a whole Mulberry on this machine: authority, server and agents as real processes |
//! | [`forge`] | a repository whose maker holds every key, and signs anything, right or wrong |
//! | [`hostile_origin`] | an origin that serves a recorded edition, well or damaged in one named way |
//! | [`relay`] | between an agent and its origin: what a poll weighs |
//! | [`replay`] | the incident of May 2019 on that stage |
//! | [`kills`] | `kill -9` of servers and agents on that stage, at every stage of their work |
//! | [`mutate`] | a great many mutations of valid metadata, through a client |
//! | [`mod@bench`] | how fast it is, as ratios to doing the least that must be done, and to nginx |
//! | [`page`] | pages of documentation that tests play |
//! | [`commands`] | the command line of `mulberry-lab` |

pub mod bench;
pub mod binaries;
pub mod commands;
pub mod corpus;
mod error;
pub mod forge;
pub mod hostile_origin;
pub mod kills;
pub mod mutate;
pub mod nginx;
pub mod oracle;
pub mod page;
pub mod pki;
pub mod process;
pub mod python_tuf;
pub mod real;
pub mod relay;
pub mod replay;
pub mod stage;
pub mod xpi_signer;

pub use error::LabError;
