//! What can go wrong with data, with the place it went wrong at.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::config::Format;
use crate::locate::Split;
use crate::targets::TargetKind;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How many names a message lists before it says how many more there are.
const NAMES_LISTED: usize = 12;

/// Why data could not be read, prepared or delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Text could not be tokenised, stored, read back or rendered.
    #[error(transparent)]
    Text(#[from] crate::text::TextError),
    /// Rows could not be divided.
    #[error(transparent)]
    Division(#[from] crate::split::SplitError),

    // Files.
    /// The system refused to read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A folder where a file was expected.
    #[error("{} is a folder, a file was expected", path.display())]
    NotAFile {
        /// The folder.
        path: PathBuf,
    },
    /// A file, or what it unpacks to, is past a reader's limit.
    #[error("{} holds {bytes} bytes or more, the limit is {limit}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes seen.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A gzip file is cut short or damaged.
    #[error("{} is a damaged or incomplete gzip file (after {unpacked} unpacked bytes); fetch it again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// Bytes unpacked before the damage.
        unpacked: u64,
        /// What the decoder said.
        #[source]
        source: io::Error,
    },
    /// A name of a file is not UTF-8, and would become the name of a class.
    #[error("the name of {} is not UTF-8; rename it", path.display())]
    NotUtf8Name {
        /// The file or folder.
        path: PathBuf,
    },
    /// A file or folder without what it is for.
    #[error("{} has no {what}", path.display())]
    Empty {
        /// The file or folder.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// Nothing in the names says what the data is.
    #[error(
        "cannot tell what kind of data {} is; set `format` to \"idx\", \"image_folder\", \"csv\" or \"parquet\"",
        path.display()
    )]
    UnknownFormat {
        /// The file or folder.
        path: PathBuf,
    },

    // Configuration.
    /// A value of the configuration is out of its range.
    #[error("`{field}` must be {expected}, not {found}")]
    ConfigValue {
        /// The field.
        field: &'static str,
        /// Its range.
        expected: String,
        /// Its value.
        found: String,
    },
    /// A field that the format has no use for.
    #[error("`{field}` means nothing for data of format \"{}\"; remove it", format.name())]
    ConfigUnused {
        /// The field.
        field: &'static str,
        /// The format.
        format: Format,
    },
    /// A table without a word on which column holds the targets.
    #[error("{} is a table; set {}", path.display(), match task {
        TargetKind::Classification => "`label` to the column that holds the class",
        TargetKind::Regression => "`label` to the column of the number to learn, or `labels` to several",
        TargetKind::Multilabel => {
            "`labels` to the columns of 0 and 1, or `label` to a column of names and `label_separator` to what stands \
             between them"
        }
    })]
    LabelNotNamed {
        /// The table.
        path: PathBuf,
        /// What there is to learn.
        task: TargetKind,
    },
    /// Two ways to say which columns hold the targets.
    #[error("{}: `label` and `labels` are both set; keep one of them", path.display())]
    LabelAndLabels {
        /// The table.
        path: PathBuf,
    },
    /// One column of labels without a word on how they are told apart.
    #[error(
        "{}: task \"multilabel\" with the one column `{label}` needs `label_separator`, such as \"|\"; or name columns of \
         0 and 1 in `labels`",
        path.display()
    )]
    LabelNotSeparated {
        /// The table.
        path: PathBuf,
        /// The column.
        label: String,
    },
    /// A field that the task has no use for.
    #[error("`{field}` means nothing here for task \"{}\"; remove it, or set `task`", task.name())]
    ConfigTask {
        /// The field.
        field: &'static str,
        /// What there is to learn.
        task: TargetKind,
    },
    /// Pictures that are to be labelled with something else than a class.
    #[error("task \"{}\" needs a table (csv or parquet); data of format \"{}\" holds classes", task.name(), format.name())]
    TaskNeedsTable {
        /// What there is to learn.
        task: TargetKind,
        /// The format.
        format: Format,
    },
    /// A part that is named and also divided off.
    #[error("`{field}` and the table `split` both say where a part comes from; remove one")]
    ConfigSplitTwice {
        /// The field.
        field: &'static str,
    },
    /// A share that is none.
    #[error("a share of the samples must be from 0 to 1, not {fraction}")]
    SplitFraction {
        /// The share.
        fraction: f64,
    },
    /// Too few samples to leave some on each side.
    #[error("`validation_fraction` {fraction} of {samples} samples leaves none on one side")]
    TooFewToSplit {
        /// Samples there are.
        samples: usize,
        /// The share to hold out.
        fraction: f64,
    },

    // IDX.
    /// The first four bytes are not those of the IDX file that was expected.
    #[error(
        "{} starts with {found:02x?}, an IDX file of this kind (unsigned bytes, {} dimensions) starts with {expected:02x?}",
        path.display(), expected[3]
    )]
    IdxMagic {
        /// The file.
        path: PathBuf,
        /// Its first four bytes.
        found: [u8; 4],
        /// What they should be.
        expected: [u8; 4],
    },
    /// The file is not as long as its header says.
    #[error(
        "{} is {found} bytes long (unpacked), its header says {expected}; it is cut short or damaged",
        path.display()
    )]
    IdxLength {
        /// The file.
        path: PathBuf,
        /// Length by the header.
        expected: u128,
        /// Length in truth.
        found: u64,
    },
    /// Images of another shape than the model takes.
    #[error("{} holds images of {found:?}, the model takes {expected:?} (channels, height, width)", path.display())]
    IdxShape {
        /// The file.
        path: PathBuf,
        /// What the model takes.
        expected: [usize; 3],
        /// What the file holds.
        found: [usize; 3],
    },
    /// A folder of IDX files lacks a part.
    #[error(
        "{} has no IDX files of the {} part (no {})",
        folder.display(), split.name(),
        prefixes.iter().map(|prefix| format!("{prefix}-images-idx3-ubyte[.gz]")).collect::<Vec<_>>().join(" or ")
    )]
    NoIdxPart {
        /// The folder.
        folder: PathBuf,
        /// The part.
        split: Split,
        /// How the part's files may start.
        prefixes: &'static [&'static str],
    },
    /// The labels that belong to a file of images cannot be guessed from its name.
    #[error(
        "cannot tell which labels belong to {}; name the files as MNIST's are (`…-images-idx3-ubyte`, \
         `…-labels-idx1-ubyte`)",
        images.display()
    )]
    NoIdxLabels {
        /// The file of images.
        images: PathBuf,
    },
    /// Images and labels are not of one number.
    #[error(
        "{} has {labels} labels, {} has {images} images; they do not belong together",
        labels_path.display(), images_path.display()
    )]
    LabelCount {
        /// The images.
        images_path: PathBuf,
        /// Their number.
        images: usize,
        /// The labels.
        labels_path: PathBuf,
        /// Their number.
        labels: usize,
    },
    /// A label past the last class.
    #[error("label {index} of {} is {label}, but there are {classes} classes (0 to {})", path.display(), classes - 1)]
    LabelOutOfRange {
        /// The file of labels.
        path: PathBuf,
        /// The label's place, from 0.
        index: usize,
        /// The label.
        label: u8,
        /// Number of classes.
        classes: usize,
    },

    // Pictures.
    /// Bytes that are neither PNG nor JPEG.
    #[error("{origin} is not a PNG or JPEG picture")]
    NotAPicture {
        /// The file, or what else it is called.
        origin: String,
    },
    /// A picture that cannot be decoded.
    #[error("cannot decode {origin}; it is cut short or damaged")]
    Picture {
        /// The file, or what else it is called.
        origin: String,
        /// What the decoder said.
        #[source]
        source: image::ImageError,
    },
    /// A picture file past the limit.
    #[error("{origin} is {bytes} bytes long, the limit for pictures is {limit}")]
    PictureFileTooLarge {
        /// The file, or what else it is called.
        origin: String,
        /// Its length.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A picture whose header claims too many pixels.
    #[error(
        "{origin} says it is {width}×{height} pixels: past the limit of {limit}, or more than its {bytes} bytes can hold"
    )]
    PictureTooLarge {
        /// The file, or what else it is called.
        origin: String,
        /// Columns claimed.
        width: u64,
        /// Rows claimed.
        height: u64,
        /// The file's length.
        bytes: u64,
        /// Pixels allowed.
        limit: u64,
    },
    /// Pictures of several sizes, and no word on which to use.
    #[error(
        "{origin} is {}×{} pixels, the first picture {}×{}; set `image_size = [height, width]` to scale all to one size",
        found[1], found[0], expected[1], expected[0]
    )]
    MixedPictureSizes {
        /// The file.
        origin: String,
        /// Height and width of the first.
        expected: [usize; 2],
        /// Height and width of this one.
        found: [usize; 2],
    },
    /// The decoded pictures would not fit in memory.
    #[error(
        "{count} samples of {sample_shape:?} take more than {limit} bytes; choose a smaller `image_size`"
    )]
    DataTooLarge {
        /// Number of samples.
        count: usize,
        /// Shape of each.
        sample_shape: Vec<usize>,
        /// Bytes allowed.
        limit: u64,
    },

    // Tables.
    /// Text that is not UTF-8.
    #[error("{}, line {line}: not UTF-8 text; convert the file (for example with `iconv -f latin1 -t utf8`)", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// The CSV reader gave up.
    #[error("cannot parse {} as CSV", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: csv::Error,
    },
    /// A row of another length than the header.
    #[error("{}, line {line}: {found} fields, the header has {expected}", path.display())]
    RaggedRow {
        /// The file.
        path: PathBuf,
        /// The line on which the row starts, from 1.
        line: u64,
        /// Fields of the header.
        expected: usize,
        /// Fields of the row.
        found: usize,
    },
    /// A column without a name.
    #[error("{}: column {column} has no name; name it in the header, or leave it out with `drop = [\"\"]`", path.display())]
    UnnamedColumn {
        /// The file.
        path: PathBuf,
        /// The column, from 1.
        column: usize,
    },
    /// Two columns of one name.
    #[error("{} has two columns called `{name}`; rename one", path.display())]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// More columns than allowed.
    #[error("{} has {found} columns, the limit is {limit}", path.display())]
    TooManyColumns {
        /// The file.
        path: PathBuf,
        /// Its columns.
        found: usize,
        /// Columns allowed.
        limit: usize,
    },
    /// Columns were asked for of data that have none.
    #[error("{} holds data of format \"{}\", which have no columns; only tables (csv or parquet) do", path.display(), format.name())]
    NotATable {
        /// The data.
        path: PathBuf,
        /// Their format.
        format: Format,
    },
    /// A column that is not there.
    #[error("{} has no column `{name}`; it has {}", path.display(), Names(columns))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        name: String,
        /// The columns there are.
        columns: Vec<String>,
    },
    /// A column without a value in the training samples.
    #[error("column `{column}` has no value in any training sample; leave it out with `drop`")]
    EmptyColumn {
        /// The column.
        column: String,
    },
    /// A text column that is no category.
    #[error(
        "text column `{column}` has {found} different values, more than {limit}: it looks like names or identifiers; \
         leave it out with `drop`"
    )]
    TooManyCategories {
        /// The column.
        column: String,
        /// Its different values.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A value that should be a number, or one too large for the model.
    #[error("column `{column}`: \"{found}\" is not a number that the model can take")]
    BadNumber {
        /// The column.
        column: String,
        /// The value.
        found: String,
    },
    /// A row could not be used.
    #[error("{}, {place}", path.display())]
    AtRow {
        /// The file.
        path: PathBuf,
        /// The row.
        place: RowPlace,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// A file could not be used.
    #[error("cannot use {}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<Error>,
    },

    // Parquet.
    /// The file does not start and end as Parquet does.
    #[error("{} is not a Parquet file, or is cut short: it must start and end with \"PAR1\"", path.display())]
    ParquetMagic {
        /// The file.
        path: PathBuf,
    },
    /// A number or structure in the file cannot be right.
    #[error("{} is damaged: its {what} cannot be right", path.display())]
    ParquetMalformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The file claims more than its length justifies.
    #[error("{} claims {rows} rows of {columns} columns, more than a file of its length can be trusted with", path.display())]
    ParquetImplausible {
        /// The file.
        path: PathBuf,
        /// Rows claimed.
        rows: u64,
        /// Its columns.
        columns: usize,
    },
    /// The Parquet reader gave up.
    #[error("cannot decode {}; it is damaged or uses a feature that is not supported", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// The Parquet reader broke on the file.
    #[error("{} is damaged: decoding it stopped with \"{reason}\"", path.display())]
    ParquetDecoder {
        /// The file.
        path: PathBuf,
        /// What the decoder stopped with.
        reason: String,
    },
    /// A codec that is not built in.
    #[error(
        "{}: column `{column}` is compressed with {codec}, which is not built in; write the file with snappy, gzip, \
         brotli or lz4 (for example `pandas.read_parquet(…).to_parquet(…, compression=\"snappy\")`)",
        path.display()
    )]
    ParquetCodec {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The codec.
        codec: &'static str,
    },
    /// A column that holds lists or structures.
    #[error("{}: column `{column}` is nested; flatten it into columns of its own, or write the file without it", path.display())]
    NestedColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// A column of a type that is neither number, text nor boolean.
    #[error("{}: column `{column}` holds {found}; turn it into numbers or text, or leave it out with `drop`", path.display())]
    UnsupportedColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// What it holds.
        found: String,
    },
    /// A column of bytes that are not text.
    #[error("{}: column `{column}` holds bytes that are not UTF-8 text; leave it out with `drop`", path.display())]
    NotUtf8Column {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// An infinite number in a table.
    #[error("{}, row {row} (from 0): column `{column}` is infinite; make it a number or null", path.display())]
    InfiniteCell {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The row, from 0.
        row: usize,
    },

    // Labels.
    /// A row without a label.
    #[error("{}, {place}: no label{}; remove the row", path.display(), column.as_ref().map_or(String::new(), |name| format!(" in column `{name}`")))]
    MissingLabel {
        /// The file.
        path: PathBuf,
        /// The row.
        place: RowPlace,
        /// The label column.
        column: Option<String>,
    },
    /// A label that is none of the known classes.
    #[error("{}, {place}: label `{label}` is not one of the {} classes {}", path.display(), known.len(), Names(known))]
    UnknownLabel {
        /// The file or folder.
        path: PathBuf,
        /// The row.
        place: RowPlace,
        /// The label.
        label: String,
        /// The classes.
        known: Vec<String>,
    },
    /// Labels that cannot be classes.
    #[error(
        "{}: {}{found} different labels in {rows} rows do not look like classes (at most {limit}); choose another column \
         as `label`",
        path.display(), column.as_ref().map_or(String::new(), |name| format!("column `{name}`: "))
    )]
    TooManyClasses {
        /// The file or folder.
        path: PathBuf,
        /// The label column.
        column: Option<String>,
        /// Different labels.
        found: usize,
        /// Number of rows.
        rows: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// Only one class.
    #[error("{} has only the class `{name}`; there is nothing to tell apart", path.display())]
    SingleClass {
        /// The file or folder.
        path: PathBuf,
        /// The class.
        name: String,
    },

    // Numbers to learn, and labels of which several apply.
    /// A target that is not a number.
    #[error(
        "{}, {place}: column `{column}` is to be learnt as a number and holds `{found}`; mend it, or set `task = \
         \"classification\"`",
        path.display()
    )]
    TargetNotANumber {
        /// The file.
        path: PathBuf,
        /// The row.
        place: RowPlace,
        /// The column.
        column: String,
        /// What it holds.
        found: String,
    },
    /// A number that is too large to be learnt.
    #[error(
        "target `{column}` of sample {index} (from 0) is {value}; too large to be learnt, use another unit"
    )]
    TargetOutOfRange {
        /// The column.
        column: String,
        /// The sample.
        index: usize,
        /// The number.
        value: f64,
    },
    /// Scales that are not one per output.
    #[error("{scales} scales for {outputs} outputs")]
    TargetScales {
        /// Number of scales.
        scales: usize,
        /// Number of outputs.
        outputs: usize,
    },
    /// Targets without a class, a label or an output.
    #[error("there is nothing to learn: no class, no label and no output is named")]
    NoTargets,
    /// A label's column with something else than a flag.
    #[error("{}, {place}: column `{column}` holds `{found}`; a label's column holds 0, 1, true or false", path.display())]
    NotAFlag {
        /// The file.
        path: PathBuf,
        /// The row.
        place: RowPlace,
        /// The column.
        column: String,
        /// What it holds.
        found: String,
    },
    /// A flag that is neither 0 nor 1.
    #[error("label `{label}` of sample {index} (from 0) is {value}, expected 0 or 1")]
    FlagValue {
        /// The sample.
        index: usize,
        /// The label.
        label: String,
        /// The flag.
        value: u8,
    },
    /// A separator that separates nothing.
    #[error(
        "{}: no cell of column `{column}` has `{separator}` in it; is `label_separator` right?",
        path.display()
    )]
    NothingSeparated {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The separator.
        separator: String,
    },

    // Samples of clients, and preparations read from files.
    /// Data of another kind than the model takes.
    #[error("{} is not what the model takes: {expected}", path.display())]
    WrongKind {
        /// The data.
        path: PathBuf,
        /// What the model takes.
        expected: String,
    },
    /// A sample of another shape than the model takes.
    #[error("expected {expected}; got {found}")]
    SampleShape {
        /// What the model takes.
        expected: String,
        /// What came.
        found: String,
    },
    /// Nested arrays of different lengths.
    #[error("ragged array: one of its rows has {found} elements, its first {expected}")]
    RaggedSample {
        /// Length of the first.
        expected: usize,
        /// Length of another.
        found: usize,
    },
    /// A pixel that is not a number.
    #[error("pixel values must be numbers, got {found}")]
    PixelType {
        /// What came.
        found: &'static str,
    },
    /// A pixel out of range.
    #[error("pixel values must be from 0 to 255, raw as in the training files, got {found}")]
    PixelRange {
        /// What came.
        found: f64,
    },
    /// A row without one of the model's columns.
    #[error("column `{column}` is missing; send null when there is no value")]
    MissingField {
        /// The column.
        column: String,
    },
    /// A row with a column that the model does not know.
    #[error("unknown column `{field}`; expected {expected}")]
    UnknownField {
        /// What came.
        field: String,
        /// What the model takes.
        expected: String,
    },
    /// A picture sent to a model of table rows.
    #[error("the model does not take pictures; expected {expected}")]
    PictureForTable {
        /// What the model takes.
        expected: String,
    },
    /// A stored preparation that cannot be.
    #[error("preprocessing: `{field}` must be {expected}, not {found}")]
    PreprocessingValue {
        /// The field.
        field: &'static str,
        /// Its range.
        expected: String,
        /// Its value.
        found: String,
    },
    /// A stored preparation of a column that cannot be.
    #[error("preprocessing: column `{column}` must have {expected}")]
    TransformValue {
        /// The column.
        column: String,
        /// What it should have.
        expected: &'static str,
    },

    // Data sets and loaders made by hand.
    /// Features that are not that many samples.
    #[error("{stored} stored numbers are not {len} samples of {shape:?}")]
    FeatureCount {
        /// Shape of one sample.
        shape: Vec<usize>,
        /// Number of samples.
        len: usize,
        /// Numbers there are.
        stored: usize,
    },
    /// Channel factors that are not one per channel.
    #[error("{scale} scales and {shift} shifts for {channels} channels")]
    ChannelCount {
        /// Channels of a sample.
        channels: usize,
        /// Number of scales.
        scale: usize,
        /// Number of shifts.
        shift: usize,
    },
    /// Labels that are not one per sample.
    #[error("{labels} labels for {samples} samples")]
    LabelsPerSample {
        /// Number of samples.
        samples: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A label that is no class.
    #[error("label {index} is {label}, but there are {classes} classes")]
    LabelIndex {
        /// The label's place, from 0.
        index: usize,
        /// The label.
        label: i64,
        /// Number of classes.
        classes: usize,
    },
    /// An index past the last sample.
    #[error("there is no sample {index}, the data set has {len}")]
    NoSample {
        /// The index.
        index: usize,
        /// Number of samples.
        len: usize,
    },
    /// A batch size that is none, or larger than the data while only full batches are wanted.
    #[error("batches of {batch_size} from {samples} samples: there would be none")]
    NoBatch {
        /// Samples of a batch.
        batch_size: usize,
        /// Samples of the data set.
        samples: usize,
    },
    /// The thread that assembles batches could not be started, or ended without a word.
    #[error("the thread that assembles batches failed")]
    LoaderThread {
        /// What the system said, when it could not be started.
        #[source]
        source: Option<io::Error>,
    },
}

/// Where a row is, for a person who opens the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowPlace {
    /// The line on which it starts, from 1.
    Line(u64),
    /// Its number, from 0.
    Row(usize),
}

impl fmt::Display for RowPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowPlace::Line(line) => write!(f, "line {line}"),
            RowPlace::Row(row) => write!(f, "row {row} (from 0)"),
        }
    }
}

/// A list of names, cut where nobody would read on.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().take(NAMES_LISTED).enumerate() {
            write!(f, "{}`{name}`", if index == 0 { "" } else { ", " })?;
        }
        match self.0.len().saturating_sub(NAMES_LISTED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
