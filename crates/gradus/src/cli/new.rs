//! `gradus new`: a commented recipe to start from.

use std::path::PathBuf;

use anyhow::bail;
use gradus_train::recipe::{Recipe, TableRecipe};

/// Print a commented recipe to start from.
///
/// Examples: gradus new classifier > my.toml
/// and gradus new table --data titanic.csv --label survived > titanic.toml
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which recipe.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(Recipe::templates()))]
    template: String,
    /// For `table`: the CSV or Parquet file, whose columns of names and identifiers are left out.
    #[arg(long, value_name = "FILE", requires = "label")]
    data: Option<PathBuf>,
    /// For `table`: the column that holds the class.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    label: Option<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let (Some(data), Some(label)) = (&args.data, &args.label) else {
        return super::output::write(Recipe::template(&args.template)?.as_bytes());
    };
    if args.template != "table" {
        bail!(
            "--data and --label are for `gradus new table`, not for `{}`",
            args.template
        );
    }
    let recipe = TableRecipe::new(data, label, &[])?;
    tell_dropped(&recipe);
    super::output::write(recipe.text.as_bytes())
}

/// Says which columns are left out, on standard error.
pub(crate) fn tell_dropped(recipe: &TableRecipe) {
    for advice in &recipe.dropped {
        super::output::say(format_args!(
            "column `{}` is left out: {}",
            advice.column, advice.reason
        ));
    }
}
