//! Tensors, the buffer pool and automatic differentiation.
