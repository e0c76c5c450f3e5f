//! The page about a search: how it went on, which settings mattered, what the good trials have in common.

use super::importance::{Importance, importances};
use super::outcome::best_trial;
use super::space::{Domain, Parameter};
use super::study::Study;
use super::trial::{State, Trial};
use crate::Result;
use gradus_evaluate::html::{
    ParallelAxis, ParallelThread, Sheet, SheetPart, SheetSection, SheetTile, TrialPoint, parallel_chart,
    share_chart, trial_chart,
};

/// Settings with an axis of their own; with more, the most important.
const MOST_AXES: usize = 7;

/// Trials in the table.
const LISTED: usize = 12;

/// The page as HTML, one file.
///
/// # Errors
/// [`Error::NoBest`](crate::Error::NoBest) for a search without a result; [`Error::Evaluate`](crate::Error::Evaluate) when
/// a chart cannot be drawn, which is not expected.
pub fn report(study: &Study, title: &str, best_recipe: &str) -> Result<String> {
    let best = best_trial(study)?;
    let shares = importances(&study.history());
    let settings = study.settings();
    let value = short(best.value().unwrap_or(f64::NAN));
    let sheet = Sheet {
        kicker: "Hyperparameter search".to_owned(),
        title: title.to_owned(),
        data: settings.space.join(" · "),
        verdict: format!(
            "Trial {} is the best of {}: {} {value}.",
            best.number,
            study.trials().len(),
            settings.metric.replace('_', " ")
        ),
        tiles: tiles(study, best),
        note: note(study),
        sections: vec![
            history_section(study)?,
            importance_section(&shares)?,
            parallel_section(study, &shares)?,
            trials_section(study, best_recipe),
        ],
    };
    Ok(sheet.render()?)
}

fn tiles(study: &Study, best: &Trial) -> Vec<SheetTile> {
    let tile = |name: &str, value: String, note: String| SheetTile {
        name: name.to_owned(),
        value,
        note,
    };
    let count =
        |wanted: fn(&State) -> bool| study.trials().iter().filter(|trial| wanted(&trial.state)).count();
    let complete = count(|state| matches!(state, State::Complete { .. }));
    let pruned = count(|state| matches!(state, State::Pruned));
    let failed = count(|state| matches!(state, State::Failed { .. }));
    let steps: u64 = study.trials().iter().map(|trial| trial.steps).sum();
    vec![
        tile(
            &study.settings().metric.replace('_', " "),
            short(best.value().unwrap_or(f64::NAN)),
            format!("trial {}", best.number),
        ),
        tile(
            "trials",
            study.trials().len().to_string(),
            format!("{failed} failed"),
        ),
        tile("trained to the end", complete.to_string(), String::new()),
        tile("stopped early", pruned.to_string(), String::new()),
        tile("training steps", steps.to_string(), "all trials".to_owned()),
    ]
}

fn note(study: &Study) -> String {
    let settings = study.settings();
    format!(
        "Sampler {}, pruner {}, seed {}. The value of the best of many trials flatters: measure the model that its recipe trains on data that no trial has seen.",
        name_of(&settings.sampler),
        name_of(&settings.pruner),
        settings.seed
    )
}

