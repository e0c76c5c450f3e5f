//! The tree of parameters, buffers and modes that a model is.

use std::marker::PhantomData;
use std::sync::Arc;

use gradus_tensor::{Parameter, Tensor};

use crate::buffer::Buffer;
use crate::error::Result;
use crate::mode::Mode;
use crate::state_dict;

/// Something that holds parameters, buffers and other modules.
///
/// `#[derive(Module)]` on a struct with named fields makes each field a child named after it. Containers (`Vec`,
/// arrays, `Option`, `Box`, `Arc`) of modules are modules; so are numbers, strings and flags, with nothing in them, so
/// a model's settings may stand among its layers. Any other field is marked `#[module(skip)]`:
///
/// ```
/// use gradus_nn::{Linear, Module};
/// use gradus_tensor::Rng;
///
/// #[derive(Module)]
/// struct Net {
///     layers: Vec<Linear>,
///     dropout: f64,
///     #[module(skip)]
///     started: std::time::Instant,
/// }
///
/// let rng = &mut Rng::seed_from(0);
/// let layers = vec![Linear::new(4, 3, rng), Linear::new(3, 2, rng)];
/// let net = Net { layers, dropout: 0.1, started: std::time::Instant::now() };
/// let names: Vec<String> = net.named_parameters().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]);
/// ```
///
/// A tensor is not a module: it would be neither trained nor saved, so a field that holds one does not compile until
/// it says what it is (a [`Parameter`], a [`Buffer`], or skipped):
///
/// ```compile_fail,E0277
/// use gradus_nn::Module;
/// #[derive(Module)]
/// struct Net {
///     scale: gradus_tensor::Tensor,
/// }
/// ```
///
/// Nor do enums and tuple structs, which have no field names:
///
/// ```compile_fail
/// #[derive(gradus_nn::Module)]
/// struct Net(gradus_nn::Linear);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module",
    label = "neither a layer, a parameter, a buffer nor a plain setting",
    note = "derive `Module` for it; hold a trained tensor as a `Parameter` and other saved state as a `Buffer`; \
            mark a field that is none of these `#[module(skip)]`"
)]
pub trait Module {
    /// Shows the visitor every child, in order. `#[derive(Module)]` writes this.
    fn visit(&self, visitor: &mut dyn ModuleVisitor);

    /// Every parameter once, in module order, also those that are frozen.
    fn parameters(&self) -> Vec<Parameter> {
        self.named_parameters()
            .into_iter()
            .map(|(_, parameter)| parameter)
            .collect()
    }

    /// Every parameter once with its dotted path; a shared one under the first of its names.
    fn named_parameters(&self) -> Vec<(String, Parameter)> {
        let mut named: Vec<(String, Parameter)> = Vec::new();
        walk(self, |path, leaf| match leaf {
            Leaf::Parameter(p) if named.iter().any(|(_, seen)| seen.is_same(p)) => {}
            Leaf::Parameter(parameter) => named.push((path.to_owned(), parameter.clone())),
            Leaf::Buffer(_) | Leaf::Mode(_) => {}
        });
        named
    }

    /// Every buffer with its dotted path, in module order.
    fn named_buffers(&self) -> Vec<(String, Buffer)> {
        let mut named = Vec::new();
        walk(self, |path, leaf| match leaf {
            Leaf::Buffer(buffer) => named.push((path.to_owned(), buffer.clone())),
            Leaf::Parameter(_) | Leaf::Mode(_) => {}
        });
        named
    }

    /// Number of elements of all parameters.
    fn num_parameters(&self) -> usize {
        self.parameters().iter().map(Parameter::numel).sum()
    }

    /// Puts every layer into training mode: dropout drops, batch normalisation uses the batch and learns from it.
    fn train(&self) {
        set_training(self, true);
    }

    /// Puts every layer into evaluation mode.
    fn eval(&self) {
        set_training(self, false);
    }

    /// Clears the gradient of every parameter.
    fn zero_grad(&self) {
        walk(self, |_, leaf| match leaf {
            Leaf::Parameter(parameter) => parameter.zero_grad(),
            Leaf::Buffer(_) | Leaf::Mode(_) => {}
        });
    }

