//! `gradus new`: a commented recipe to start from.

use gradus_train::recipe::Recipe;

/// Print a commented recipe to start from.
///
/// Example: gradus new classifier > my.toml
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which recipe.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(Recipe::templates()))]
    template: String,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    super::output::write(Recipe::template(&args.template)?.as_bytes())
}
