//! A backend of plotters that writes SVG: classes of the page's style in the place of colours, so that charts follow light and dark, print and forced colours.
//!
//! It counts in tenths of a pixel, as plotters counts in whole numbers, and writes pixels.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use maud::{Markup, html};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

use super::px;

/// Steps of the backend's coordinates in a pixel.
pub const STEPS: f64 = 10.0;
/// The size of the type of an axis' labels, in steps.
pub const TICK_SIZE: u32 = 115;
/// How wide a character is, in parts of the type's size: no font is at hand to measure it.
const WIDTH_OF_CHARACTER: f64 = 0.56;

/// Whether something could be written.
pub type Written = Result<(), DrawingErrorKind<Infallible>>;

/// What plotters takes for a colour: a class of the style of the page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ink(u8);

/// The classes, each at the number of its ink.
const CLASSES: [&str; 20] = [
    "",
    "grid",
    "tick",
    "base",
    "zero",
    "floor",
    "estimate",
    "always",
    "fixed",
    "line s0",
    "line s1",
    "line s2",
    "line s3",
    "line s4",
    "line s5",
    "area s0",
    "reference",
    "current",
    "label",
    "figures",
];

impl Ink {
    /// What the style gives an element without a class.
    pub const PLAIN: Self = Self(0);
    /// Lines behind everything at the labels of an axis.
    pub const GRID: Self = Self(1);
    /// Labels of an axis.
    pub const TICK: Self = Self(2);
    /// The line that bars stand on.
    pub const BASE: Self = Self(3);
    /// No difference.
    pub const ZERO: Self = Self(4);
    /// A line to compare with.
    pub const FLOOR: Self = Self(5);
    /// An estimate over time.
    pub const ESTIMATE: Self = Self(6);
    /// The interval that holds at any time.
    pub const ALWAYS: Self = Self(7);
    /// The interval of one look.
    pub const FIXED: Self = Self(8);
    /// The area below the first line.
    pub const AREA: Self = Self(15);

    /// The line of a series; the ones after the last colour share it.
    pub fn line(series: usize) -> Self {
        Self(9 + series.min(super::lines::COLOURS - 1) as u8)
    }

    fn class(colour: BackendColor) -> Option<&'static str> {
        CLASSES.get(usize::from(colour.rgb.0)).copied().filter(|class| !class.is_empty())
    }
}

impl Color for Ink {
    fn to_backend_color(&self) -> BackendColor {
        BackendColor { alpha: 1.0, rgb: (self.0, 0, 0) }
    }
}

/// The backend; clones write to the same picture.
#[derive(Debug, Clone)]
pub struct Svg {
    size: (u32, u32),
    written: Rc<RefCell<String>>,
}

impl Svg {
    /// An empty picture of this size in steps.
    pub fn new(size: (u32, u32)) -> Self {
        Self { size, written: Rc::default() }
    }

    /// Writes elements as they are.
    pub fn write(&self, elements: &Markup) {
        self.written.borrow_mut().push_str(&elements.0);
    }

    /// What was written, which is no longer held after it.
    pub fn take(&self) -> String {
        self.written.take()
    }

    /// Where a text of this width that is centred at a place is anchored so that it does not leave the picture, and how.
    pub fn within(&self, x: i32, width: u32) -> (i32, &'static str) {
        let half = (width / 2) as i32;
        match (x - half < 0, x + half > self.size.0 as i32) {
            (true, _) => (0, "start"),
            (_, true) => (self.size.0 as i32, "end"),
            _ => (x, "middle"),
        }
    }
}

/// How wide a text is about, in steps.
pub fn width(text: &str, size: f64) -> u32 {
    ((text.chars().count() as f64 * size * WIDTH_OF_CHARACTER) as i32).unsigned_abs()
}

/// A step as a pixel.
pub fn pixel(step: i32) -> f64 {
    f64::from(step) / STEPS
}

fn shown(step: i32) -> String {
    px(pixel(step))
}

fn corners(path: impl IntoIterator<Item = BackendCoord>) -> String {
    let corner = |(x, y)| format!("{},{}", shown(x), shown(y));
    path.into_iter().map(corner).collect::<Vec<_>>().join(" ")
}

/// Whether nothing is to be seen of it.
fn hidden(colour: BackendColor) -> bool {
    colour.alpha == 0.0
}

impl DrawingBackend for Svg {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Written {
        Ok(())
    }

