//! The space of settings: which keys of a recipe vary, and over what.

use crate::{Error, Result};
use std::path::Path;
use toml::{Table, Value};

/// Longest space that is read, as for a recipe.
const MAX_SPACE_BYTES: u64 = 1 << 20;

/// The keys that vary, in the order of their names.
///
/// A space is TOML: keys of a recipe, each with what it may be.
///
/// ```
/// use gradus_tune::search::Space;
/// let space = Space::parse(r#"
/// train.learning_rate = { low = 1e-4, high = 1e-1, log = true }
/// train.batch_size = { choices = [32, 64, 128] }
/// model.hidden_sizes.0 = { low = 32, high = 512, step = 32 }
/// "#).unwrap();
/// assert_eq!(space.len(), 3);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    parameters: Vec<Parameter>,
}

/// One key that varies.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Dotted key in the recipe.
    pub key: String,
    /// What it may be.
    pub domain: Domain,
}

/// What a setting may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// A number of a range.
    Range(Range),
    /// One of several values, of which none is nearer to another.
    Choice(Vec<Value>),
}

/// Numbers from `low` to `high`, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Smallest number.
    pub low: f64,
    /// Largest number; with a step, the last one that steps from `low` reach.
    pub high: f64,
    /// Whether factors count instead of differences: from 0.01 to 0.1 is as far as from 0.1 to 1.
    pub log: bool,
    /// Distance between neighbours; `None` for all numbers between.
    pub step: Option<f64>,
    /// Whether the numbers are whole.
    pub whole: bool,
    /// How many of them a grid has, where it does not have all.
    pub points: Option<u32>,
}

impl Space {
    /// Reads a space from a file.
    ///
    /// # Errors
    /// [`Error::ReadSpace`], [`Error::SpaceSyntax`] and [`Error::SpaceKey`] for what is wrong with it.
    pub fn load(path: &Path) -> Result<Space> {
        let read_error = |source| Error::ReadSpace {
            path: path.to_owned(),
            source,
        };
        let size = std::fs::metadata(path).map_err(read_error)?.len();
        if size > MAX_SPACE_BYTES {
            let message = format!("it is longer than {MAX_SPACE_BYTES} bytes, the most a space may have");
            return Err(read_error(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                message,
            )));
        }
        Space::parse(&std::fs::read_to_string(path).map_err(read_error)?)
    }

    /// As [`Space::load`], from text.
    ///
    /// # Errors
    /// As [`Space::load`].
    pub fn parse(text: &str) -> Result<Space> {
        let table: Table = toml::from_str(text).map_err(|error: toml::de::Error| Error::SpaceSyntax {
            message: error.message().to_owned(),
            line: error
                .span()
                .map_or(0, |span| text[..span.start].matches('\n').count() + 1),
        })?;
        let mut parameters = Vec::new();
        collect("", &table, &mut parameters)?;
        parameters.sort_by(|a, b| a.key.cmp(&b.key));
        if parameters.is_empty() {
            return refuse(
                "",
                "nothing varies",
                "name a key, such as train.learning_rate = { low = 1e-4, high = 1e-1, log = true }",
            );
        }
        Ok(Space { parameters })
    }

    /// What varies.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// How many keys vary.
    pub fn len(&self) -> usize {
        self.parameters.len()
    }

    /// Never: a space without keys is refused.
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }

    /// What varies, one line for each key.
    pub fn describe(&self) -> Vec<String> {
        let line = |parameter: &Parameter| format!("{}: {}", parameter.key, parameter.domain.describe());
        self.parameters.iter().map(line).collect()
    }

    /// A point of the space as overrides of the recipe.
    pub fn overrides(&self, point: &[f64]) -> Vec<String> {
        let pair = |(parameter, &value): (&Parameter, &f64)| {
            format!("{}={}", parameter.key, parameter.domain.text(value))
        };
        self.parameters.iter().zip(point).map(pair).collect()
    }
}

/// The parameters of a table and of those below it.
fn collect(prefix: &str, table: &Table, into: &mut Vec<Parameter>) -> Result<()> {
    for (name, value) in table {
        let key = match prefix {
            "" => name.clone(),
            prefix => format!("{prefix}.{name}"),
        };
        let Value::Table(inner) = value else {
            return refuse(
                &key,
                "it is one value",
                "a range or choices: { choices = [1, 2] }",
            );
        };
        if ["low", "high", "choices"]
            .iter()
            .any(|mark| inner.get(*mark).is_some_and(|value| !value.is_table()))
        {
            let domain = Domain::read(&key, inner)?;
            into.push(Parameter { key, domain });
        } else {
            collect(&key, inner, into)?;
        }
    }
    Ok(())
}

