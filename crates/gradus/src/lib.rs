//! The gradus library facade and command.
