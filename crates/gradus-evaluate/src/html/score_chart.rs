//! Drawing ROC and precision-recall curves.

use plotters::prelude::*;

use super::chart::{self, Ink, SERIES};
use crate::{ClassCurves, Result};

/// Size in CSS pixels, before the page scales the chart to its own width.
const SIZE: [u32; 2] = [430, 330];

/// Keeps labels off the axis.
const EN_SPACE: char = '\u{2002}';

/// Which of the two kinds of curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Roc,
    PrecisionRecall,
}

impl Kind {
    fn points(self, class: &ClassCurves) -> &[[f64; 2]] {
        match self {
            Kind::Roc => &class.roc,
            Kind::PrecisionRecall => &class.precision_recall,
        }
    }

    /// The area that goes with the curve.
    pub(super) fn area(self, class: &ClassCurves) -> f64 {
        match self {
            Kind::Roc => class.roc_auc,
            Kind::PrecisionRecall => class.average_precision,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Kind::Roc => "ROC curve: area",
            Kind::PrecisionRecall => "Precision-recall curve: average precision",
        }
    }
}

/// The classes that are drawn in colour, the others being grey: those of least area.
pub(super) fn coloured(kind: Kind, classes: &[ClassCurves]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..classes.len()).collect();
    order.sort_by(|&a, &b| kind.area(&classes[a]).total_cmp(&kind.area(&classes[b])));
    order.truncate(SERIES);
    order
}

/// A line for each class over the unit square, and for ROC curves the diagonal of chance.
pub(super) fn draw(kind: Kind, classes: &[ClassCurves]) -> Result<String> {
    let areas = classes
        .iter()
        .map(|class| format!("{} {:.3}", class.label, kind.area(class)));
    let description = format!("{} of {}", kind.title(), areas.collect::<Vec<_>>().join(", "));
    let coloured = coloured(kind, classes);
    chart::svg(SIZE, &description, |area| {
        let mut plot = ChartBuilder::on(area)
            .margin_top(chart::units(10.0))
            .margin_right(chart::units(18.0))
            .x_label_area_size(chart::units(24.0))
            .y_label_area_size(chart::units(48.0))
            .build_cartesian_2d(0.0..1.0, 0.0..1.02)?;
        plot.configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(chart::stroke(Ink::Grid, 1.0))
            .axis_style(chart::stroke(Ink::Grid, 1.0))
            .set_all_tick_mark_size(0)
            .label_style(chart::text(Ink::Muted, 11.0))
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|value| format!("{value:.1}"))
            .y_label_formatter(&|value| format!("{value:.1}{EN_SPACE}"))
            .draw()?;
        if kind == Kind::Roc {
            let diagonal = [(0.0, 0.0), (1.0, 1.0)];
            plot.draw_series(LineSeries::new(diagonal, chart::stroke(Ink::Muted, 1.0)))?;
        }
        let line = |class: usize| kind.points(&classes[class]).iter().map(|&[x, y]| (x, y));
        for class in (0..classes.len()).filter(|class| !coloured.contains(class)) {
            let faint = ShapeStyle {
                color: Ink::Muted.placeholder().mix(0.45),
                ..chart::stroke(Ink::Muted, 1.0)
            };
            plot.draw_series(LineSeries::new(line(class), faint))?;
        }
        for (series, &class) in coloured.iter().enumerate().rev() {
            let ink = chart::stroke(Ink::Series(series), 2.0);
            plot.draw_series(LineSeries::new(line(class), ink))?;
        }
        Ok(())
    })
}