fn refuse<T>(key: &str, problem: impl Into<String>, expected: &str) -> Result<T> {
    Err(Error::SpaceKey {
        key: key.to_owned(),
        problem: problem.into(),
        expected: expected.to_owned(),
    })
}

impl Domain {
    fn read(key: &str, table: &Table) -> Result<Domain> {
        if let Some(choices) = table.get("choices") {
            if table.len() > 1 {
                return refuse(key, "it has choices and more", "choices alone");
            }
            return match choices {
                Value::Array(choices) if !choices.is_empty() => Ok(Domain::Choice(choices.clone())),
                _ => refuse(key, "its choices are no list", "a list of values: [16, 32]"),
            };
        }
        Ok(Domain::Range(Range::read(key, table)?))
    }

    /// The number of values, where it is finite.
    pub fn size(&self) -> Option<u64> {
        match self {
            Domain::Choice(choices) => Some(choices.len() as u64),
            Domain::Range(range) => range
                .step
                .map(|step| (((range.high - range.low) / step).round() as u64).saturating_add(1))
                .or((range.low == range.high).then_some(1)),
        }
    }

    /// The value that a number between 0 and 1 (not included) stands for; equal parts of the unit interval stand for
    /// equal parts of the domain.
    pub fn at(&self, unit: f64) -> f64 {
        match self {
            Domain::Choice(choices) => (unit * choices.len() as f64)
                .floor()
                .clamp(0.0, (choices.len() - 1) as f64),
            Domain::Range(range) => range.at(unit),
        }
    }

    /// The domain in words.
    pub fn describe(&self) -> String {
        match self {
            Domain::Choice(choices) => {
                let texts: Vec<String> = choices.iter().map(Value::to_string).collect();
                format!("one of {}", texts.join(", "))
            }
            Domain::Range(range) => {
                let scale = if range.log { ", by factors" } else { "" };
                let step = match range.step {
                    Some(1.0) if range.whole => ", whole".to_owned(),
                    Some(step) => format!(", by {step}"),
                    None => String::new(),
                };
                format!("from {} to {}{step}{scale}", range.low, range.high)
            }
        }
    }

    /// A value as TOML: what comes after `=` in an override.
    pub fn text(&self, value: f64) -> String {
        match self {
            Domain::Choice(choices) => choices[value as usize].to_string(),
            Domain::Range(range) if range.whole => format!("{}", value as i64),
            Domain::Range(_) => format!("{value:?}"),
        }
    }
}

impl Range {
    fn read(key: &str, table: &Table) -> Result<Range> {
        const KEYS: [&str; 5] = ["low", "high", "log", "step", "points"];
        if let Some(unknown) = table.keys().find(|name| !KEYS.contains(&name.as_str())) {
            return refuse(key, format!("it has `{unknown}`"), &KEYS.join(", "));
        }
        let whole = ["low", "high", "step"]
            .iter()
            .filter_map(|name| table.get(*name))
            .all(Value::is_integer);
        let number = |name: &str| -> Result<Option<f64>> {
            match table.get(name) {
                None => Ok(None),
                Some(Value::Integer(value)) => Ok(Some(*value as f64)),
                Some(Value::Float(value)) if value.is_finite() => Ok(Some(*value)),
                Some(_) => refuse(key, format!("its `{name}` is no number"), "a finite number"),
            }
        };
        let (Some(low), Some(high)) = (number("low")?, number("high")?) else {
            return refuse(key, "one end is missing", "both `low` and `high`, or `choices`");
        };
        let log = match table.get("log") {
            None => false,
            Some(Value::Boolean(log)) => *log,
            Some(_) => return refuse(key, "its `log` is neither", "true or false"),
        };
        let points = match number("points")? {
            None => None,
            Some(points) if (1.0..1e6).contains(&points) => Some(points as u32),
            Some(points) => return refuse(key, format!("it has {points} points"), "1 to a million points"),
        };
        let step = number("step")?.or(whole.then_some(1.0));
        Range {
            low,
            high,
            log,
            step,
            whole,
            points,
        }
        .checked(key)
    }

    fn checked(self, key: &str) -> Result<Range> {
        let Range { low, high, log, .. } = self;
        if low > high {
            return refuse(
                key,
                format!("its low end {low} is above {high}"),
                "low up to high",
            );
        }
        if log && low <= 0.0 {
            return refuse(
                key,
                format!("a logarithm of {low}"),
                "a low end above 0, or no `log`",
            );
        }
        let Some(step) = self.step else { return Ok(self) };
        if step <= 0.0 {
            return refuse(key, format!("its step is {step}"), "a step above 0");
        }
        if log && step != 1.0 {
            return refuse(key, "it has a step and `log`", "one of them");
        }
        // A last step that would pass the end is not taken. The tolerance forgives the rounding of decimal steps.
        let steps = ((high - low) / step + 1e-9).floor();
        Ok(Range {
            high: low + steps * step,
            ..self
        })
    }

