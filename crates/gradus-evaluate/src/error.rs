//! The one error type of this crate.

use thiserror::Error;

/// What can go wrong while scoring a model.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// There was nothing to score.
    #[error("{what} is empty; a metric needs at least one sample")]
    Empty {
        /// The input that was empty.
        what: &'static str,
    },

    /// Two inputs that must run in step have different lengths.
    #[error("{left_name} has {left} entries but {right_name} needs {right}")]
    LengthMismatch {
        /// Name of the input whose length is wrong.
        left_name: &'static str,
        /// Its length.
        left: usize,
        /// Name of what decides the length.
        right_name: &'static str,
        /// The length that was expected.
        right: usize,
    },

    /// A label is negative or not below the number of classes.
    #[error(
        "{what}[{index}] is {label}, outside 0..{num_classes}; check the label column or the class count"
    )]
    LabelOutOfRange {
        /// Which input holds the label.
        what: &'static str,
        /// Position of the first offending label.
        index: usize,
        /// The label found.
        label: i64,
        /// Number of known classes.
        num_classes: usize,
    },

    /// A number that must lie in a range does not (NaN never does).
    #[error("{what}[{index}] is {value}, expected a number in [{low}, {high}]")]
    NotInRange {
        /// Which input holds the number.
        what: &'static str,
        /// Position of the first offending number.
        index: usize,
        /// The number found.
        value: f64,
        /// Smallest number allowed.
        low: f64,
        /// Largest number allowed.
        high: f64,
    },

    /// The number of classes cannot make a table of counts.
    #[error("{num_classes} classes asked for; a confusion matrix takes 1 to {limit}")]
    ClassCount {
        /// The number asked for.
        num_classes: usize,
        /// The largest number accepted.
        limit: usize,
    },

    /// A column cannot be what samples weigh.
    #[error("the column `{column}` cannot hold the samples' weights: {fault}")]
    WeightColumn {
        /// The column.
        column: String,
        /// What is wrong with it.
        fault: WeightFault,
    },

    /// A bootstrap option is outside its range.
    #[error("bootstrap {option} is {value}, expected {expected}")]
    BootstrapOption {
        /// Name of the option.
        option: &'static str,
        /// The value given.
        value: f64,
        /// The values allowed.
        expected: &'static str,
    },

    /// Groups of rows cannot be resampled by class, because a group may hold several.
    #[error(
        "groups are resampled whole, so the bootstrap cannot be stratified by class too; leave one of the two out"
    )]
    StratifiedGroups,

    /// Two models were given different samples.
    #[error(
        "the models were given different samples ({a} and {b}, or other labels); give both the same data and split"
    )]
    DifferentSamples {
        /// Samples of the first.
        a: usize,
        /// Samples of the second.
        b: usize,
    },

    /// A model answered with a number that cannot be scored.
    #[error(
        "the model's logit of sample {row}, class {class} is {value}; its weights or its input are broken"
    )]
    LogitNotFinite {
        /// The sample.
        row: usize,
        /// The class.
        class: usize,
        /// NaN or an infinity.
        value: f32,
    },

    /// Logits have another shape than the labels ask for.
    #[error("logits have shape {got:?}, expected {expected}; do the package's labels belong to its weights?")]
    LogitsShape {
        /// The shape found.
        got: Vec<usize>,
        /// The shape expected, in words.
        expected: String,
    },

    /// Samples have another shape than the model takes.
    #[error("samples have shape {got:?}, the model takes {expected:?}")]
    SampleShape {
        /// Shape of one sample.
        got: Vec<usize>,
        /// Shape that the package's preprocessing makes.
        expected: Vec<usize>,
    },

    /// A data set and a model name different classes.
    #[error(
        "the data set's classes are {data:?}, the model's are {model:?}; load the data with the model's labels"
    )]
    LabelNames {
        /// Classes of the model.
        model: Vec<String>,
        /// Classes of the data set.
        data: Vec<String>,
    },

    /// A batch of no rows was asked for.
    #[error("batch size is 0, expected at least 1")]
    BatchSize,

    /// A package is for another task.
    #[error("the package's task is `{found}`, expected `{expected}`")]
    Task {
        /// The manifest's task.
        found: String,
        /// The task that can be evaluated.
        expected: &'static str,
    },

    /// A package of classification does not say how its inputs are made.
    #[error("the package has no preprocessing; a classifier's package must say how its inputs are made")]
    NoPreprocessing,

    /// A package's signature contradicts itself or the preprocessing.
    #[error("the package's signature: {field} is {got}, expected {expected}")]
    Signature {
        /// Part of the signature.
        field: &'static str,
        /// What it says.
        got: String,
        /// What it should say.
        expected: String,
    },

    /// A package's `config.json` describes no model of this build.
    #[error("config.json describes no model that this build knows")]
    ModelConfig {
        /// Where reading it failed.
        source: serde_json::Error,
    },

    /// A sample of a request cannot be prepared.
    #[error("sample {index}")]
    InSample {
        /// Its place in the request.
        index: usize,
        /// What is wrong with it.
        source: Box<gradus_data::Error>,
    },

    /// Rows to score on that the model was trained on.
    #[error(
        "the model was trained on {known} of these {rows} rows, or on rows equal to them; chance explains about \
         {expected}: a score on them says little about new ones; score on rows it has not seen (`--split test` and `--split \
         validation` find those that the recipe divided off), or pass `--allow-trained-rows`"
    )]
    TrainedOn {
        /// Rows that equal a row that was trained on.
        known: usize,
        /// Rows in all.
        rows: usize,
        /// Rows that would equal one by chance.
        expected: usize,
    },
    /// A file of training rows that is none.
    #[error("{} is no sorted list of 4-byte hashes; train or fetch the package again", path.display())]
    TrainedRowsFile {
        /// The file.
        path: std::path::PathBuf,
    },
    /// A picture has a number of channels that PNG files have not.
    #[error("a picture has {channels} channels; 1, 3 or 4 can be shown")]
    PictureChannels {
        /// The number of channels.
        channels: usize,
    },

    /// A picture could not be written as PNG.
    #[error("a picture could not be encoded as PNG")]
    Picture {
        /// What the encoder said.
        source: image::ImageError,
    },

    /// A chart could not be drawn.
    #[error("a chart could not be drawn")]
    Chart {
        /// What the drawing library said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The report's template failed.
    #[error("the report's template failed")]
    Template {
        /// What the template engine said.
        source: minijinja::Error,
    },

    /// An encoder was asked to continue text.
    #[error(
        "a model of the family `{family}` reads text but does not write it; use `gradus embed` for its vectors"
    )]
    NotALanguageModel {
        /// The family.
        family: &'static str,
    },

    /// A weight that `config.json` says lies in ggml blocks does not.
    #[error("config.json says that `{tensor}` lies in blocks of type {found}, which its bytes do not")]
    BlockType {
        /// The weight.
        tensor: String,
        /// The type that the config names.
        found: String,
    },

    /// A text model came without a tokenizer.
    #[error(
        "the model has no tokenizer.json, so it cannot read text; put the one it was trained with beside it"
    )]
    NoTokenizer,

    /// A line of a task cannot be used.
    #[error("{}, line {line}", path.display())]
    InTask {
        /// The file.
        path: std::path::PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        source: Box<Error>,
    },

    /// A document of a task is no JSON object.
    #[error("not a JSON object")]
    TaskJson {
        /// Where reading it failed.
        source: serde_json::Error,
    },

    /// A document of a task asks nothing.
    #[error(
        "nothing to ask; give `query` with `choices` and `gold`, `query` with `target`, or `text` to be predicted"
    )]
    TaskForm,

    /// A field of a document cannot be used.
    #[error("`{field}` is {found}, expected {expected}")]
    TaskField {
        /// The field.
        field: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },

    /// A document has two fields that mean the same.
    #[error("`{first}` and `{second}` name the same thing; put what the model is to read into one of them")]
    TaskFields {
        /// One of them.
        first: &'static str,
        /// The other.
        second: &'static str,
    },

    /// A task has too many documents.
    #[error("{} has more than {limit} documents; split it or give a limit", path.display())]
    TaskDocuments {
        /// The file.
        path: std::path::PathBuf,
        /// The most accepted.
        limit: usize,
    },

    /// A few-shot example has no question.
    #[error("example {index} is a text without a question; examples need `choices` or a `target`")]
    TaskExample {
        /// Its place, from 0.
        index: usize,
    },

    /// An answer is longer than the model's context.
    #[error("a choice is {tokens} tokens long, the model's context holds {limit}")]
    TaskTooLong {
        /// Tokens of the choice.
        tokens: usize,
        /// Tokens of the context.
        limit: usize,
    },

    /// A text could not be turned into tokens, or back.
    #[error(transparent)]
    Text(#[from] gradus_data::text::TextError),

    /// An encoder's files ask for a way of pooling that this build does not have.
    #[error("1_Pooling/config.json asks for `{found}`; this build pools by mean, first or last token")]
    Pooling {
        /// What they ask for.
        found: String,
    },

    /// A method needs gradients that a layer does not have.
    #[error(
        "the model gives no gradients, which this method follows; use the float package that it was compressed from, or a \
         method that needs none"
    )]
    NoInputGradient {
        /// The layer's refusal.
        source: gradus_nn::Error,
    },

    /// No temperature is best for the data.
    #[error(
        "the data determine no temperature: the loss falls all the way to {end}; use more held-out samples, on which the model \
         is sometimes right and sometimes wrong"
    )]
    NoTemperature {
        /// The end of the range to which it falls.
        end: f64,
    },

    /// A package's temperature cannot divide logits.
    #[error(
        "the package's calibration has the temperature {temperature}, expected a finite number greater than 0"
    )]
    Temperature {
        /// The number found.
        temperature: f64,
    },

    /// A package is calibrated in a way that this build does not know.
    #[error("the package is calibrated in a way that this build does not know; use a newer gradus")]
    CalibrationMethod,

    /// A stress option is outside its range.
    #[error("stress {option} is {value}, expected {expected}")]
    StressOption {
        /// Name of the option.
        option: &'static str,
        /// The value given.
        value: f64,
        /// The values allowed.
        expected: &'static str,
    },

    /// A stress test of pictures was asked for a table.
    #[error(
        "the stress test `{test}` is for pictures, the model takes rows of a table; noise, missing, fgsm and pgd fit them"
    )]
    StressTest {
        /// The test.
        test: &'static str,
    },

    /// An option of an explanation is outside its range.
    #[error("explain: {option} is {value}, expected {expected}")]
    ExplainOption {
        /// Name of the option.
        option: &'static str,
        /// The value given.
        value: String,
        /// The values allowed.
        expected: &'static str,
    },

    /// An output was asked for that the model has not.
    #[error("output {output} is to be explained, but the model has {outputs}, counted from 0")]
    NoSuchOutput {
        /// The output asked for.
        output: usize,
        /// How many there are.
        outputs: usize,
    },

    /// A sample was asked for that the data does not have.
    #[error("sample {index} is to be explained, but the data has {len}, counted from 0")]
    NoSample {
        /// The sample asked for.
        index: usize,
        /// How many there are.
        len: usize,
    },

    /// True classes were asked for of data without labels.
    #[error("the true class is to be explained, but the data has no labels; explain the predicted class")]
    NoTruth,

    /// A score was asked for that the data's targets do not have.
    #[error(
        "a score of `{score}` does not fit {task}; use accuracy or log-likelihood for classes and labels, r2 for numbers"
    )]
    ScoreNotOfTask {
        /// The score.
        score: &'static str,
        /// What the data are labelled for.
        task: &'static str,
    },

    /// A model answers with several numbers, and it was not said which one is meant.
    #[error("the model answers with several numbers, {outputs:?}; say which one to explain")]
    WhichOutput {
        /// Their names.
        outputs: Vec<String>,
    },

    /// A class was named that the model does not know.
    #[error("the model has no class `{name}`; it knows {known:?}")]
    NoSuchClass {
        /// The name asked for.
        name: String,
        /// The model's classes.
        known: Vec<String>,
    },

    /// A function to be explained does not depend on its input.
    #[error("the explained output does not depend on the input")]
    InputNotUsed,

    /// A model answered an input of an explanation with a number that explains nothing.
    #[error("an output of the model is {value}; its weights or its input are broken")]
    OutputNotFinite {
        /// The output found.
        value: f32,
    },

    /// Too few coalitions to tell the features' shares apart.
    #[error(
        "{samples} coalitions do not tell {features} features apart; take more, or group the inputs into fewer features"
    )]
    TooFewCoalitions {
        /// Coalitions that were evaluated.
        samples: usize,
        /// Features to be told apart.
        features: usize,
    },

    /// A baseline is one of pictures, the model's inputs are not.
    #[error("a baseline of `{baseline}` needs pictures; use zero or mean for a table")]
    PictureBaseline {
        /// The baseline asked for.
        baseline: &'static str,
    },

    /// A metric refused its input.
    #[error(transparent)]
    Metric(#[from] crate::metrics::MetricError),

    /// A data set or a sample could not be used.
    #[error(transparent)]
    Data(#[from] gradus_data::Error),

    /// A model could not be built or refused its input.
    #[error(transparent)]
    Model(#[from] gradus_nn::Error),

    /// A package could not be read.
    #[error(transparent)]
    Package(#[from] gradus_package::Error),

    /// A tensor operation refused its operands.
    #[error(transparent)]
    Tensor(#[from] gradus_tensor::Error),
}

/// Why a column holds no weights. Rows are those that are scored, counted from 0.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum WeightFault {
    /// It is no column of numbers.
    #[error("it holds text; name a column of numbers")]
    Text,
    /// A row has no weight.
    #[error("row {row} has none; fill it in, or leave the row out")]
    Missing {
        /// The row.
        row: usize,
    },
    /// A weight is negative or infinite.
    #[error("that of row {row} is {value}, expected a finite number that is not negative")]
    Value {
        /// The row.
        row: usize,
        /// The weight found.
        value: f64,
    },
    /// No row counts.
    #[error("all of them are 0; a metric needs at least one sample that counts")]
    AllZero,
}

/// Result with this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
