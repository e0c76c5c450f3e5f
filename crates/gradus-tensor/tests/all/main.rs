//! The ops against PyTorch, against central differences, and at their edges.

#[cfg(test)]
mod attention;
#[cfg(test)]
mod blocks;
#[cfg(test)]
mod edges;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod golden_file;
#[cfg(test)]
mod gradients;
#[cfg(test)]
mod linear_bf16;
#[cfg(test)]
mod quantized_linear;
#[cfg(test)]
mod transformer_ops;