    /// Ends of the range where a draw is uniform: half a step further out, and logarithms where factors count.
    pub(crate) fn ends(&self) -> [f64; 2] {
        let half = self.step.map_or(0.0, |step| step / 2.0);
        [self.scaled(self.low - half), self.scaled(self.high + half)]
    }

    /// The number where a draw is uniform.
    pub(crate) fn scaled(&self, value: f64) -> f64 {
        if self.log { value.ln() } else { value }
    }

    /// The number of the range next to what [`Range::scaled`] would give.
    pub(crate) fn unscaled(&self, scaled: f64) -> f64 {
        let value = if self.log { scaled.exp() } else { scaled };
        let near = match self.step {
            Some(step) => self.low + ((value - self.low) / step).round_ties_even() * step,
            None => value,
        };
        near.clamp(self.low, self.high)
    }

    fn at(&self, unit: f64) -> f64 {
        let [low, high] = self.ends();
        self.unscaled(low + unit * (high - low))
    }

    /// Where a value lies between the ends, from 0 to 1.
    pub(crate) fn unit(&self, value: f64) -> f64 {
        let [low, high] = self.ends();
        if high > low {
            ((self.scaled(value) - low) / (high - low)).clamp(0.0, 1.0)
        } else {
            0.5
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(text: &str) -> Domain {
        Space::parse(&format!("a.b = {text}"))
            .unwrap()
            .parameters
            .remove(0)
            .domain
    }

    #[test]
    fn keys_nest_as_in_a_recipe_and_are_sorted() {
        let text = "[train]\nlearning_rate = { low = 1e-4, high = 1, log = true }\n[optimizer]\nname = { choices = ['sgd', 'adam'] }\n[model]\nhidden_sizes.0 = { low = 8, high = 64 }";
        let space = Space::parse(text).unwrap();
        let keys: Vec<&str> = space
            .parameters()
            .iter()
            .map(|parameter| parameter.key.as_str())
            .collect();
        assert_eq!(
            keys,
            ["model.hidden_sizes.0", "optimizer.name", "train.learning_rate"]
        );
        assert_eq!(
            space.overrides(&[17.0, 1.0, 0.001]),
            [
                "model.hidden_sizes.0=17",
                "optimizer.name=\"adam\"",
                "train.learning_rate=0.001"
            ]
        );
    }

    #[test]
    fn ends_that_no_step_reaches_are_moved_in() {
        let Domain::Range(range) = domain("{ low = 0, high = 10, step = 3 }") else {
            panic!("a range")
        };
        assert_eq!((range.high, range.whole), (9.0, true));
        let Domain::Range(range) = domain("{ low = 0.0, high = 0.3, step = 0.1 }") else {
            panic!("a range")
        };
        assert!((range.high - 0.3).abs() < 1e-12);
        assert_eq!(domain("{ low = 0.0, high = 0.3, step = 0.1 }").size(), Some(4));
    }

    #[test]
    fn every_whole_number_gets_an_equal_share_of_draws() {
        let dice = domain("{ low = 1, high = 6 }");
        let mut counts = [0; 7];
        (0..6000).for_each(|draw| counts[dice.at((f64::from(draw) + 0.5) / 6000.0) as usize] += 1);
        assert_eq!(counts[1..], [1000; 6]);
    }

    #[test]
    fn draws_of_factors_are_uniform_in_the_logarithm() {
        let rate = domain("{ low = 1e-4, high = 1.0, log = true }");
        assert!((rate.at(0.5) - 1e-2).abs() < 1e-12);
        assert!((rate.at(0.0) - 1e-4).abs() < 1e-12);
    }

    #[test]
    fn mistakes_are_told_with_their_key() {
        for text in [
            "{ low = 1 }",
            "{ low = 2, high = 1 }",
            "{ low = 0.0, high = 1.0, log = true }",
            "{ low = 0, high = 9, step = 0 }",
            "{ low = 0, high = 9, stride = 2 }",
            "{ choices = [] }",
            "{ choices = [1], low = 3 }",
            "{ low = nan, high = 1.0 }",
            "{ low = 1, high = 8, step = 2, log = true }",
            "3",
        ] {
            let error = Space::parse(&format!("a.b = {text}")).unwrap_err();
            assert!(
                matches!(&error, Error::SpaceKey { key, .. } if key == "a.b"),
                "{text}: {error}"
            );
        }
        assert!(matches!(Space::parse(""), Err(Error::SpaceKey { .. })));
        assert!(matches!(
            Space::parse("a = 1\na = {"),
            Err(Error::SpaceSyntax { line: 2, .. })
        ));
    }
}
