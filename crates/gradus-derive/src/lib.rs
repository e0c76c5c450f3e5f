//! The derive macro behind gradus-nn's Module trait.
