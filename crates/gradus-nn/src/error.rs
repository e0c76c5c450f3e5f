//! What can go wrong in a layer, a loss or a model's config.

use crate::state_dict::StateDictMismatch;

/// The result of a layer, a loss or a model's construction.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A caller's mistake; each variant names the place and what was expected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation refused its operands.
    #[error(transparent)]
    Tensor(#[from] gradus_tensor::Error),
    /// A layer inside a model failed.
    #[error("layer `{layer}`: {cause}")]
    InLayer {
        /// Dotted path of the layer.
        layer: String,
        /// What went wrong there.
        cause: Box<Error>,
    },
    /// A layer was given a tensor of a shape it does not take.
    #[error("{layer}: input of shape {got:?} does not do; expected {expected}")]
    InputShape {
        /// The kind of layer or model.
        layer: &'static str,
        /// The shape it takes, in words.
        expected: String,
        /// The shape that came.
        got: Vec<usize>,
    },
    /// An inference-only layer was given a tensor that gradients must flow through.
    #[error(
        "{layer}: runs inference only and has no gradient; call it under no_grad, or train the float model"
    )]
    InferenceOnly {
        /// The kind of layer.
        layer: &'static str,
    },
    /// A setting of a layer or model has no meaning.
    #[error("{owner}: {setting} is {value}; {rule}")]
    InvalidSetting {
        /// The layer or model.
        owner: &'static str,
        /// The setting's name as written in a config.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What is allowed, in words.
        rule: &'static str,
    },
    /// A setting the config leaves to the data, which never came.
    #[error("{owner}: {setting} is not set; give it in the config, or let the data set complete it")]
    MissingSetting {
        /// The model.
        owner: &'static str,
        /// The setting's name as written in a config.
        setting: &'static str,
    },
    /// The config and the data disagree.
    #[error(
        "{owner}: {setting} is {configured} in the config, but the data has {found}; remove it to take the data's"
    )]
    SettingContradictsData {
        /// The model.
        owner: &'static str,
        /// The setting's name as written in a config.
        setting: &'static str,
        /// What the config says.
        configured: String,
        /// What the data says.
        found: String,
    },
    /// Pooling leaves no pixel of the input.
    #[error(
        "cnn: {stages} stages of pooling leave nothing of an input of {height}x{width} pixels; \
         give at most {most} entries in `channels`"
    )]
    PooledToNothing {
        /// Number of stages, each of which halves the image.
        stages: usize,
        /// Pixels down.
        height: usize,
        /// Pixels across.
        width: usize,
        /// The most stages that leave a pixel.
        most: usize,
    },
    /// An initialiser needs fans, which a vector has not.
    #[error("init: {init} needs a weight of at least two axes, [out, in, ..]; got shape {shape:?}")]
    NoFan {
        /// The initialiser.
        init: &'static str,
        /// The shape asked for.
        shape: Vec<usize>,
    },
    /// Tensors that do not fit a model's parameters and buffers.
    #[error(transparent)]
    StateDict(#[from] Box<StateDictMismatch>),
}

impl Error {
    /// The same error with the place `layer` put in front of any place it already has.
    pub fn in_layer(self, layer: impl std::fmt::Display) -> Error {
        match self {
            Error::InLayer { layer: inner, cause } => Error::InLayer {
                layer: format!("{layer}.{inner}"),
                cause,
            },
            cause => Error::InLayer {
                layer: layer.to_string(),
                cause: Box::new(cause),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_join_as_the_error_climbs() {
        let error = Error::InferenceOnly { layer: "int8 linear" }
            .in_layer(2)
            .in_layer("layers");
        assert!(
            error
                .to_string()
                .starts_with("layer `layers.2`: int8 linear: runs inference only"),
            "{error}"
        );
    }
}
