//! A walk over Thrift's compact protocol, in which Parquet writes its metadata, to look at numbers before the parquet
//! crate acts on them.
//!
//! Specification: apache/thrift, `doc/specs/thrift-compact-protocol.md`. The walk allocates nothing that grows with a
//! number in the file: lengths are only ever compared with the bytes that are left.

/// How deep structures may nest. Parquet's own metadata needs 6.
const MAX_DEPTH: usize = 32;

/// A value met on the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Any integer or boolean.
    Integer(i64),
    /// A string or other bytes.
    Bytes(&'a [u8]),
}

/// The bytes are not a compact-protocol structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Walks the structure at the start of `bytes`, calls `visit` with the path of field numbers and the value of each
/// leaf (elements of a list share the list's path), and returns the structure's length.
pub(crate) fn walk<'a>(
    bytes: &'a [u8],
    visit: &mut dyn FnMut(&[i16], Value<'a>),
) -> Result<usize, Malformed> {
    let mut walk = Walk {
        bytes,
        position: 0,
        path: Vec::with_capacity(MAX_DEPTH),
        depth: 0,
        visit,
    };
    walk.structure()?;
    Ok(walk.position)
}

struct Walk<'a, 'v> {
    bytes: &'a [u8],
    position: usize,
    path: Vec<i16>,
    depth: usize,
    visit: &'v mut dyn FnMut(&[i16], Value<'a>),
}

impl<'a> Walk<'a, '_> {
    fn structure(&mut self) -> Result<(), Malformed> {
        self.nested(|walk| {
            let mut field = 0i16;
            loop {
                let head = walk.byte()?;
                if head == 0 {
                    return Ok(());
                }
                field = match head >> 4 {
                    0 => walk.integer()?.try_into().map_err(|_| Malformed)?,
                    delta => field.checked_add(delta.into()).ok_or(Malformed)?,
                };
                walk.path.push(field);
                walk.field_value(head & 0x0f)?;
                walk.path.pop();
            }
        })
    }

    /// Booleans of a field live in its type; those of a list are bytes.
    fn field_value(&mut self, kind: u8) -> Result<(), Malformed> {
        match kind {
            1 | 2 => {
                (self.visit)(&self.path, Value::Integer(i64::from(kind == 1)));
                Ok(())
            }
            _ => self.value(kind),
        }
    }

    fn value(&mut self, kind: u8) -> Result<(), Malformed> {
        match kind {
            1..=3 => {
                let value = self.byte()?.into();
                (self.visit)(&self.path, Value::Integer(value));
            }
            4..=6 => {
                let value = self.integer()?;
                (self.visit)(&self.path, Value::Integer(value));
            }
            7 => {
                self.take(8)?;
            }
            8 => {
                let len = self.length()?;
                let bytes = self.take(len)?;
                (self.visit)(&self.path, Value::Bytes(bytes));
            }
            9 | 10 => self.list()?,
            11 => self.map()?,
            12 => self.structure()?,
            13 => {
                self.take(16)?;
            }
            _ => return Err(Malformed),
        }
        Ok(())
    }

    fn list(&mut self) -> Result<(), Malformed> {
        self.nested(|walk| {
            let head = walk.byte()?;
            let count = if head >> 4 == 15 {
                walk.length()?
            } else {
                usize::from(head >> 4)
            };
            for _ in 0..count {
                walk.value(head & 0x0f)?;
            }
            Ok(())
        })
    }

    fn map(&mut self) -> Result<(), Malformed> {
        self.nested(|walk| {
            let count = walk.length()?;
            if count == 0 {
                return Ok(());
            }
            let kinds = walk.byte()?;
            for _ in 0..count {
                walk.value(kinds >> 4)?;
                walk.value(kinds & 0x0f)?;
            }
            Ok(())
        })
    }

    fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        if self.depth == MAX_DEPTH {
            return Err(Malformed);
        }
        self.depth += 1;
        inner(self)?;
        self.depth -= 1;
        Ok(())
    }

    /// A count of bytes or of elements, each of at least one byte: never more than what is left.
    fn length(&mut self) -> Result<usize, Malformed> {
        let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
        if length > self.bytes.len() - self.position {
            Err(Malformed)
        } else {
            Ok(length)
        }
    }

    fn integer(&mut self) -> Result<i64, Malformed> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let bytes = self
            .bytes
            .get(self.position..)
            .and_then(|left| left.get(..len))
            .ok_or(Malformed)?;
        self.position += len;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fields_lists_and_nested_structures() {
        // {1: i32 5, 2: binary "ab", 3: [i32 1, i32 -1], 4: {1: true}}
        let bytes = [
            0x15, 10, 0x18, 2, b'a', b'b', 0x19, 0x25, 2, 1, 0x1c, 0x11, 0, 0, 99,
        ];
        let mut seen = Vec::new();
        let end = walk(&bytes, &mut |path, value| seen.push((path.to_vec(), value))).unwrap();
        assert_eq!(end, bytes.len() - 1);
        assert_eq!(
            seen,
            [
                (vec![1], Value::Integer(5)),
                (vec![2], Value::Bytes(b"ab")),
                (vec![3], Value::Integer(1)),
                (vec![3], Value::Integer(-1)),
                (vec![4, 1], Value::Integer(1)),
            ]
        );
    }

    #[test]
    fn refuses_lengths_past_the_end_and_endless_nesting() {
        assert_eq!(walk(&[0x18, 200, 1, b'a'], &mut |_, _| ()), Err(Malformed));
        assert_eq!(
            walk(&[0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x0f], &mut |_, _| ()),
            Err(Malformed)
        );
        assert_eq!(walk(&[0x1c; 1000], &mut |_, _| ()), Err(Malformed));
        assert_eq!(walk(&[], &mut |_, _| ()), Err(Malformed));
    }
}
