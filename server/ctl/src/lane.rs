//! A lane, and the next version of it that people sign.
//!
//! | module | what |
//! |---|---|
//! | `base` | what is published now, verified as every agent verifies it |
//! | `wishes` | what somebody wishes to be published |
//! | `plan` | what changes by that, as a value |
//! | `draft` | the next version: made, judged, signed |
//! | `signers` | people's keys of the lane |
//! | `outcome` | what is live afterwards, and what comes next |

pub mod base;
pub mod draft;
pub mod outcome;
pub mod plan;
pub mod signers;
pub mod wishes;