    fn present(&mut self) -> Written {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Written {
        if !hidden(colour) {
            self.write(
                &html! { rect class=[Ink::class(colour)] x=(shown(x)) y=(shown(y)) width="1" height="1" {} },
            );
        }
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Written {
        if !hidden(style.color()) {
            let class = Ink::class(style.color());
            self.write(&html! { line class=[class] x1=(shown(from.0)) x2=(shown(to.0)) y1=(shown(from.1)) y2=(shown(to.1)) {} });
        }
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        _fill: bool,
    ) -> Written {
        if !hidden(style.color()) {
            let (width, height) = (bottom_right.0 - upper_left.0, bottom_right.1 - upper_left.1);
            let class = Ink::class(style.color());
            self.write(&html! { rect class=[class] x=(shown(upper_left.0)) y=(shown(upper_left.1)) width=(shown(width)) height=(shown(height)) {} });
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Written {
        if !hidden(style.color()) {
            self.write(&html! { polyline class=[Ink::class(style.color())] points=(corners(path)) {} });
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        _fill: bool,
    ) -> Written {
        if !hidden(style.color()) {
            let class = Ink::class(style.color());
            self.write(&html! { circle class=[class] cx=(shown(center.0)) cy=(shown(center.1)) r=(px(f64::from(radius) / STEPS)) {} });
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Written {
        if !hidden(style.color()) {
            self.write(&html! { polygon class=[Ink::class(style.color())] points=(corners(vert)) {} });
        }
        Ok(())
    }

    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, (x, y): BackendCoord) -> Written {
        if hidden(style.color()) {
            return Ok(());
        }
        let (x, anchor) = match style.anchor().h_pos {
            HPos::Left => (x, "start"),
            HPos::Right => (x, "end"),
            HPos::Center => self.within(x, width(text, style.size())),
        };
        // SVG places the line that letters stand on.
        let down = match style.anchor().v_pos {
            VPos::Top => 0.8,
            VPos::Center => 0.35,
            VPos::Bottom => 0.0,
        };
        let y = pixel(y) + style.size() * down / STEPS;
        self.write(&html! { text class=[Ink::class(style.color())] x=(shown(x)) y=(px(y)) text-anchor=(anchor) { (text) } });
        Ok(())
    }

    fn estimate_text_size<T: BackendTextStyle>(
        &self,
        text: &str,
        style: &T,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        Ok((width(text, style.size()), width("x", style.size() / WIDTH_OF_CHARACTER)))
    }
}

#[cfg(test)]
mod tests {
    use plotters::prelude::{AreaSeries, IntoDrawingArea, PathElement, Rectangle, TRANSPARENT};
    use plotters::style::{IntoFont, TextStyle};

    use super::*;

    fn drawn(draw: impl FnOnce(&plotters::drawing::DrawingArea<Svg, plotters::coord::Shift>)) -> String {
        let svg = Svg::new((1000, 500));
        draw(&svg.clone().into_drawing_area());
        svg.take()
    }

    #[test]
    fn elements_have_classes_and_pixels_to_a_tenth() {
        let written = drawn(|area| {
            area.draw(&PathElement::new(vec![(0, 5), (123, 400)], Ink::line(1))).unwrap();
            area.draw(&Rectangle::new([(10, 20), (30, 45)], Ink::BASE)).unwrap();
            area.draw(&PathElement::new(vec![(0, 0), (1, 1)], TRANSPARENT)).unwrap();
        });
        assert_eq!(
            written,
            "<polyline class=\"line s1\" points=\"0,0.5 12.3,40\"></polyline>\
             <rect class=\"base\" x=\"1\" y=\"2\" width=\"2\" height=\"2.5\"></rect>"
        );
    }

    #[test]
    fn every_ink_has_the_class_that_it_is_named_for() {
        let class = |ink: Ink| Ink::class(ink.to_backend_color());
        assert_eq!([Ink::GRID, Ink::TICK, Ink::BASE].map(class), [Some("grid"), Some("tick"), Some("base")]);
        assert_eq!(
            [Ink::ZERO, Ink::FLOOR, Ink::ESTIMATE].map(class),
            [Some("zero"), Some("floor"), Some("estimate")]
        );
        assert_eq!(
            [Ink::ALWAYS, Ink::FIXED, Ink::AREA].map(class),
            [Some("always"), Some("fixed"), Some("area s0")]
        );
        assert_eq!(class(Ink::PLAIN), None);
        assert_eq!(
            [Ink::line(0), Ink::line(5), Ink::line(60)].map(class),
            [Some("line s0"), Some("line s5"), Some("line s5")]
        );
    }

    #[test]
    fn texts_are_escaped_and_stay_in_the_picture() {
        let style = TextStyle::from(("sans-serif", TICK_SIZE).into_font()).color(&Ink::TICK);
        let centred = style.pos(plotters::style::text_anchor::Pos::new(HPos::Center, VPos::Top));
        let written = drawn(|area| {
            area.draw_text("<a long label>", &centred, (990, 0)).unwrap();
            area.draw_text("5", &centred, (500, 0)).unwrap();
        });
        assert_eq!(
            written,
            "<text class=\"tick\" x=\"100\" y=\"9.2\" text-anchor=\"end\">&lt;a long label&gt;</text>\
             <text class=\"tick\" x=\"50\" y=\"9.2\" text-anchor=\"middle\">5</text>"
        );
    }

    #[test]
    fn an_area_has_no_second_line_around_it() {
        let written = drawn(|area| {
            for element in AreaSeries::new([(0, 10), (100, 20)], 500, Ink::AREA) {
                area.draw(&element).unwrap();
            }
        });
        assert!(
            written.starts_with("<polygon class=\"area s0\"") && !written.contains("polyline"),
            "{written}"
        );
    }
}
