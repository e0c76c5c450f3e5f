//! Drawing a reliability diagram.

use plotters::prelude::*;

use super::chart::{self, Ink};
use super::format;
use crate::Result;
use crate::calibration::Reliability;

/// Size in CSS pixels, before the page scales the chart to its own width.
const SIZE: [u32; 2] = [430, 300];

/// Keeps labels off the axis.
const EN_SPACE: char = '\u{2002}';

/// The radius of the largest bin's dot, and of the smallest.
const RADII: [f64; 2] = [9.0, 2.5];

/// Accuracy over confidence: a dot for each bin, its area the share of samples, joined by a line, and the diagonal on which a
/// model's word can be taken.
pub(super) fn draw(reliability: &Reliability) -> Result<String> {
    let ece = format::percent(reliability.expected_calibration_error);
    let bins = &reliability.bins;
    let places = bins.iter().map(|bin| {
        format!(
            "{} sure, {} right",
            format::percent(bin.confidence),
            format::percent(bin.accuracy)
        )
    });
    let places: Vec<String> = places.collect();
    let description = format!(
        "Reliability diagram, expected calibration error {ece}: {}",
        places.join("; ")
    );
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(1).max(1) as f64;
    chart::svg(SIZE, &description, |area| {
        let mut plot = ChartBuilder::on(area)
            .margin_top(chart::units(12.0))
            .margin_right(chart::units(18.0))
            .x_label_area_size(chart::units(24.0))
            .y_label_area_size(chart::units(48.0))
            .build_cartesian_2d(0.0..1.03, -0.02..1.03)?;
        plot.configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(chart::stroke(Ink::Grid, 1.0))
            .axis_style(chart::stroke(Ink::Grid, 1.0))
            .set_all_tick_mark_size(0)
            .label_style(chart::text(Ink::Muted, 11.0))
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|share| format!("{:.0}\u{202f}%", 100.0 * share))
            .y_label_formatter(&|share| format!("{:.0}\u{202f}%{EN_SPACE}", 100.0 * share))
            .draw()?;
        let diagonal = [(0.0, 0.0), (1.0, 1.0)];
        plot.draw_series(LineSeries::new(diagonal, chart::stroke(Ink::Muted, 1.0)))?;
        let line = bins.iter().map(|bin| (bin.confidence, bin.accuracy));
        plot.draw_series(LineSeries::new(line, chart::stroke(Ink::Series(0), 1.5)))?;
        plot.draw_series(bins.iter().map(|bin| {
            let radius = RADII[1] + (RADII[0] - RADII[1]) * (bin.count as f64 / most).sqrt();
            let place = (bin.confidence, bin.accuracy);
            Circle::new(place, chart::units(radius), Ink::Series(0).placeholder().filled())
        }))?;
        Ok(())
    })
}
