//! The stack machine that pickle programs are written for, without the instructions that run code.
//!
//! Every instruction does work in proportion to its own bytes and the stack that it consumes, so a program takes time
//! and memory in proportion to its length; texts are borrowed from it.

use std::collections::HashMap;

use crate::foreign::pickle::PickleProblem;
use crate::foreign::pickle::opcodes as op;
use crate::foreign::pickle::value::{Built, Global, Heap, StorageRef, TensorRef, Value};

/// The longest integer that is read as one: the magic numbers of files have 10 bytes, sizes have 8.
const MAX_INT_BYTES: usize = 8;

/// Runs a program to its end, and returns what it built.
pub(super) fn run(program: &[u8]) -> Result<Built<'_>, PickleProblem> {
    let mut machine = Machine {
        program,
        at: 0,
        instruction: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        heap: Heap::default(),
        copied: 0,
    };
    loop {
        machine.instruction = machine.at;
        let opcode = machine.byte()?;
        if opcode == op::STOP {
            let root = machine.pop()?;
            let heap = machine.heap;
            return Ok(Built { heap, root });
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a> {
    program: &'a [u8],
    at: usize,
    /// Where the instruction at work begins, for errors.
    instruction: usize,
    stack: Vec<Value<'a>>,
    /// Heights of the stack where marks were set.
    marks: Vec<usize>,
    memo: HashMap<u64, Value<'a>>,
    heap: Heap<'a>,
    /// Items of lists that were copied to make dictionaries.
    copied: usize,
}

type Step = Result<(), PickleProblem>;

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: u8) -> Step {
        match opcode {
            op::PROTO => self.bytes(1).map(|_| ()),
            op::FRAME => self.bytes(8).map(|_| ()),
            op::MARK => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            op::POP => self.pop().map(|_| ()),
            op::POP_MARK => self.pop_to_mark().map(|_| ()),
            op::DUP => {
                let top = self.top()?;
                self.push(top)
            }
            op::GET | op::BINGET | op::LONG_BINGET | op::PUT | op::BINPUT | op::LONG_BINPUT | op::MEMOIZE => {
                self.step_memo(opcode)
            }
            op::GLOBAL | op::STACK_GLOBAL | op::BINPERSID | op::REDUCE | op::NEWOBJ | op::BUILD => {
                self.step_object(opcode)
            }
            _ => match self.literal(opcode)? {
                Some(value) => self.push(value),
                None => self.step_container(opcode),
            },
        }
    }

    /// A number, a text or a constant; `None` for any other instruction.
    fn literal(&mut self, opcode: u8) -> Result<Option<Value<'a>>, PickleProblem> {
        let value = match opcode {
            op::NONE => Value::None,
            op::NEWTRUE | op::NEWFALSE => Value::Bool,
            op::BININT => Value::Int(i64::from(i32::from_le_bytes(self.array()?))),
            op::BININT1 => Value::Int(i64::from(self.byte()?)),
            op::BININT2 => Value::Int(i64::from(u16::from_le_bytes(self.array()?))),
            op::LONG1 => {
                let count = self.byte()?;
                self.long(u64::from(count))?
            }
            op::LONG4 => {
                let count = self.u32()?;
                self.long(count)?
            }
            op::INT | op::LONG => self.int_line()?,
            op::FLOAT => self.line().map(|_| Value::Opaque)?,
            op::BINFLOAT => self.bytes(8).map(|_| Value::Opaque)?,
            op::UNICODE => {
                let line = self.line()?;
                self.text(line)?
            }
            op::STRING => self.quoted_line()?,
            op::BINSTRING | op::BINUNICODE | op::BINBYTES => {
                let count = self.u32()?;
                self.counted(opcode, count)?
            }
            op::SHORT_BINSTRING | op::SHORT_BINUNICODE | op::SHORT_BINBYTES => {
                let count = self.byte()?;
                self.counted(opcode, u64::from(count))?
            }
            op::BINUNICODE8 | op::BINBYTES8 | op::BYTEARRAY8 => {
                let count = u64::from_le_bytes(self.array()?);
                self.counted(opcode, count)?
            }
            _ => return Ok(None),
        };
        Ok(Some(value))
    }

    fn step_container(&mut self, opcode: u8) -> Step {
        match opcode {
            op::EMPTY_LIST | op::EMPTY_TUPLE => self.push_list(Vec::new()),
            op::LIST | op::TUPLE => {
                let items = self.pop_to_mark()?;
                self.push_list(items)
            }
            op::TUPLE1 => self.push_tuple(1),
            op::TUPLE2 => self.push_tuple(2),
            op::TUPLE3 => self.push_tuple(3),
            op::EMPTY_DICT => self.push_dict(Vec::new()),
            op::DICT => {
                let items = self.pop_to_mark()?;
                let pairs = self.pairs(items)?;
                self.push_dict(pairs)
            }
            op::APPEND => {
                let item = self.pop()?;
                self.append(vec![item])
            }
            op::APPENDS => {
                let items = self.pop_to_mark()?;
                self.append(items)
            }
            op::SETITEM => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(vec![(key, value)])
            }
            op::SETITEMS => {
                let items = self.pop_to_mark()?;
                let pairs = self.pairs(items)?;
                self.set_items(pairs)
            }
            op::EMPTY_SET => self.push(Value::Opaque),
            op::ADDITEMS => self.pop_to_mark().map(|_| ()),
            op::FROZENSET => {
                self.pop_to_mark()?;
                self.push(Value::Opaque)
            }
            _ => Err(PickleProblem::Opcode {
                at: self.instruction,
                opcode,
            }),
        }
    }

    fn step_memo(&mut self, opcode: u8) -> Step {
        let key = match opcode {
            op::MEMOIZE => self.memo.len() as u64,
            op::BINGET | op::BINPUT => u64::from(self.byte()?),
            op::LONG_BINGET | op::LONG_BINPUT => self.u32()?,
            _ => match self.int_line()? {
                Value::Int(key) if key >= 0 => key as u64,
                _ => return Err(self.misfit()),
            },
        };
        if matches!(opcode, op::GET | op::BINGET | op::LONG_BINGET) {
            let value = self.memo.get(&key).copied();
            return self.push(value.ok_or_else(|| self.misfit())?);
        }
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn step_object(&mut self, opcode: u8) -> Step {
        match opcode {
            op::GLOBAL => {
                let (module, name) = (self.line()?, self.line()?);
                self.push_global(module, name)
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (module, name) {
                    (Value::Text(module), Value::Text(name)) => {
                        self.push_global(module.as_bytes(), name.as_bytes())
                    }
                    _ => Err(self.misfit()),
                }
            }
            op::BINPERSID => {
                let storage = self.pop_storage()?;
                self.heap.storages.push(storage);
                self.push(Value::Storage(self.heap.storages.len() - 1))
            }
            op::BUILD => {
                // Attributes of a dictionary: the versions of modules, hooks. No state dictionary needs them.
                self.pop()?;
                match self.top()? {
                    Value::Dict(_) | Value::Opaque | Value::Tensor(_) => Ok(()),
                    _ => Err(self.misfit()),
                }
            }
            _ => {
                let (arguments, callee) = (self.pop_list()?, self.pop()?);
                let Value::Global(callee) = callee else {
                    return Err(self.misfit());
                };
                let value = self.call(callee, &arguments)?;
                self.push(value)
            }
        }
    }

    /// What a known name would have built of its arguments.
    fn call(&mut self, callee: Global, arguments: &[Value<'a>]) -> Result<Value<'a>, PickleProblem> {
        match (callee, arguments) {
            (Global::OrderedDict, []) => Ok(self.heap.dict(Vec::new())),
            (Global::OrderedDict, [Value::List(items)]) => {
                let items = self.heap.lists[*items].clone();
                self.copied += items.len();
                if self.copied > self.program.len() {
                    // One long list, given again and again.
                    return Err(self.misfit());
                }
                let pairs = items.into_iter().map(|item| self.pair(item));
                let pairs = pairs.collect::<Result<_, _>>()?;
                Ok(self.heap.dict(pairs))
            }
            (Global::OrderedDict, [Value::Dict(dict)]) => Ok(Value::Dict(*dict)),
            (Global::RebuildTensor, [storage, offset, shape, strides, ..]) => {
                self.tensor(*storage, *offset, [*shape, *strides], None)
            }
            (Global::RebuildTypedTensor, [storage, offset, shape, strides, _grad, _hooks, dtype, ..]) => {
                self.tensor(*storage, *offset, [*shape, *strides], Some(*dtype))
            }
            (Global::RebuildParameter, [tensor @ Value::Tensor(_), ..]) => Ok(*tensor),
            (Global::Sequence, []) => Ok(self.heap.list(Vec::new())),
            (Global::Sequence, [sequence @ Value::List(_)]) => Ok(*sequence),
            (Global::Ignored, _) => Ok(Value::Opaque),
            (_, _) => Err(self.misfit()),
        }
    }

    fn tensor(
        &mut self,
        storage: Value<'a>,
        offset: Value<'a>,
        extents: [Value<'a>; 2],
        dtype: Option<Value<'a>>,
    ) -> Result<Value<'a>, PickleProblem> {
        let (Value::Storage(storage), Value::Int(offset)) = (storage, offset) else {
            return Err(self.misfit());
        };
        let storage = self.heap.storages[storage];
        let dtype = match dtype {
            Some(Value::Global(Global::Type(dtype))) => dtype,
            Some(_) => return Err(self.misfit()),
            None => storage.dtype.ok_or_else(|| self.misfit())?,
        };
        let [shape, strides] = extents;
        let tensor = TensorRef {
            storage,
            dtype,
            offset,
            shape: self.ints(shape)?,
            strides: self.ints(strides)?,
        };
        self.heap.tensors.push(tensor);
        Ok(Value::Tensor(self.heap.tensors.len() - 1))
    }

    /// The numbers of a shape. Shapes are short: a program that unfolds one long list many times is refused.
    fn ints(&self, list: Value<'a>) -> Result<Vec<i64>, PickleProblem> {
        /// More axes than any weight has.
        const MAX_RANK: usize = 8;
        let Value::List(list) = list else {
            return Err(self.misfit());
        };
        let items = &self.heap.lists[list];
        if items.len() > MAX_RANK {
            return Err(self.misfit());
        }
        let ints = items.iter().map(|item| match item {
            Value::Int(int) => Ok(*int),
            _ => Err(self.misfit()),
        });
        ints.collect()
    }

    /// A persistent name as PyTorch writes it: `("storage", type, key, device, elements)`.
    fn pop_storage(&mut self) -> Result<StorageRef<'a>, PickleProblem> {
        let parts = self.pop_list()?;
        match parts[..] {
            [
                Value::Text("storage"),
                Value::Global(kind),
                Value::Text(key),
                _,
                _,
            ] => match kind {
                Global::Type(dtype) => Ok(StorageRef {
                    key,
                    dtype: Some(dtype),
                }),
                Global::Untyped => Ok(StorageRef { key, dtype: None }),
                Global::OrderedDict
                | Global::RebuildTensor
                | Global::RebuildTypedTensor
                | Global::RebuildParameter
                | Global::Sequence
                | Global::Ignored => Err(self.misfit()),
            },
            _ => Err(self.misfit()),
        }
    }

    fn push_global(&mut self, module: &'a [u8], name: &'a [u8]) -> Step {
        let (module, name) = (String::from_utf8_lossy(module), String::from_utf8_lossy(name));
        match Global::find(&module, &name) {
            Some(global) => self.push(Value::Global(global)),
            None => Err(PickleProblem::Global {
                global: shortened(format!("{module}.{name}")),
            }),
        }
    }

    fn append(&mut self, items: Vec<Value<'a>>) -> Step {
        match self.top()? {
            Value::List(list) => {
                self.heap.lists[list].extend(items);
                Ok(())
            }
            Value::Opaque => Ok(()),
            _ => Err(self.misfit()),
        }
    }

    fn set_items(&mut self, pairs: Vec<(Value<'a>, Value<'a>)>) -> Step {
        match self.top()? {
            Value::Dict(dict) => {
                self.heap.dicts[dict].extend(pairs);
                Ok(())
            }
            Value::Opaque => Ok(()),
            _ => Err(self.misfit()),
        }
    }

    fn pairs(&self, items: Vec<Value<'a>>) -> Result<Vec<(Value<'a>, Value<'a>)>, PickleProblem> {
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.misfit());
        }
        Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
    }

    fn pair(&self, item: Value<'a>) -> Result<(Value<'a>, Value<'a>), PickleProblem> {
        match item {
            Value::List(list) => match self.heap.lists[list][..] {
                [key, value] => Ok((key, value)),
                _ => Err(self.misfit()),
            },
            _ => Err(self.misfit()),
        }
    }

    fn push(&mut self, value: Value<'a>) -> Step {
        self.stack.push(value);
        Ok(())
    }

    fn push_list(&mut self, items: Vec<Value<'a>>) -> Step {
        let list = self.heap.list(items);
        self.push(list)
    }

    fn push_dict(&mut self, pairs: Vec<(Value<'a>, Value<'a>)>) -> Step {
        let dict = self.heap.dict(pairs);
        self.push(dict)
    }

    fn push_tuple(&mut self, count: usize) -> Step {
        let floor = self.marks.last().copied().unwrap_or(0);
        let start = self
            .stack
            .len()
            .checked_sub(count)
            .filter(|&start| start >= floor);
        let items = self.stack.split_off(start.ok_or_else(|| self.misfit())?);
        self.push_list(items)
    }

    fn pop(&mut self) -> Result<Value<'a>, PickleProblem> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.misfit());
        }
        self.stack.pop().ok_or_else(|| self.misfit())
    }

    fn pop_list(&mut self) -> Result<Vec<Value<'a>>, PickleProblem> {
        /// Far more arguments than any known name takes; a longer list would be copied again and again.
        const MAX_ARGUMENTS: usize = 64;
        match self.pop()? {
            Value::List(list) if self.heap.lists[list].len() <= MAX_ARGUMENTS => {
                Ok(self.heap.lists[list].clone())
            }
            _ => Err(self.misfit()),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>, PickleProblem> {
        let mark = self.marks.pop().ok_or_else(|| self.misfit())?;
        Ok(self.stack.split_off(mark))
    }

    fn top(&self) -> Result<Value<'a>, PickleProblem> {
        self.stack.last().copied().ok_or_else(|| self.misfit())
    }

    fn misfit(&self) -> PickleProblem {
        PickleProblem::Operand { at: self.instruction }
    }

    fn byte(&mut self) -> Result<u8, PickleProblem> {
        Ok(self.array::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u64, PickleProblem> {
        Ok(u64::from(u32::from_le_bytes(self.array()?)))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleProblem> {
        let short = PickleProblem::Truncated {
            at: self.program.len(),
        };
        let bytes = self.program[self.at..].first_chunk::<N>().ok_or(short)?;
        self.at += N;
        Ok(*bytes)
    }

    fn bytes(&mut self, count: u64) -> Result<&'a [u8], PickleProblem> {
        let rest = &self.program[self.at..];
        let count = usize::try_from(count).ok().filter(|&count| count <= rest.len());
        let count = count.ok_or(PickleProblem::Truncated {
            at: self.program.len(),
        })?;
        self.at += count;
        Ok(&rest[..count])
    }

    /// Bytes up to the end of a line, which is taken as well.
    fn line(&mut self) -> Result<&'a [u8], PickleProblem> {
        let rest = &self.program[self.at..];
        let end = rest.iter().position(|&byte| byte == b'\n');
        let end = end.ok_or(PickleProblem::Truncated {
            at: self.program.len(),
        })?;
        self.at += end + 1;
        Ok(&rest[..end])
    }

    fn text(&self, bytes: &'a [u8]) -> Result<Value<'a>, PickleProblem> {
        str::from_utf8(bytes).map(Value::Text).map_err(|_| self.misfit())
    }

    /// A text or bytes of a given length. Texts of Python 2 may be anything, and are then no names.
    fn counted(&mut self, opcode: u8, count: u64) -> Result<Value<'a>, PickleProblem> {
        let bytes = self.bytes(count)?;
        match opcode {
            op::BINUNICODE | op::SHORT_BINUNICODE | op::BINUNICODE8 => self.text(bytes),
            op::BINSTRING | op::SHORT_BINSTRING => {
                Ok(str::from_utf8(bytes).map_or(Value::Opaque, Value::Text))
            }
            _ => Ok(Value::Opaque),
        }
    }

    /// A text of protocol 0, between quotes; one with escapes is no name.
    fn quoted_line(&mut self) -> Result<Value<'a>, PickleProblem> {
        let line = self.line()?;
        match line {
            [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => {
                self.text(inner)
            }
            _ => Ok(Value::Opaque),
        }
    }

    /// An integer of protocol 0: `12`, `12L`, or `00` and `01` for the truth values.
    fn int_line(&mut self) -> Result<Value<'a>, PickleProblem> {
        let line = self.line()?;
        match line {
            b"00" | b"01" => return Ok(Value::Bool),
            _ => {}
        }
        let digits = line.strip_suffix(b"L").unwrap_or(line);
        let int = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        int.map(Value::Int).ok_or_else(|| self.misfit())
    }

    /// A little-endian integer in two's complement, of any length; one that is too long is no size.
    fn long(&mut self, count: u64) -> Result<Value<'a>, PickleProblem> {
        let bytes = self.bytes(count)?;
        if bytes.len() > MAX_INT_BYTES {
            return Ok(Value::Opaque);
        }
        let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
        let mut wide = [if negative { 0xff } else { 0 }; MAX_INT_BYTES];
        wide[..bytes.len()].copy_from_slice(bytes);
        Ok(Value::Int(i64::from_le_bytes(wide)))
    }
}

/// At most as much of a name as a message needs.
fn shortened(mut name: String) -> String {
    const MAX_CHARS: usize = 200;
    if let Some((end, _)) = name.char_indices().nth(MAX_CHARS) {
        name.truncate(end);
        name.push('…');
    }
    name
}
