//! Lines over time, one strip below the other, as an SVG.

use std::fmt::Write as _;

/// One line.
pub(crate) struct Strip {
    pub(crate) name: String,
    /// One a second.
    pub(crate) values: Vec<f64>,
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 110.0;
const LEFT: f64 = 60.0;

/// Draws the strips.
pub(crate) fn plot(strips: &[Strip]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a few strips")]
    let whole = (HEIGHT + 40.0) * strips.len() as f64 + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{whole}\" \
         font-family=\"sans-serif\" font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>",
        WIDTH + LEFT + 20.0
    );
    let mut top = 30.0;
    for strip in strips {
        let most = strip.values.iter().copied().fold(0.0, f64::max);
        let scale = if most > 0.0 { HEIGHT / most } else { 0.0 };
        #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
        let (step, last) = (
            WIDTH / strip.values.len().max(2) as f64,
            strip.values.len() as f64,
        );
        let bottom = top + HEIGHT;
        let mut points = String::new();
        let mut x = LEFT;
        for value in &strip.values {
            write!(points, "{x:.1},{:.1} ", bottom - value * scale).unwrap();
            x += step;
        }
        write!(
            svg,
            "<text x=\"{LEFT}\" y=\"{}\">{}</text>\
             <text x=\"4\" y=\"{}\">{most:.3}</text><text x=\"4\" y=\"{bottom}\">0</text>\
             <text x=\"{}\" y=\"{}\">{last} s</text>\
             <path d=\"M{LEFT},{top} V{bottom} H{}\" fill=\"none\" stroke=\"#999\"/>\
             <polyline points=\"{points}\" fill=\"none\" stroke=\"#0b57a4\" stroke-width=\"1.5\"/>",
            top - 8.0,
            strip.name,
            top + 10.0,
            LEFT + WIDTH - 30.0,
            bottom + 15.0,
            LEFT + WIDTH
        )
        .unwrap();
        top += HEIGHT + 40.0;
    }
    svg.push_str("</svg>\n");
    svg
}