    /// The value of every parameter and buffer under its dotted path, in module order. The tensors are untracked and
    /// share memory with the model until it is next changed.
    fn state_dict(&self) -> Vec<(String, Tensor)> {
        let mut state = Vec::new();
        walk(self, |path, leaf| match leaf {
            Leaf::Parameter(parameter) => state.push((path.to_owned(), parameter.value().detach())),
            Leaf::Buffer(buffer) => state.push((path.to_owned(), buffer.value())),
            Leaf::Mode(_) => {}
        });
        state
    }

    /// Sets every parameter and buffer from `state`, in any order of names. Nothing is changed unless all of it fits.
    ///
    /// # Errors
    /// [`Error::StateDict`](crate::Error::StateDict) with every name that is missing, unexpected, given twice, or of
    /// another shape or element type.
    fn load_state_dict(&self, state: &[(String, Tensor)]) -> Result<()> {
        let mut targets = Vec::new();
        walk(self, |path, leaf| match leaf {
            Leaf::Parameter(p) => targets.push((path.to_owned(), state_dict::Target::Parameter(p.clone()))),
            Leaf::Buffer(b) => targets.push((path.to_owned(), state_dict::Target::Buffer(b.clone()))),
            Leaf::Mode(_) => {}
        });
        state_dict::load(&targets, state)
    }
}

/// What a module's tree is shown to. Every method does nothing unless overridden.
pub trait ModuleVisitor {
    /// A child follows, under this name.
    fn enter(&mut self, name: &str) {
        let _ = name;
    }
    /// The child last entered is complete.
    fn leave(&mut self) {}
    /// The current child is this parameter.
    fn parameter(&mut self, parameter: &Parameter) {
        let _ = parameter;
    }
    /// The current child is this buffer.
    fn buffer(&mut self, buffer: &Buffer) {
        let _ = buffer;
    }
    /// The current child is this mode switch.
    fn mode(&mut self, mode: &Mode) {
        let _ = mode;
    }
}

/// Visits `child` under `name`: what `#[derive(Module)]` calls for each field.
pub fn visit_child<M: Module + ?Sized>(visitor: &mut dyn ModuleVisitor, name: &str, child: &M) {
    visitor.enter(name);
    child.visit(visitor);
    visitor.leave();
}

enum Leaf<'a> {
    Parameter(&'a Parameter),
    Buffer(&'a Buffer),
    Mode(&'a Mode),
}

/// Calls `on_leaf` with the dotted path of each leaf.
fn walk<M: Module + ?Sized>(module: &M, on_leaf: impl FnMut(&str, Leaf<'_>)) {
    module.visit(&mut Walk {
        path: String::new(),
        starts: Vec::new(),
        on_leaf,
    });
}

fn set_training<M: Module + ?Sized>(module: &M, training: bool) {
    walk(module, |_, leaf| match leaf {
        Leaf::Mode(mode) => mode.set_training(training),
        Leaf::Parameter(_) | Leaf::Buffer(_) => {}
    });
}

struct Walk<F> {
    path: String,
    /// Length of `path` before each child that is open.
    starts: Vec<usize>,
    on_leaf: F,
}

impl<F: FnMut(&str, Leaf<'_>)> ModuleVisitor for Walk<F> {
    fn enter(&mut self, name: &str) {
        self.starts.push(self.path.len());
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(name);
    }

    fn leave(&mut self) {
        self.path.truncate(self.starts.pop().unwrap_or(0));
    }

    fn parameter(&mut self, parameter: &Parameter) {
        (self.on_leaf)(&self.path, Leaf::Parameter(parameter));
    }

    fn buffer(&mut self, buffer: &Buffer) {
        (self.on_leaf)(&self.path, Leaf::Buffer(buffer));
    }

    fn mode(&mut self, mode: &Mode) {
        (self.on_leaf)(&self.path, Leaf::Mode(mode));
    }
}

impl Module for Parameter {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        visitor.parameter(self);
    }
}

impl Module for Buffer {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        visitor.buffer(self);
    }
}

impl Module for Mode {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        visitor.mode(self);
    }
}

impl<M: Module> Module for [M] {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        for (index, child) in self.iter().enumerate() {
            visit_child(visitor, &index.to_string(), child);
        }
    }
}

