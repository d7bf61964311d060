//! Certificates, distrust and path building for add-on signatures.
