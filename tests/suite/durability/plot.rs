//! Renders line charts over time as one SVG, one chart below the other.

use std::fmt::Write as _;

/// One chart with one line.
pub(crate) struct Chart {
    pub(crate) name: String,
    /// One value per second.
    pub(crate) values: Vec<f64>,
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 110.0;
const LEFT: f64 = 60.0;

/// Renders the charts as SVG.
pub(crate) fn plot(charts: &[Chart]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a few charts")]
    let total_height = (HEIGHT + 40.0) * charts.len() as f64 + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{total_height}\" \
         font-family=\"sans-serif\" font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>",
        WIDTH + LEFT + 20.0
    );
    let mut top = 30.0;
    for chart in charts {
        let maximum = chart.values.iter().copied().fold(0.0, f64::max);
        let scale = if maximum > 0.0 { HEIGHT / maximum } else { 0.0 };
        #[expect(clippy::cast_precision_loss, reason = "at most a few thousand")]
        let (step, seconds) = (
            WIDTH / chart.values.len().max(2) as f64,
            chart.values.len() as f64,
        );
        let bottom = top + HEIGHT;
        let mut points = String::new();
        let mut x = LEFT;
        for value in &chart.values {
            write!(points, "{x:.1},{:.1} ", bottom - value * scale).unwrap();
            x += step;
        }
        write!(
            svg,
            "<text x=\"{LEFT}\" y=\"{}\">{}</text>\
             <text x=\"4\" y=\"{}\">{maximum:.3}</text><text x=\"4\" y=\"{bottom}\">0</text>\
             <text x=\"{}\" y=\"{}\">{seconds} s</text>\
             <path d=\"M{LEFT},{top} V{bottom} H{}\" fill=\"none\" stroke=\"#999\"/>\
             <polyline points=\"{points}\" fill=\"none\" stroke=\"#0b57a4\" stroke-width=\"1.5\"/>",
            top - 8.0,
            chart.name,
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
