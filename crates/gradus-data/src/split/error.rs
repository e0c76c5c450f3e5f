//! What can be wrong with a division.

/// Why rows could not be divided.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// A share that is not from 0 to 1.
    #[error("the {part} share must be from 0 to 1, not {share}")]
    Share {
        /// The part.
        part: &'static str,
        /// Its share.
        share: f64,
    },
    /// Shares of more than everything.
    #[error(
        "the shares {train} (train), {validation} (validation) and {test} (test) add up to {sum}, more than 1"
    )]
    SharesSum {
        /// The training share.
        train: f64,
        /// The validation share.
        validation: f64,
        /// The test share.
        test: f64,
        /// Their sum.
        sum: f64,
    },
    /// A part that was asked for and got no row.
    #[error(
        "the {part} part, {share} of {rows} {unit}, would be empty; give it a larger share or bring more data"
    )]
    EmptyPart {
        /// The part.
        part: &'static str,
        /// Its share.
        share: f64,
        /// Rows, groups or points in time there are.
        rows: usize,
        /// Which of them.
        unit: &'static str,
    },
    /// Fewer than two folds.
    #[error("there must be at least 2 folds, not {folds}")]
    TooFewFolds {
        /// Folds asked for.
        folds: usize,
    },
    /// More folds than there is to divide.
    #[error("{folds} folds need at least {needed} {unit}, there are {found}")]
    TooManyFolds {
        /// Folds asked for.
        folds: usize,
        /// Rows, groups or points in time needed.
        needed: usize,
        /// How many there are.
        found: usize,
        /// Rows, groups or points in time.
        unit: &'static str,
    },
    /// No class has a row for every fold.
    #[error(
        "no class has {folds} rows, the largest has {largest}: {folds} folds cannot be stratified; take fewer"
    )]
    ClassesTooSmall {
        /// Folds asked for.
        folds: usize,
        /// Rows of the largest class.
        largest: usize,
    },
    /// A time that is no number.
    #[error("row {row} (from 0) has no time; remove it, or divide by another column")]
    NoTime {
        /// The row.
        row: usize,
    },
    /// A group that is none.
    #[error(
        "column `{column}`, row {row} (from 0) is empty: it belongs to no group; fill it, or remove the row"
    )]
    NoGroup {
        /// The column.
        column: String,
        /// The row.
        row: usize,
    },
    /// Text that cannot be put in order of time.
    #[error(
        "column `{column}` holds \"{found}\", which is no time; write numbers or dates such as 2026-03-31"
    )]
    NotATime {
        /// The column.
        column: String,
        /// The text.
        found: String,
    },
    /// A column to divide by, of data without columns.
    #[error("only tables (CSV, Parquet) have columns such as `{column}` to divide by")]
    NeedsTable {
        /// The column.
        column: String,
    },
    /// A gap or a window that leaves nothing to train on.
    #[error(
        "fold {fold} (from 0) would have nothing to train on: {before} rows are older than its test rows and the gap \
         is {gap}"
    )]
    NothingToTrainOn {
        /// The fold.
        fold: usize,
        /// Rows before its test rows.
        before: usize,
        /// The gap.
        gap: usize,
    },
    /// A size that must be at least one.
    #[error("`{field}` must be at least 1")]
    ZeroSize {
        /// The field.
        field: &'static str,
    },
    /// Lists that are not one entry per row each.
    #[error("{labels} labels and {groups} groups: there must be one of each per row")]
    Lengths {
        /// Number of labels.
        labels: usize,
        /// Number of groups.
        groups: usize,
    },
}
