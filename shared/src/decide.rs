//! The decision: edition, client facts, enrolments and a time in; a plan out.
