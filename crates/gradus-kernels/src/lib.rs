//! Numeric loops over slices and the thread pool that runs them.
