use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A percentage between 0 and 100 with at most two decimals, kept in hundredths of a percent; on the wire
/// a number such as `12.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Percent(u32);

impl Percent {
    /// All of it.
    pub const ALL: Self = Self(10_000);

    /// So many hundredths of a percent; more than all are all.
    pub const fn from_hundredths(hundredths: u32) -> Self {
        Self(if hundredths > 10_000 { 10_000 } else { hundredths })
    }

    /// In hundredths of a percent.
    pub const fn hundredths(self) -> u32 {
        self.0
    }

    /// As a share: one is all.
    pub fn share(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }

    /// Of a share (one is all), rounded to hundredths of a percent.
    pub fn of_share(share: f64) -> Self {
        // `as` saturates, and what is no number is 0.
        Self::from_hundredths((share * 10_000.0).round() as u32)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0) / 100.0)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 % 100 {
            0 => serializer.serialize_u32(self.0 / 100),
            _ => serializer.serialize_f64(f64::from(self.0) / 100.0),
        }
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || D::Error::custom("a percentage is a number between 0 and 100 with at most two decimals");
        let number = f64::deserialize(deserializer).map_err(|_| wrong())?;
        let hundredths = (number * 100.0).round();
        // 33.33 has no exact binary form: what is a third decimal is far above this.
        if (0.0..=100.0).contains(&number) && (number * 100.0 - hundredths).abs() < 1e-6 {
            return Ok(Self(hundredths as u32));
        }
        Err(wrong())
    }
}

impl utoipa::PartialSchema for Percent {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        f64::schema()
    }
}

impl utoipa::ToSchema for Percent {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hundredth_reads_as_it_is_written() {
        for hundredths in 0..=10_000 {
            let text = serde_json::to_string(&Percent(hundredths)).expect("a number");
            assert_eq!(serde_json::from_str::<Percent>(&text).ok(), Some(Percent(hundredths)), "{text}");
        }
        for wrong in ["-0.01", "100.01", "12.345", "1e300", "\"5\"", "null", "true"] {
            assert!(serde_json::from_str::<Percent>(wrong).is_err(), "{wrong}");
        }
    }
}
