//! Who is in a percentage: Normandy's buckets.
