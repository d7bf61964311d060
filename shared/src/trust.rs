//! The Update Framework: keys, thresholds, client workflow, editions, and the writing side.
