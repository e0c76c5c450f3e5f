//! Loading named tensors into a model, all or nothing, and the report of everything that does not fit.

use std::collections::HashMap;
use std::fmt;

use gradus_tensor::{DType, Parameter, Tensor};

use crate::buffer::Buffer;
use crate::error::Result;

/// Where a loaded tensor goes.
pub(crate) enum Target {
    Parameter(Parameter),
    Buffer(Buffer),
}

impl Target {
    fn kind(&self) -> TensorKind {
        match self {
            Target::Parameter(parameter) => TensorKind {
                dtype: parameter.dtype(),
                shape: parameter.shape(),
            },
            Target::Buffer(buffer) => TensorKind {
                dtype: buffer.dtype(),
                shape: buffer.shape(),
            },
        }
    }

    fn set(&self, value: Tensor) -> Result<()> {
        match self {
            Target::Parameter(parameter) => Ok(parameter.set(value)?),
            Target::Buffer(buffer) => buffer.set(value),
        }
    }
}

/// Sets every target from the tensor of its name in `state`; changes nothing unless everything fits.
pub(crate) fn load(targets: &[(String, Target)], state: &[(String, Tensor)]) -> Result<()> {
    let report = compare(targets, state);
    if !report.is_empty() {
        return Err(Box::new(report).into());
    }
    let given: HashMap<&str, &Tensor> = state
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor))
        .collect();
    for (name, target) in targets {
        if let Some(&tensor) = given.get(name.as_str()) {
            target.set(tensor.clone())?;
        }
    }
    Ok(())
}

fn compare(targets: &[(String, Target)], state: &[(String, Tensor)]) -> StateDictMismatch {
    let mut report = StateDictMismatch::default();
    let mut given: HashMap<&str, &Tensor> = HashMap::new();
    for (name, tensor) in state {
        if given.insert(name, tensor).is_some() {
            report.duplicates.push(name.clone());
        }
    }
    let mut wanted = std::collections::HashSet::new();
    for (name, target) in targets {
        wanted.insert(name.as_str());
        let expected = target.kind();
        match given.get(name.as_str()) {
            None => report.missing.push(MissingTensor {
                name: name.clone(),
                expected,
            }),
            Some(tensor) => {
                let got = TensorKind {
                    dtype: tensor.dtype(),
                    shape: tensor.shape().to_vec(),
                };
                if got != expected {
                    report.mismatched.push(MismatchedTensor {
                        name: name.clone(),
                        expected,
                        got,
                    });
                }
            }
        }
    }
    let given = state.iter().map(|(name, _)| name.as_str());
    report.add_unexpected(given.filter(|name| !wanted.contains(name)));
    report
}

/// The candidate most like `name`, when one is like enough to be a slip of the pen.
fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    /// Of names as similar as this or more, one is usually the other misspelt or with a prefix.
    const SIMILAR: f64 = 0.6;
    let scored =
        candidates.map(|candidate| (strsim::normalized_damerau_levenshtein(name, candidate), candidate));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= SIMILAR).then(|| best.1.to_owned())
}

/// Everything about a state dict that does not fit a model, at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDictMismatch {
    /// Tensors that the model has and the state dict lacks.
    pub missing: Vec<MissingTensor>,
    /// Tensors that the model does not have.
    pub unexpected: Vec<UnexpectedTensor>,
    /// Tensors of another shape or element type than the model's.
    pub mismatched: Vec<MismatchedTensor>,
    /// Names that the state dict holds more than once.
    pub duplicates: Vec<String>,
}

/// An element type and a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorKind {
    /// Type of the elements.
    pub dtype: DType,
    /// Length of each axis.
    pub shape: Vec<usize>,
}

/// A tensor that the model has and the state dict lacks.
#[derive(Clone, Debug, PartialEq)]
pub struct MissingTensor {
    /// Its dotted path.
    pub name: String,
    /// What the model wants.
    pub expected: TensorKind,
}

/// A tensor that the model does not have.
#[derive(Clone, Debug, PartialEq)]
pub struct UnexpectedTensor {
    /// Its name in the state dict.
    pub name: String,
    /// The missing tensor whose name is nearest, if one is near.
    pub did_you_mean: Option<String>,
}

/// A tensor of another shape or element type than the model's.
#[derive(Clone, Debug, PartialEq)]
pub struct MismatchedTensor {
    /// Its dotted path.
    pub name: String,
    /// What the model wants.
    pub expected: TensorKind,
    /// What the state dict holds.
    pub got: TensorKind,
}

