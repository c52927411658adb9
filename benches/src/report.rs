//! How figures are printed and judged.

use std::io::Write;

/// One line for people.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone is no matter for a benchmark.
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// A figure beside its goal: says whether it is met, and never fails the run.
pub fn judged(name: &str, figure: f64, unit: &str, goal: &str, met: bool) {
    line(&format!("  {name:<58} {figure:>9.2} {unit:<6} goal {goal:<12} {}", if met { "met" } else { "MISSED" }));
}

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
