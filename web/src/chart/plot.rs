//! A picture with a plot in it, by plotters: where the plot lies, grids and labels of its axes, and the marks on it.

use std::convert::Infallible;

use maud::{Markup, PreEscaped, html};
use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition, MeshStyle};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::{AsRangedCoord, BoldPoints, Ranged, ValueFormatter};
use plotters::drawing::{DrawingAreaErrorKind, IntoDrawingArea};
use plotters::style::{IntoFont, TRANSPARENT, TextStyle};

use super::axis::Axis;
use super::backend::{Ink, STEPS, Svg, TICK_SIZE};
use super::marks::Mark;
use super::{minute_at, px, time_label};

/// Labels of an axis of times at the most: days are told apart by them, and they do not meet.
const TIMES: usize = 7;

/// A plot that is being drawn.
pub type Chart<X> = ChartContext<'static, Svg, Cartesian2d<X, Axis>>;

/// Whether something could be drawn.
pub type Drawn = Result<(), DrawingAreaErrorKind<Infallible>>;

/// Where a plot lies in its picture, in pixels.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// The picture's width and height.
    pub size: (f64, f64),
    /// The plot's left and right end.
    pub x: (f64, f64),
    /// The plot's lower and upper end.
    pub y: (f64, f64),
}

impl Frame {
    /// The attribute of the picture's element.
    pub fn view_box(&self) -> String {
        format!("0 0 {} {}", px(self.size.0), px(self.size.1))
    }
}

/// The elements of a picture: `draw` draws over these axes.
pub fn plot<X>(
    frame: Frame,
    (x, y): (X, Axis),
    draw: impl FnOnce(&mut Chart<X::CoordDescType>) -> Drawn,
) -> Markup
where
    X: AsRangedCoord,
{
    let svg = Svg::new((steps(frame.size.0).unsigned_abs(), steps(frame.size.1).unsigned_abs()));
    let area = svg.clone().into_drawing_area();
    // Plotters ends a plot a step before its area ends.
    let drawn = ChartBuilder::on(&area)
        .margin_top(steps(frame.y.1))
        .margin_right(steps(frame.size.0 - frame.x.1) - 1)
        .set_label_area_size(LabelAreaPosition::Left, steps(frame.x.0))
        .set_label_area_size(LabelAreaPosition::Bottom, steps(frame.size.1 - frame.y.0) - 1)
        .build_cartesian_2d(x, y)
        .and_then(|mut chart| draw(&mut chart));
    match drawn {
        Ok(()) => PreEscaped(svg.take()),
        Err(error) => {
            tracing::error!(%error, "a chart could not be drawn");
            html! { text x="0" y="20" { "This chart could not be drawn; the figures are in the table." } }
        }
    }
}

fn steps(pixels: f64) -> i32 {
    (pixels * STEPS).round() as i32
}

fn tick() -> TextStyle<'static> {
    TextStyle::from(("sans-serif", TICK_SIZE).into_font()).color(&Ink::TICK)
}

/// A mesh with a line a label and nothing else of its own.
fn plain<'m, 'a, 'b, X, Y>(mesh: &'m mut MeshStyle<'a, 'b, X, Y, Svg>) -> &'m mut MeshStyle<'a, 'b, X, Y, Svg>
where
    X: Ranged,
    Y: Ranged,
{
    mesh.max_light_lines(0)
        .light_line_style(TRANSPARENT)
        .axis_style(TRANSPARENT)
        .set_all_tick_mark_size(40)
        .label_style(tick())
}

/// A grid at round values with their labels to the left of it.
pub fn left<X>(chart: &mut Chart<X>, labels: usize, text: &dyn Fn(&f64) -> String) -> Drawn
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    plain(&mut chart.configure_mesh())
        .disable_x_mesh()
        .disable_x_axis()
        .bold_line_style(Ink::GRID)
        .y_labels(labels)
        .y_label_formatter(text)
        .draw()
}

/// Labels below at round values, with a grid where one is wanted.
pub fn below<X>(chart: &mut Chart<X>, (labels, grid): (usize, bool), text: &dyn Fn(&f64) -> String) -> Drawn
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let lines = if grid { Ink::GRID.into() } else { plotters::style::ShapeStyle::from(TRANSPARENT) };
    plain(&mut chart.configure_mesh())
        .disable_y_mesh()
        .disable_y_axis()
        .bold_line_style(lines)
        .x_labels(labels)
        .x_label_formatter(text)
        .draw()
}

/// Labels below an axis of times or of whole numbers; a label that tells a minute has its instant for the script of the page.
pub fn along(chart: &mut Chart<Axis>) -> Drawn {
    let axis = chart.as_coord_spec().x_spec().clone();
    let Axis::Times(_) = axis else {
        return below(chart, (TIMES, false), &|at| axis.format_ext(at));
    };
    let foot = chart.y_range().start;
    let length = axis.length();
    for time in axis.key_points(BoldPoints(TIMES)) {
        let text = time_label(time, length);
        let label = Mark::tick((time, foot), text, minute_at(time, length));
        chart.plotting_area().draw(&label)?;
    }
    Ok(())
}
