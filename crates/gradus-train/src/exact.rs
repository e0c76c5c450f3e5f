//! Numbers that survive a trip through JSON bit for bit.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An `f64` written as its bits: JSON has no infinities and no NaN, and its decimal form may come back one unit in
/// the last place away, which would break bit-exact resume.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExactF64(pub f64);

impl PartialEq for ExactF64 {
    fn eq(&self, other: &ExactF64) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Serialize for ExactF64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.to_bits())
    }
}

impl<'de> Deserialize<'de> for ExactF64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ExactF64, D::Error> {
        u64::deserialize(deserializer).map(|bits| ExactF64(f64::from_bits(bits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_number_survives_json() {
        for value in [
            0.1,
            -0.0,
            f64::NAN,
            f64::INFINITY,
            f64::MIN_POSITIVE / 3.0,
            1.0 / 3.0,
        ] {
            let json = serde_json::to_string(&ExactF64(value)).unwrap();
            let back: ExactF64 = serde_json::from_str(&json).unwrap();
            assert_eq!(back, ExactF64(value), "{value}");
        }
    }
}
