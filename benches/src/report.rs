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

/// The figure below which so many of a hundred lie.
pub fn percentile(figures: &[f64], percent: usize) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let rank = (figures.len() * percent).div_ceil(100).max(1);
    figures.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
