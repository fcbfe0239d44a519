//! Marks of our own on a plot of plotters: those that carry a title, a link or an instant.

use maud::{Markup, html};
use plotters::element::{Drawable, PointCollection};
use plotters_backend::BackendCoord;

use super::backend::{Svg, TICK_SIZE, Written, pixel, width};
use super::px;

/// A place in the picture, in pixels.
pub type Place = (f64, f64);

type Write<'w> = Box<dyn Fn(&[Place], &Svg) -> Markup + 'w>;

/// Elements that are written at the places of values.
pub struct Mark<'w> {
    values: Vec<(f64, f64)>,
    write: Write<'w>,
}

impl std::fmt::Debug for Mark<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mark").field("values", &self.values).finish_non_exhaustive()
    }
}

impl<'w> Mark<'w> {
    /// What is written of these values' places.
    pub fn new(values: Vec<(f64, f64)>, write: impl Fn(&[Place]) -> Markup + 'w) -> Self {
        Self { values, write: Box::new(move |places, _| write(places)) }
    }

    /// A label below an axis at a value, with its instant where it tells one; it stays in the picture.
    pub fn tick(value: (f64, f64), text: String, instant: Option<String>) -> Self {
        let write = move |places: &[Place], svg: &Svg| {
            let [(x, y), ..] = places else { return html! {} };
            let (x, anchor) =
                svg.within((x * super::backend::STEPS) as i32, width(&text, f64::from(TICK_SIZE)));
            html! { text.tick x=(px(pixel(x))) y=(px(y + 18.0)) text-anchor=(anchor) data-at=[&instant] { (text) } }
        };
        Self { values: vec![value], write: Box::new(write) }
    }
}

impl<'a> PointCollection<'a, (f64, f64)> for &'a Mark<'_> {
    type Point = &'a (f64, f64);
    type IntoIter = &'a [(f64, f64)];

    fn point_iter(self) -> &'a [(f64, f64)] {
        &self.values
    }
}

impl Drawable<Svg> for Mark<'_> {
    fn draw<I: Iterator<Item = BackendCoord>>(&self, at: I, svg: &mut Svg, _size: (u32, u32)) -> Written {
        let places: Vec<Place> = at.map(|(x, y)| (pixel(x), pixel(y))).collect();
        let elements = (self.write)(&places, svg);
        svg.write(&elements);
        Ok(())
    }
}

/// A bar between two corners, made smaller or larger by so many pixels at its sides and at its ends.
pub fn bar(class: &str, corners: [Place; 2], (wider, higher): (f64, f64)) -> Markup {
    bar_with(class, corners, (wider, higher), &html! {})
}

/// The same with elements in it, such as its title.
pub fn bar_with(
    class: &str,
    [(x1, y1), (x2, y2)]: [Place; 2],
    (wider, higher): (f64, f64),
    inside: &Markup,
) -> Markup {
    let (width, height) = ((x2 - x1).abs() + wider, (y2 - y1).abs() + higher);
    html! {
        rect class=(class) x=(px(x1.min(x2) - wider / 2.0)) y=(px(y1.min(y2) - higher / 2.0)) width=(px(width.max(0.0))) height=(px(height.max(0.0))) { (inside) }
    }
}