impl StateDictMismatch {
    /// Notes names that the model does not have; the missing ones, among which they are looked for, come before.
    pub(crate) fn add_unexpected<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let missing = &self.missing;
        self.unexpected.extend(names.map(|name| UnexpectedTensor {
            name: name.to_owned(),
            did_you_mean: nearest(name, missing.iter().map(|missing| missing.name.as_str())),
        }));
    }

    /// Whether everything fits.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty()
            && self.unexpected.is_empty()
            && self.mismatched.is_empty()
            && self.duplicates.is_empty()
    }
}

impl std::error::Error for StateDictMismatch {}

impl fmt::Display for StateDictMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the tensors do not fit the model")?;
        list(f, "missing", &self.missing)?;
        list(f, "unexpected", &self.unexpected)?;
        list(f, "of another kind", &self.mismatched)?;
        let duplicates: Vec<String> = self.duplicates.iter().map(|name| format!("`{name}`")).collect();
        list(f, "given twice", &duplicates)?;
        f.write_str("; is this the config that the weights were trained with?")
    }
}

/// `; HEADING: first, second`, or nothing for an empty list.
fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, heading: &str, items: &[T]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        match index {
            0 => write!(f, "; {heading}: {item}")?,
            _ => write!(f, ", {item}")?,
        }
    }
    Ok(())
}

impl fmt::Display for TensorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.dtype, self.shape)
    }
}

impl fmt::Display for MissingTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.name, self.expected)
    }
}

impl fmt::Display for UnexpectedTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.did_you_mean {
            Some(near) => write!(f, "`{}` (did you mean `{near}`?)", self.name),
            None => write!(f, "`{}`", self.name),
        }
    }
}

impl fmt::Display for MismatchedTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` (expected {}, got {})",
            self.name, self.expected, self.got
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, Linear, Module};
    use gradus_tensor::Rng;

    fn net() -> Vec<Linear> {
        let rng = &mut Rng::seed_from(1);
        vec![Linear::new(3, 2, rng), Linear::new(2, 1, rng)]
    }

    #[test]
    fn a_model_takes_its_own_state_back_in_any_order() {
        let (source, target) = (net(), net());
        source[0].weight().set(Tensor::ones([2, 3], DType::F32)).unwrap();
        let mut state = source.state_dict();
        state.reverse();
        target.load_state_dict(&state).unwrap();
        assert_eq!(target[0].weight().value().to_vec::<f32>().unwrap(), [1.0; 6]);
    }

    #[test]
    fn reports_everything_at_once_and_changes_nothing() {
        let model = net();
        let before = model.state_dict();
        let mut state = before.clone();
        state[0].0 = "0.wieght".to_owned();
        state[1].1 = Tensor::zeros([5], DType::F32);
        state[3].1 = Tensor::zeros([1], DType::I64);
        state.push(("optimizer".to_owned(), Tensor::zeros([1], DType::F32)));
        state.push(("1.weight".to_owned(), Tensor::ones([1, 2], DType::F32)));

        let Err(Error::StateDict(report)) = model.load_state_dict(&state) else {
            panic!("must not load")
        };
        assert_eq!(report.missing[0].name, "0.weight");
        assert_eq!(report.unexpected[0].did_you_mean.as_deref(), Some("0.weight"));
        assert_eq!(report.unexpected[1].did_you_mean, None);
        assert_eq!(report.mismatched.len(), 2);
        assert_eq!(report.duplicates, ["1.weight"]);
        let after = model.state_dict();
        for ((_, old), (_, new)) in before.iter().zip(&after) {
            assert_eq!(old.to_vec::<f32>().unwrap(), new.to_vec::<f32>().unwrap());
        }
        assert_message(&report.to_string());
    }

    /// The whole message, as a user meets it.
    fn assert_message(message: &str) {
        let expected = "the tensors do not fit the model; missing: `0.weight` (f32 [2, 3]); \
             unexpected: `0.wieght` (did you mean `0.weight`?), `optimizer`; \
             of another kind: `0.bias` (expected f32 [2], got f32 [5]), `1.bias` (expected f32 [1], got i64 [1]); \
             given twice: `1.weight`; is this the config that the weights were trained with?";
        assert_eq!(message, expected);
    }
}
