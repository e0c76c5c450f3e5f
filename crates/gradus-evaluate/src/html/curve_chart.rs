//! Drawing one panel of learning curves.

use plotters::prelude::*;

use super::chart::{self, Ink};
use super::format;
use super::history::CurvePanel;
use crate::Result;

/// Curves with more points than this are drawn faint, with their running mean on top.
const SMOOTHED_FROM: usize = 100;

/// Keeps labels off the axis.
const EN_SPACE: char = '\u{2002}';

/// Opacity of a curve that its running mean is drawn over.
const FAINT: f64 = 0.3;

/// The place that a panel takes in the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Beside another panel.
    Half,
    /// A row of its own.
    Full,
}

impl Place {
    /// Size in CSS pixels, before the page scales the chart to its own width.
    fn size(self) -> [u32; 2] {
        match self {
            Place::Half => [430, 210],
            Place::Full => [900, 236],
        }
    }
}

/// Whether a panel shows running means.
pub(super) fn is_smoothed(panel: &CurvePanel) -> bool {
    panel.noisy
        && panel
            .curves
            .iter()
            .any(|curve| curve.points.len() > SMOOTHED_FROM)
}

/// The chart of a panel: steps to the right, one line per curve.
pub(super) fn draw(panel: &CurvePanel, place: Place) -> Result<String> {
    let description = format!("{} over the training steps, from {}", panel.title, ends(panel));
    chart::svg(place.size(), &description, |area| {
        let ([x_low, x_high], [y_low, y_high]) = (range(panel, |p| p.0, 0.0), range(panel, |p| p.1, 0.06));
        let mut plot = ChartBuilder::on(area)
            .margin_top(chart::units(10.0))
            .margin_right(chart::units(18.0))
            .x_label_area_size(chart::units(24.0))
            .y_label_area_size(chart::units(48.0))
            .build_cartesian_2d(x_low..x_high, y_low..y_high)?;
        plot.configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(chart::stroke(Ink::Grid, 1.0))
            .axis_style(chart::stroke(Ink::Grid, 1.0))
            .set_all_tick_mark_size(0)
            .label_style(chart::text(Ink::Muted, 11.0))
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|step| format::count(step.round() as u64))
            .y_label_formatter(&|value| {
                let value = without_tick_noise(*value, y_high - y_low);
                format!("{}{EN_SPACE}", short_number(value))
            })
            .draw()?;
        for (index, curve) in panel.curves.iter().enumerate() {
            let ink = Ink::Series(index);
            let smooth = panel.noisy && curve.points.len() > SMOOTHED_FROM;
            if smooth {
                let faint = ShapeStyle {
                    color: ink.placeholder().mix(FAINT),
                    ..chart::stroke(ink, 1.0)
                };
                plot.draw_series(LineSeries::new(curve.points.iter().copied(), faint))?;
            }
            let points = if smooth {
                smoothed(&curve.points)
            } else {
                curve.points.clone()
            };
            plot.draw_series(LineSeries::new(points, chart::stroke(ink, 2.0)))?;
        }
        Ok(())
    })
}

/// A centred running mean over a twentieth of the curve.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let reach = points.len() / 40;
    let mean_around = |at: usize| {
        // Ends are averaged over what is there on both sides, so that a falling curve is not bent at its start.
        let reach = reach.min(at).min(points.len() - 1 - at);
        let near = &points[at - reach..=at + reach];
        (
            points[at].0,
            near.iter().map(|point| point.1).sum::<f64>() / near.len() as f64,
        )
    };
    (0..points.len()).map(mean_around).collect()
}

/// First and last value of each curve, in words.
fn ends(panel: &CurvePanel) -> String {
    let ends = panel.curves.iter().filter_map(|curve| {
        let (first, last) = (curve.points.first()?, curve.points.last()?);
        Some(format!(
            "{} {} to {}",
            curve.label(),
            short_number(first.1),
            short_number(last.1)
        ))
    });
    ends.collect::<Vec<_>>().join(", ")
}

/// Smallest and largest coordinate, widened by a share of their distance and never empty.
fn range(panel: &CurvePanel, coordinate: impl Fn(&(f64, f64)) -> f64, margin: f64) -> [f64; 2] {
    let values = panel
        .curves
        .iter()
        .flat_map(|curve| curve.points.iter().map(&coordinate));
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
        (l.min(v), h.max(v))
    });
    let distance = high - low;
    if distance > 0.0 {
        [low - margin * distance, high + margin * distance]
    } else {
        let half = (low.abs() * 0.5).max(1e-6);
        [low - half, high + half]
    }
}

/// Tick places are sums of steps, so the one at 0 comes out as something tiny.
fn without_tick_noise(value: f64, range: f64) -> f64 {
    if value.abs() < range * 1e-9 { 0.0 } else { value }
}

/// At most three significant digits, without trailing zeros.
pub(super) fn short_number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-3..1e5).contains(&magnitude) {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::history::Curve;
    use super::*;

    fn panel(points: Vec<(f64, f64)>) -> CurvePanel {
        CurvePanel {
            title: "Loss",
            noisy: true,
            curves: vec![Curve {
                name: "train_loss".into(),
                points,
            }],
        }
    }

    #[test]
    fn draws_flat_and_steep_curves() {
        for points in [
            vec![(1.0, 0.0), (2.0, 0.0)],
            vec![(0.0, 1e300), (1e9, -1e300)],
            vec![(5.0, 1.0), (5.0, 2.0)],
        ] {
            let markup = draw(&panel(points), Place::Half).unwrap();
            assert!(
                markup.contains("<polyline") && !markup.contains("NaN"),
                "{markup}"
            );
        }
    }

    #[test]
    fn smoothing_keeps_straight_lines_and_ends() {
        let line: Vec<_> = (0..200).map(|i| (f64::from(i), 3.0 * f64::from(i))).collect();
        for (smooth, straight) in smoothed(&line).iter().zip(&line) {
            assert_eq!(smooth.0, straight.0);
            assert!((smooth.1 - straight.1).abs() < 1e-9);
        }
    }

    #[test]
    fn a_tick_at_zero_is_zero() {
        assert_eq!(short_number(without_tick_noise(-3e-20, 1e-3)), "0");
        assert_eq!(short_number(without_tick_noise(2e-4, 1e-3)), "2e-4");
    }

    #[test]
    fn numbers_are_short() {
        let texts: Vec<_> = [0.0, 0.25, 2.0, 1e-4, 123456.0, -0.5].map(short_number).to_vec();
        assert_eq!(texts, ["0", "0.25", "2", "1e-4", "1e5", "-0.5"]);
    }
}