/// An enum's name as it is typed.
fn name_of(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

fn history_section(study: &Study) -> Result<SheetSection> {
    let history = study.history();
    let mut best: Option<f64> = None;
    let mut points = Vec::new();
    for trial in study.trials() {
        if let Some(value) = trial.value().filter(|value| !value.is_nan()) {
            let worst = study.settings().direction.worst();
            if history.direction.improves(best.unwrap_or(worst), value, 0.0) {
                best = Some(value);
            }
        }
        let Some(value) = trial.value().or(trial.last().map(|(_, value)| value)) else {
            continue;
        };
        points.push(TrialPoint {
            number: trial.number,
            value,
            is_complete: trial.value().is_some(),
            best,
        });
    }
    Ok(SheetSection {
        heading: "How the search went on".to_owned(),
        note: "A dot is what a trial reached; a faint one was stopped early, at the edge if it lies beyond. The line is the best so far.".to_owned(),
        parts: vec![SheetPart::Figure {
            title: study.settings().metric.replace('_', " "),
            axis: "over trials".to_owned(),
            svg: trial_chart(&points)?,
        }],
    })
}

fn importance_section(shares: &[Importance]) -> Result<SheetSection> {
    let heading = "Which settings matter".to_owned();
    if shares.is_empty() {
        return Ok(SheetSection {
            heading,
            note: "Too few different results to tell.".to_owned(),
            parts: Vec::new(),
        });
    }
    let bars: Vec<(String, f64)> = shares
        .iter()
        .map(|importance| (importance.key.clone(), importance.share))
        .collect();
    Ok(SheetSection {
        heading,
        note: "How much each setting decides whether a trial is among the best tenth (PED-ANOVA): small shares can be left at their defaults.".to_owned(),
        parts: vec![SheetPart::Figure {
            title: "importance".to_owned(),
            axis: "share of all settings".to_owned(),
            svg: share_chart(&bars)?,
        }],
    })
}

fn parallel_section(study: &Study, shares: &[Importance]) -> Result<SheetSection> {
    let rank = |parameter: &Parameter| {
        let place = shares
            .iter()
            .position(|importance| importance.key == parameter.key);
        place.unwrap_or(usize::MAX)
    };
    let mut chosen: Vec<(usize, &Parameter)> = study.space().parameters().iter().enumerate().collect();
    chosen.sort_by_key(|(at, parameter)| (rank(parameter), *at));
    chosen.truncate(MOST_AXES);
    let mut complete: Vec<&Trial> = study
        .history()
        .complete()
        .filter(|trial| trial.value().is_some_and(f64::is_finite))
        .collect();
    complete.sort_by(|a, b| study.history().order(a, b));
    let good = complete.len().div_ceil(10);
    let values = complete.iter().filter_map(|trial| trial.value());
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let mut axes: Vec<ParallelAxis> = chosen.iter().map(|(_, parameter)| axis(parameter)).collect();
    axes.push(ParallelAxis {
        name: study.settings().metric.replace('_', " "),
        ticks: vec![(0.0, short(low)), (1.0, short(high))],
    });
    let thread = |(rank, trial): (usize, &&Trial)| {
        let mut places: Vec<f64> = chosen
            .iter()
            .map(|(at, parameter)| place(&parameter.domain, trial.point[*at]))
            .collect();
        let value = trial.value().unwrap_or(low);
        places.push(if high > low {
            (value - low) / (high - low)
        } else {
            0.5
        });
        ParallelThread {
            places,
            is_good: rank < good,
        }
    };
    let threads: Vec<ParallelThread> = complete.iter().enumerate().map(thread).collect();
    Ok(SheetSection {
        heading: "What the good trials have in common".to_owned(),
        note: "Each line is a trial that was trained to its end; the best tenth is drawn over the others."
            .to_owned(),
        parts: vec![SheetPart::Figure {
            title: "parallel coordinates".to_owned(),
            axis: "most important settings first".to_owned(),
            svg: parallel_chart(&axes, &threads)?,
        }],
    })
}

/// Where a value lies on its axis.
fn place(domain: &Domain, value: f64) -> f64 {
    match domain {
        Domain::Range(range) => range.unit(value),
        Domain::Choice(choices) => (value + 0.5) / choices.len() as f64,
    }
}

fn axis(parameter: &Parameter) -> ParallelAxis {
    let values: Vec<f64> = match &parameter.domain {
        Domain::Range(range) => vec![range.low, parameter.domain.at(0.5), range.high],
        Domain::Choice(choices) => (0..choices.len()).map(|choice| choice as f64).collect(),
    };
    let tick = |value: f64| {
        let text = match &parameter.domain {
            Domain::Range(_) => short(value),
            Domain::Choice(_) => parameter.domain.text(value).trim_matches('"').to_owned(),
        };
        (place(&parameter.domain, value), text)
    };
    ParallelAxis {
        name: parameter.key.clone(),
        ticks: values.into_iter().map(tick).collect(),
    }
}

fn trials_section(study: &Study, best_recipe: &str) -> SheetSection {
    let parameters = study.space().parameters();
    let mut heading = vec!["Trial".to_owned(), study.settings().metric.replace('_', " ")];
    heading.extend(parameters.iter().map(|parameter| parameter.key.clone()));
    let mut complete: Vec<&Trial> = study.history().complete().collect();
    complete.sort_by(|a, b| study.history().order(a, b));
    let row = |trial: &&Trial| {
        let mut cells = vec![trial.number.to_string(), short(trial.value().unwrap_or(f64::NAN))];
        cells.extend(setting_texts(parameters, &trial.point));
        cells
    };
    SheetSection {
        heading: "Best trials".to_owned(),
        note: String::new(),
        parts: vec![
            SheetPart::Table {
                heading,
                rows: complete.iter().take(LISTED).map(row).collect(),
            },
            SheetPart::Folded {
                title: "Best recipe".to_owned(),
                text: best_recipe.to_owned(),
            },
        ],
    }
}

/// The settings of a point, for people.
pub fn setting_texts(parameters: &[Parameter], point: &[f64]) -> Vec<String> {
    let text = |(parameter, &value): (&Parameter, &f64)| match &parameter.domain {
        Domain::Range(range) if !range.whole => short(value),
        Domain::Range(_) | Domain::Choice(_) => parameter.domain.text(value).trim_matches('"').to_owned(),
    };
    parameters.iter().zip(point).map(text).collect()
}

/// Four significant digits.
fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-3..5).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.*}", (3 - magnitude).max(0) as usize);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits() {
        let got = [0.87654, 512.0, 0.00123456, 1.5e-5, 123456.0, 0.0].map(short);
        assert_eq!(got, ["0.8765", "512", "0.001235", "1.50e-5", "1.23e5", "0"]);
    }
}
