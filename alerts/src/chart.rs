//! A feature's values before and now, as bars: in text for every receiver, as an image for mail.

use windvane_store::alerts::histogram::Histogram;

/// Eighths of a character, the lowest first.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Pixels of the image: two bars and a gap a bin, and room around.
const BAR: u32 = 14;
const GAP: u32 = 8;
const HEIGHT: u32 = 140;
const MARGIN: u32 = 8;
const WHITE: [u8; 3] = [255, 255, 255];
const GREY: [u8; 3] = [208, 215, 222];
const REFERENCE: [u8; 3] = [140, 149, 159];
const CURRENT: [u8; 3] = [207, 34, 46];

/// Both sides as a line of bars each, on one scale, with the ends of the range.
#[must_use]
pub fn text(histogram: &Histogram) -> String {
    let top = top(histogram);
    let line = |shares: &[f64]| shares.iter().map(|share| block(*share, top)).collect::<String>();
    let ends = match (histogram.bins.first(), histogram.bins.last()) {
        (Some(first), Some(last)) => format!("  {first} … {last}"),
        _ => String::new(),
    };
    format!("before {}{ends}\nnow    {}", line(&histogram.reference), line(&histogram.current))
}

#[expect(clippy::cast_sign_loss, reason = "a share is not below 0")]
fn block(share: f64, top: f64) -> char {
    if share <= 0.0 {
        return ' ';
    }
    let eighth = (share / top * BLOCKS.len() as f64).ceil() as usize;
    BLOCKS[eighth.clamp(1, BLOCKS.len()) - 1]
}

/// Both sides as a PNG: grey bars before, red bars now. Its words stand beside it in the mail, where they can be read aloud.
///
/// # Errors
/// The encoder fails.
#[expect(clippy::cast_sign_loss, reason = "it is clamped")]
pub fn image(histogram: &Histogram) -> Result<Vec<u8>, png::EncodingError> {
    let bins = u32::try_from(histogram.bins.len()).unwrap_or(0).clamp(1, 64);
    let width = 2 * MARGIN + bins * (2 * BAR + GAP);
    let mut canvas = Canvas::new(width, HEIGHT);
    let (top, room) = (top(histogram), HEIGHT - 2 * MARGIN);
    canvas.fill((MARGIN, HEIGHT - MARGIN), (width - 2 * MARGIN, 1), GREY);
    for (at, (before, now)) in
        histogram.reference.iter().zip(&histogram.current).take(bins as usize).enumerate()
    {
        let left = MARGIN + u32::try_from(at).unwrap_or(0) * (2 * BAR + GAP) + GAP / 2;
        for (offset, share, colour) in [(0, *before, REFERENCE), (BAR, *now, CURRENT)] {
            let height = (share / top * f64::from(room)).round().clamp(0.0, f64::from(room)) as u32;
            canvas.fill((left + offset, HEIGHT - MARGIN - height), (BAR, height), colour);
        }
    }
    canvas.png()
}

/// The largest share of both sides; 1 where there is none, so that nothing is divided by 0.
fn top(histogram: &Histogram) -> f64 {
    let top = histogram.reference.iter().chain(&histogram.current).copied().fold(0.0, f64::max);
    if top > 0.0 { top } else { 1.0 }
}

/// Pixels, row by row.
struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Canvas {
    fn new(width: u32, height: u32) -> Self {
        let pixels = WHITE.repeat((width * height) as usize);
        Self { width, height, pixels }
    }

    fn fill(&mut self, (left, top): (u32, u32), (width, height): (u32, u32), colour: [u8; 3]) {
        for y in top..(top + height).min(self.height) {
            for x in left..(left + width).min(self.width) {
                let at = ((y * self.width + x) * 3) as usize;
                self.pixels[at..at + 3].copy_from_slice(&colour);
            }
        }
    }

    fn png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(reference: &[f64], current: &[f64]) -> Histogram {
        let bins = (0..reference.len()).map(|at| at.to_string()).collect();
        Histogram { bins, reference: reference.to_vec(), current: current.to_vec() }
    }

    #[test]
    fn both_sides_stand_on_one_scale() {
        let shown = text(&histogram(&[0.1, 0.8, 0.1], &[0.0, 0.2, 0.8]));
        assert_eq!(shown, "before ▁█▁  0 … 2\nnow     ▂█");
        assert_eq!(text(&histogram(&[], &[])), "before \nnow    ");
    }

    #[test]
    fn the_image_has_a_bar_of_each_side_where_it_belongs() {
        let bytes = image(&histogram(&[1.0, 0.0], &[0.0, 0.5])).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((frame.width, frame.height), (88, 140));
        let pixel = |x: u32, y: u32| pixels[((y * frame.width + x) * 3) as usize..][..3].to_vec();
        // The first bin: all of the reference; the second: half of now.
        assert_eq!((pixel(15, 10), pixel(15 + BAR, 100)), (REFERENCE.to_vec(), WHITE.to_vec()));
        assert_eq!((pixel(70, 100), pixel(70, 60)), (CURRENT.to_vec(), WHITE.to_vec()));
    }
}
