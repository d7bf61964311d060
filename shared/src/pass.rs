//! Which add-ons a verification pass enables or disables.