impl<M: Module> Module for Vec<M> {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        self.as_slice().visit(visitor);
    }
}

impl<M: Module, const N: usize> Module for [M; N] {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        self.as_slice().visit(visitor);
    }
}

impl<M: Module> Module for Option<M> {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        if let Some(child) = self {
            child.visit(visitor);
        }
    }
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        (**self).visit(visitor);
    }
}

impl<M: Module + ?Sized> Module for Arc<M> {
    fn visit(&self, visitor: &mut dyn ModuleVisitor) {
        (**self).visit(visitor);
    }
}

impl<T: ?Sized> Module for PhantomData<T> {
    fn visit(&self, _visitor: &mut dyn ModuleVisitor) {}
}

macro_rules! plain_settings {
    ($($setting:ty),*) => {$(
        impl Module for $setting {
            fn visit(&self, _visitor: &mut dyn ModuleVisitor) {}
        }
    )*};
}

plain_settings!(
    (),
    bool,
    char,
    u8,
    u16,
    u32,
    u64,
    usize,
    i8,
    i16,
    i32,
    i64,
    isize,
    f32,
    f64,
    String,
    &str
);

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_tensor::{DType, Tensor};

    #[derive(crate::Module)]
    struct Leafy {
        weight: Parameter,
        count: Buffer,
        mode: Mode,
        width: usize,
    }

    #[derive(crate::Module)]
    struct Tree<M: Module> {
        stages: Vec<Vec<M>>,
        head: Option<M>,
        absent: Option<M>,
        boxed: Box<M>,
        pair: [M; 2],
        label: String,
        #[module(skip)]
        _scratch: std::cell::Cell<u8>,
    }

    fn leafy() -> Leafy {
        let weight = Parameter::new(Tensor::ones([2, 3], DType::F32)).unwrap();
        Leafy {
            weight,
            count: Buffer::new(Tensor::zeros([1], DType::I64)),
            mode: Mode::default(),
            width: 3,
        }
    }

    fn tree() -> Tree<Leafy> {
        Tree {
            stages: vec![vec![leafy()], vec![leafy(), leafy()]],
            head: Some(leafy()),
            absent: None,
            boxed: Box::new(leafy()),
            pair: [leafy(), leafy()],
            label: "x".to_owned(),
            _scratch: std::cell::Cell::new(0),
        }
    }

    #[test]
    fn names_follow_fields_and_indices() {
        let names: Vec<String> = tree()
            .named_parameters()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let expected = [
            "stages.0.0.weight",
            "stages.1.0.weight",
            "stages.1.1.weight",
            "head.weight",
            "boxed.weight",
            "pair.0.weight",
            "pair.1.weight",
        ];
        assert_eq!(names, expected);
        assert_eq!(tree().named_buffers()[3].0, "head.count");
        assert_eq!(tree().num_parameters(), 7 * 6);
    }

    #[test]
    fn state_dict_lists_parameters_and_buffers_in_module_order() {
        let names: Vec<String> = leafy().state_dict().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["weight", "count"]);
    }

    #[test]
    fn modes_reach_every_level() {
        let tree = tree();
        assert!(tree.pair[1].mode.is_training());
        tree.eval();
        assert!(!tree.stages[1][1].mode.is_training() && !tree.boxed.mode.is_training());
        tree.train();
        assert!(tree.stages[1][1].mode.is_training() && tree.boxed.mode.is_training());
    }

    #[test]
    fn a_shared_parameter_is_listed_once_but_saved_under_both_names() {
        let first = leafy();
        let second = Leafy {
            weight: first.weight.clone(),
            ..leafy()
        };
        let tied = vec![first, second];
        assert_eq!(tied.parameters().len(), 1);
        assert_eq!(tied.state_dict().len(), 4);
        assert_eq!(tied[0].width, 3);
    }

    #[test]
    fn zero_grad_clears_gradients() {
        let leaf = leafy();
        leaf.weight.set_grad(Some(Tensor::ones([2, 3], DType::F32)));
        Module::zero_grad(&leaf);
        assert!(leaf.weight.grad().is_none());
    }
}
