//! Reverse-mode differentiation.
//!
//! An op that sees a tracked input records a [`Node`]: a closure from the gradient of its output to the gradients of
//! its inputs, and an edge to each input. [`Tensor::backward`] walks the nodes from newest to oldest; a node's id is
//! larger than those of its inputs, so every node has received all its gradient when its turn comes, and the order
//! of additions is fixed by the program alone.
//!
//! Closures capture detached tensors only, so a graph holds no cycles. A backward pass frees the closures as it
//! goes: their saved tensors return to the buffer pool, and parameters are unshared again when the optimiser comes to
//! update them in place. Gradients of gradients are not recorded.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gradus_kernels::binary::add_assign;
use gradus_kernels::real::Real;
use smallvec::SmallVec;

use crate::dispatch::for_real;
use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::row_gradient::RowPlace;
use crate::tensor::Tensor;

/// The gradient of each input; `None` where none was asked for or none exists.
pub(crate) type Grads = SmallVec<[Option<Tensor>; 4]>;

/// Which inputs want a gradient, in order.
pub(crate) type Needs = SmallVec<[bool; 4]>;

type BackwardFn = Box<dyn Fn(&Tensor, &[bool]) -> Result<Grads> + Send + Sync>;

/// How a node turns the gradient of its output into those of its inputs.
enum Backward {
    /// Into tensors of the inputs' shapes.
    Dense(BackwardFn),
    /// Into some rows of its only input, the gradient's other rows being zero: a large embedding table is not written,
    /// nor added up, for the few rows that a batch uses.
    Rows(RowPlace),
}

/// What stands before a tracked tensor.
#[derive(Clone)]
pub(crate) enum Edge {
    /// A value that gradients are wanted for.
    Leaf(Arc<Leaf>),
    /// The op that made the tensor.
    Node(Arc<Node>),
}

/// Where the gradient of a leaf gathers.
#[derive(Default)]
pub(crate) struct Leaf {
    grad: Mutex<Option<Tensor>>,
}

impl Leaf {
    pub(crate) fn grad(&self) -> Option<Tensor> {
        self.lock().clone()
    }

    pub(crate) fn take_grad(&self) -> Option<Tensor> {
        self.lock().take()
    }

    pub(crate) fn set_grad(&self, grad: Option<Tensor>) {
        *self.lock() = grad;
    }

    fn accumulate(&self, d_value: Tensor) -> Result<()> {
        let mut slot = self.lock();
        *slot = Some(match slot.take() {
            None => d_value.contiguous()?,
            Some(sum) => add_into(sum, d_value)?,
        });
        Ok(())
    }

