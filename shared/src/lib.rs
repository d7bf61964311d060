//! Mulberry's pure core: bytes, facts and a time in; a verdict or a plan out.
//!
//! Nothing here opens a socket or a file, reads a clock, keeps a global or starts a thread. The server, the release
//! engineers' tool and the agent decide with this same code. The way in:
//!
//! | module | what |
//! |---|---|
//! | [`limits`] | every ceiling on bytes from outside, in one struct, each with its reason |
//! | [`json`] | strict, bounded JSON and its canonical form (what signatures cover) |
//! | [`digest`] | SHA-256 as a type |
//! | [`x509`] | certificates, distrust and path building for add-on signatures |
//! | [`xpi`] | inspection of one signed add-on, and its verdict |
//! | [`tuf`] | The Update Framework: keys, thresholds, the client workflow and signing; knows nothing of recipes |
//! | [`edition`] | what Mulberry publishes by it: lanes and gates, what a client keeps and refreshes, and how they are written |
//! | [`bundle`] | one edition in one file: for machines without a network, and for what a host ships |
//! | [`recipe`] | what to do, for whom, how widely, until when: source form and published form |
//! | [`version`], [`targeting`], [`sampling`] | whom a recipe reaches |
//! | [`gates`], [`approval`] | how far a published recipe is open now; a person's signature under one opening |
//! | [`enrolment`] | what a client applied |
//! | [`decide`] | edition, facts, enrolments and time in, a plan out; [`status`] is the closed list of outcomes |
//! | [`effects`], [`pass`], [`never_worse`] | what the enrolments mean for add-ons, which are enabled, and the check before any commit |
//! | [`clock`] | whether a client's clock is believed as far as add-ons may stop working by it |
//! | [`preflight`] | what a recipe would do to a corpus of add-ons, said before anybody signs it |
//! | [`proposal`] | a role's next metadata while people sign it, and what signing it would change |
//! | [`ledger`] | the ledger's records, its export, and the public chain of links that makes every agent a witness |
//! | [`ceremony`] | a change of keys, thresholds or expiries while people sign it: what it changes, and what it must never do |
//! | [`live`] | the live stream on which a server announces editions |
//! | [`operators`] | the messages of the operators' HTTP interface |
//! | [`instant`] | instants as people write them |
//! | [`nearest`] | the known word that a mistyped one was meant to be |
//! | [`text`] | which texts people are shown |
//! | [`outside`] | text from outside in what people read before they sign |
//! | [`explain`] | what each stable name means and what to do about it |
//! | [`proxy`] | which proxy of the environment leads to a host, and what its answers mean |
//! | [`exit`], [`answer`], [`rehearsal`] | habits all binaries share: exit codes, where answers go, a clock that starts elsewhere |

pub mod answer;
pub mod approval;
pub mod bundle;
pub mod ceremony;
pub mod clock;
pub mod decide;
pub mod digest;
pub mod edition;
pub mod effects;
pub mod enrolment;
pub mod exit;
pub mod explain;
pub mod gates;
#[cfg(test)]
mod hostile;
pub mod instant;
pub mod json;
pub mod ledger;
pub mod limits;
pub mod live;
pub mod nearest;
pub mod never_worse;
pub mod operators;
pub mod outside;
pub mod pass;
pub mod preflight;
pub mod proposal;
pub mod proxy;
mod quoted;
pub mod recipe;
pub mod rehearsal;
pub mod sampling;
pub mod status;
pub mod targeting;
pub mod text;
pub mod tuf;
pub mod version;
pub mod x509;
pub mod xpi;
