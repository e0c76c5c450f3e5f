//! What a pickle program can build here: plain values, and descriptions of tensors.

use std::collections::BTreeMap;

use crate::foreign::pickle::PickleProblem;

/// Dictionaries that training scripts put a model's state in, among other things.
const NESTED: [&str; 4] = ["state_dict", "model_state_dict", "model", "module"];

/// A value on the stack. Containers lie in the [`Heap`] and values hold their place, so that sharing and cycles cost
/// nothing and depth needs no recursion.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    None,
    Bool,
    Int(i64),
    Text(&'a str),
    /// A value that no state dictionary needs: a float, bytes, a set, a device.
    Opaque,
    /// A list or a tuple.
    List(usize),
    Dict(usize),
    Global(Global),
    Storage(usize),
    Tensor(usize),
}

/// The names that are known, and what they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`, `dict`: called with nothing or with pairs.
    OrderedDict,
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`: storage, offset, shape, strides, …
    RebuildTensor,
    /// `torch._utils._rebuild_tensor_v3`: as before, and the element type.
    RebuildTypedTensor,
    /// `torch._utils._rebuild_parameter`: its first argument is the tensor.
    RebuildParameter,
    /// `torch.Size`, `tuple`, `list`: its argument is the sequence.
    Sequence,
    /// `torch.device`, `set`, `_codecs.encode`: nothing of it is needed.
    Ignored,
    /// `torch.FloatStorage` and the like, or `torch.float32` and the like: an element type.
    Type(TorchType),
    /// `torch.UntypedStorage`: bytes.
    Untyped,
}

/// Element types, by what PyTorch calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TorchType {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
    /// A type that gradus does not hold; told only if a tensor has it.
    Other(&'static str),
}

impl Global {
    /// What a name of a module stands for; `None` for any that is not on the list.
    pub(super) fn find(module: &str, name: &str) -> Option<Global> {
        match (module, name) {
            ("collections", "OrderedDict") | ("builtins" | "__builtin__", "dict") => {
                Some(Global::OrderedDict)
            }
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Global::RebuildTensor),
            ("torch._utils", "_rebuild_tensor_v3") => Some(Global::RebuildTypedTensor),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                Some(Global::RebuildParameter)
            }
            ("torch", "Size") | ("builtins" | "__builtin__", "tuple" | "list") => Some(Global::Sequence),
            ("torch", "device") | ("_codecs", "encode") => Some(Global::Ignored),
            ("builtins" | "__builtin__", "set" | "frozenset" | "bytearray") => Some(Global::Ignored),
            ("torch" | "torch.storage", "UntypedStorage") => Some(Global::Untyped),
            ("torch", name) => torch_type(name).map(Global::Type),
            _ => None,
        }
    }
}

fn torch_type(name: &str) -> Option<TorchType> {
    Some(match name {
        "DoubleStorage" | "float64" => TorchType::F64,
        "FloatStorage" | "float32" => TorchType::F32,
        "HalfStorage" | "float16" => TorchType::F16,
        "BFloat16Storage" | "bfloat16" => TorchType::BF16,
        "LongStorage" | "int64" => TorchType::I64,
        "IntStorage" | "int32" => TorchType::I32,
        "ShortStorage" | "int16" => TorchType::I16,
        "CharStorage" | "int8" => TorchType::I8,
        "ByteStorage" | "uint8" => TorchType::U8,
        "BoolStorage" | "bool" => TorchType::Bool,
        "ComplexFloatStorage" | "complex64" => TorchType::Other("complex64"),
        "ComplexDoubleStorage" | "complex128" => TorchType::Other("complex128"),
        "QInt8Storage" | "qint8" => TorchType::Other("qint8"),
        "QUInt8Storage" | "quint8" => TorchType::Other("quint8"),
        "QInt32Storage" | "qint32" => TorchType::Other("qint32"),
        "float8_e4m3fn" => TorchType::Other("float8_e4m3fn"),
        "float8_e5m2" => TorchType::Other("float8_e5m2"),
        "uint16" => TorchType::Other("uint16"),
        "uint32" => TorchType::Other("uint32"),
        "uint64" => TorchType::Other("uint64"),
        _ => return None,
    })
}

/// A storage as the program names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct StorageRef<'a> {
    /// The entry `data/KEY` that holds its bytes.
    pub(super) key: &'a str,
    /// The element type; `None` for an untyped one.
    pub(super) dtype: Option<TorchType>,
}

/// A tensor as the program describes it; nothing is checked yet.
#[derive(Clone, Debug)]
pub(super) struct TensorRef<'a> {
    pub(super) storage: StorageRef<'a>,
    pub(super) dtype: TorchType,
    /// In elements, as strides are.
    pub(super) offset: i64,
    pub(super) shape: Vec<i64>,
    pub(super) strides: Vec<i64>,
}

/// Where containers lie.
#[derive(Default)]
pub(super) struct Heap<'a> {
    pub(super) lists: Vec<Vec<Value<'a>>>,
    pub(super) dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    pub(super) storages: Vec<StorageRef<'a>>,
    pub(super) tensors: Vec<TensorRef<'a>>,
}

impl<'a> Heap<'a> {
    pub(super) fn list(&mut self, items: Vec<Value<'a>>) -> Value<'a> {
        self.lists.push(items);
        Value::List(self.lists.len() - 1)
    }

    pub(super) fn dict(&mut self, pairs: Vec<(Value<'a>, Value<'a>)>) -> Value<'a> {
        self.dicts.push(pairs);
        Value::Dict(self.dicts.len() - 1)
    }
}

/// What a program left behind.
pub(super) struct Built<'a> {
    pub(super) heap: Heap<'a>,
    pub(super) root: Value<'a>,
}

impl<'a> Built<'a> {
    /// The tensors by name, of the dictionary itself or of the one in it that a training script keeps the model in.
    pub(super) fn into_tensors(self) -> Result<BTreeMap<&'a str, TensorRef<'a>>, PickleProblem> {
        let Value::Dict(root) = self.root else {
            return Err(PickleProblem::NoTensors);
        };
        if self.holds_tensors(root) {
            return self.named(root);
        }
        let nested = NESTED.iter().find_map(|name| {
            let pairs = self.heap.dicts[root].iter();
            let mut dicts = pairs.filter_map(|pair| match pair {
                (Value::Text(key), Value::Dict(dict)) if key == name => Some(*dict),
                _ => None,
            });
            dicts.find(|&dict| self.holds_tensors(dict))
        });
        self.named(nested.ok_or(PickleProblem::NoTensors)?)
    }

    fn holds_tensors(&self, dict: usize) -> bool {
        let mut values = self.heap.dicts[dict].iter().map(|(_, value)| value);
        values.any(|value| matches!(value, Value::Tensor(_)))
    }

    fn named(&self, dict: usize) -> Result<BTreeMap<&'a str, TensorRef<'a>>, PickleProblem> {
        let mut tensors = BTreeMap::new();
        for (key, value) in &self.heap.dicts[dict] {
            match (key, value) {
                // As in Python, the last of equal keys counts.
                (Value::Text(name), Value::Tensor(tensor)) => {
                    tensors.insert(*name, self.heap.tensors[*tensor].clone());
                }
                // The state of a module without any.
                (Value::Text(_), Value::None) => {}
                (key, _) => return Err(PickleProblem::NotATensor { key: shown(*key) }),
            }
        }
        Ok(tensors)
    }
}

fn shown(key: Value<'_>) -> String {
    match key {
        Value::Text(text) => text.to_owned(),
        Value::Int(number) => number.to_string(),
        Value::None
        | Value::Bool
        | Value::Opaque
        | Value::List(_)
        | Value::Dict(_)
        | Value::Global(_)
        | Value::Storage(_)
        | Value::Tensor(_) => format!("{key:?}"),
    }
}