    fn accumulate_rows(&self, place: &RowPlace, rows: &Tensor) -> Result<()> {
        let mut slot = self.lock();
        *slot = Some(place.add_to(slot.take(), rows)?);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Tensor>> {
        // The slot holds a whole tensor or none; a panic cannot leave it between the two.
        self.grad.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One recorded op.
pub(crate) struct Node {
    id: u64,
    op: &'static str,
    /// `None` once a backward pass has freed it.
    backward: Mutex<Option<Backward>>,
    inputs: SmallVec<[Option<Edge>; 4]>,
}

impl Drop for Node {
    /// Frees what only this node holds on to one by one: a chain of nodes dropped by recursion, as the compiler would
    /// do it, overflows the stack at some ten thousand ops.
    fn drop(&mut self) {
        let mut pending = std::mem::take(&mut self.inputs);
        while let Some(edge) = pending.pop() {
            if let Some(Edge::Node(node)) = edge
                && let Some(mut node) = Arc::into_inner(node)
            {
                pending.append(&mut node.inputs);
            }
        }
    }
}

static NEXT_NODE_ID: AtomicU64 = AtomicU64::new(0);

/// Attaches `output` to the graph when gradients are enabled and an input is tracked.
///
/// `backward` receives the gradient of the output and which inputs need theirs, and returns one gradient per input.
/// It must capture detached tensors only.
pub(crate) fn record(
    op: &'static str,
    output: Tensor,
    inputs: &[&Tensor],
    backward: impl Fn(&Tensor, &[bool]) -> Result<Grads> + Send + Sync + 'static,
) -> Tensor {
    if !needs_graph(inputs) {
        return output;
    }
    record_always(op, output, inputs, backward)
}

/// As [`record`], whatever the inputs are: for ops whose backward reaches leaves that are no inputs.
pub(crate) fn record_always(
    op: &'static str,
    output: Tensor,
    inputs: &[&Tensor],
    backward: impl Fn(&Tensor, &[bool]) -> Result<Grads> + Send + Sync + 'static,
) -> Tensor {
    attach(op, output, inputs, Backward::Dense(Box::new(backward)))
}

/// Attaches rows taken from `table` to the graph, as [`record`] does. The output's elements are those of the rows in
/// order, of a real type (not half).
pub(crate) fn record_rows(op: &'static str, output: Tensor, table: &Tensor, place: RowPlace) -> Tensor {
    match needs_graph(&[table]) {
        true => attach(op, output, &[table], Backward::Rows(place)),
        false => output,
    }
}

fn attach(op: &'static str, output: Tensor, inputs: &[&Tensor], backward: Backward) -> Tensor {
    let node = Node {
        id: NEXT_NODE_ID.fetch_add(1, Ordering::Relaxed),
        op,
        backward: Mutex::new(Some(backward)),
        inputs: inputs.iter().map(|input| input.edge().cloned()).collect(),
    };
    output.with_edge(Edge::Node(Arc::new(node)))
}

/// Whether an op on these inputs is recorded: ops that save more for their backward ask this first.
pub(crate) fn needs_graph(inputs: &[&Tensor]) -> bool {
    grad_enabled() && inputs.iter().any(|input| input.is_tracked())
}

/// For ops without a gradient: an error when one would be lost silently.
pub(crate) fn refuse_tracked(op: &'static str, inputs: &[&Tensor]) -> Result<()> {
    if needs_graph(inputs) {
        Err(Error::NoGradient { op })
    } else {
        Ok(())
    }
}

impl Tensor {
    /// Adds the gradient of this scalar with respect to each tracked leaf to that leaf, and frees the graph.
    ///
    /// # Errors
    /// [`Error::NotScalar`] for more than one element, [`Error::NotTracked`] when nothing was recorded,
    /// [`Error::GraphFreed`] on a second call.
    pub fn backward(&self) -> Result<()> {
        if self.numel() != 1 {
            return Err(Error::NotScalar {
                shape: self.shape().to_vec(),
            });
        }
        self.backward_with(&Tensor::ones(self.shape(), self.dtype()))
    }

    /// As [`backward`](Tensor::backward), from the gradient `d_self` of some later scalar with respect to this tensor.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] or [`Error::DTypeMismatch`] when `d_self` is not like this tensor;
    /// [`Error::NotTracked`], [`Error::GraphFreed`].
    pub fn backward_with(&self, d_self: &Tensor) -> Result<()> {
        if d_self.shape() != self.shape() {
            let (lhs, rhs) = (self.shape().to_vec(), d_self.shape().to_vec());
            let rule = "a gradient has the shape of its value";
            return Err(Error::ShapeMismatch {
                op: "backward_with",
                lhs,
                rhs,
                rule,
            });
        }
        if d_self.dtype() != self.dtype() {
            return Err(Error::DTypeMismatch {
                op: "backward_with",
                lhs: self.dtype(),
                rhs: d_self.dtype(),
            });
        }
        let edge = self.edge().ok_or(Error::NotTracked)?;
        let _no_grad = no_grad();
        let mut pending = Pending::default();
        pending.deliver(edge, d_self.detach())?;
        while let Some((_, (node, d_output))) = pending.nodes.pop_last() {
            pending.step_through(&node, &d_output)?;
        }
        Ok(())
    }
}

/// Nodes that have received some gradient and await their turn, by id.
#[derive(Default)]
struct Pending {
    nodes: BTreeMap<u64, (Arc<Node>, Tensor)>,
}

impl Pending {
    fn deliver(&mut self, edge: &Edge, d_value: Tensor) -> Result<()> {
        match edge {
            Edge::Leaf(leaf) => leaf.accumulate(d_value)?,
            Edge::Node(node) => {
                let sum = match self.nodes.remove(&node.id) {
                    None => d_value,
                    Some((_, sum)) => add_into(sum, d_value)?,
                };
                self.nodes.insert(node.id, (node.clone(), sum));
            }
        }
        Ok(())
    }

    fn deliver_rows(&mut self, edge: &Edge, place: &RowPlace, rows: &Tensor) -> Result<()> {
        match edge {
            Edge::Leaf(leaf) => leaf.accumulate_rows(place, rows),
            Edge::Node(node) => {
                let sum = self.nodes.remove(&node.id).map(|(_, sum)| sum);
                let sum = place.add_to(sum, rows)?;
                self.nodes.insert(node.id, (node.clone(), sum));
                Ok(())
            }
        }
    }

    fn step_through(&mut self, node: &Node, d_output: &Tensor) -> Result<()> {
        let backward = node
            .backward
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let backward = backward.ok_or(Error::GraphFreed { op: node.op })?;
        let backward = match backward {
            Backward::Dense(backward) => backward,
            Backward::Rows(place) => {
                return match &node.inputs[0] {
                    Some(edge) => self.deliver_rows(edge, &place, d_output),
                    None => Ok(()),
                };
            }
        };
        let needs: Needs = node.inputs.iter().map(Option::is_some).collect();
        let grads = backward(d_output, &needs)?;
        debug_assert_eq!(
            grads.len(),
            node.inputs.len(),
            "bug: {} returned too few gradients",
            node.op
        );
        for (edge, grad) in node.inputs.iter().zip(grads) {
            if let (Some(edge), Some(grad)) = (edge, grad) {
                self.deliver(edge, grad)?;
            }
        }
        Ok(())
    }
}

/// `sum + term`, in place when nobody else holds one of them.
fn add_into(mut sum: Tensor, mut term: Tensor) -> Result<Tensor> {
    fn added<T: Element + Real>(sum: &mut Tensor, term: &Tensor) -> Result<bool> {
        let Some(total) = sum.unshared_mut::<T>() else {
            return Ok(false);
        };
        add_assign(total, term.contiguous()?.as_slice::<T>()?);
        Ok(true)
    }
    let both_real = sum.dtype() == term.dtype() && !sum.dtype().is_half();
    if both_real && for_real!("add gradients", sum.dtype(), T => added::<T>(&mut sum, &term))? {
        return Ok(sum);
    }
    // The addition commutes to the bit, so the other one may take the sum.
    if both_real && for_real!("add gradients", sum.dtype(), T => added::<T>(&mut term, &sum))? {
        return Ok(term);
    }
    sum.add(&term)
}

thread_local! {
    static GRAD_ENABLED: Cell<bool> = const { Cell::new(true) };
}

/// Whether ops on tracked tensors are recorded on this thread.
pub fn grad_enabled() -> bool {
    GRAD_ENABLED.get()
}

/// Stops recording on this thread until the guard is dropped: for inference and for updates.
///
/// ```
/// use gradus_tensor::{Tensor, no_grad};
/// let x = Tensor::scalar(2.0f32).with_grad()?;
/// let _guard = no_grad();
/// assert!(!x.mul(&x)?.is_tracked());
/// # Ok::<(), gradus_tensor::Error>(())
/// ```
pub fn no_grad() -> NoGradGuard {
    NoGradGuard {
        before: GRAD_ENABLED.replace(false),
        _not_send: std::marker::PhantomData,
    }
}

/// Resumes recording on this thread until the guard is dropped, inside of a backward pass.
pub(crate) fn recording() -> NoGradGuard {
    NoGradGuard {
        before: GRAD_ENABLED.replace(true),
        _not_send: std::marker::PhantomData,
    }
}

/// Restores recording to what it was when dropped; see [`no_grad`].
#[must_use = "recording resumes as soon as the guard is dropped"]
pub struct NoGradGuard {
    before: bool,
    /// The switch belongs to the thread, so the guard must stay on it.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl Drop for NoGradGuard {
    fn drop(&mut self) {
        GRAD_ENABLED.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_chain_is_differentiated_and_dropped_without_recursion() {
        let x = Tensor::scalar(1.0f32).with_grad().unwrap();
        let chain = |ops: usize| (0..ops).fold(x.clone(), |y, _| y.add_scalar(1.0).unwrap());
        drop(chain(100_000));
        chain(100_000).backward().unwrap();
        assert_eq!(x.grad().unwrap().item::<f32>().unwrap(), 1.0);
    }
}
