//! What the active enrolments mean for add-on verification: installed certificates, distrust, hold.
