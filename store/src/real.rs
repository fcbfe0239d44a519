//! Floating-point numbers as ClickHouse's JSON formats write them: a number, or the word `nan`, `inf` or `-inf`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A Float32 or Float64 read from JSON. A plain `f64` field would fail on the words, so that no NaN passes unnoticed;
/// use `Real` where the query can yield one, `Option<Real>` where it can be NULL.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Real(pub f64);

impl Real {
    /// The number when it is finite.
    pub fn finite(self) -> Option<f64> {
        self.0.is_finite().then_some(self.0)
    }
}

impl From<Real> for f64 {
    fn from(real: Real) -> Self {
        real.0
    }
}

impl<'de> Deserialize<'de> for Real {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RealVisitor;

        impl Visitor<'_> for RealVisitor {
            type Value = Real;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, \"nan\", \"inf\" or \"-inf\"")
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Real, E> {
                Ok(Real(value))
            }

            #[expect(
                clippy::cast_precision_loss,
                reason = "an integer-valued double is written without a point"
            )]
            fn visit_u64<E: Error>(self, value: u64) -> Result<Real, E> {
                Ok(Real(value as f64))
            }

            #[expect(
                clippy::cast_precision_loss,
                reason = "an integer-valued double is written without a point"
            )]
            fn visit_i64<E: Error>(self, value: i64) -> Result<Real, E> {
                Ok(Real(value as f64))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Real, E> {
                match value {
                    "nan" | "-nan" => Ok(Real(f64::NAN)),
                    "inf" | "+inf" => Ok(Real(f64::INFINITY)),
                    "-inf" => Ok(Real(f64::NEG_INFINITY)),
                    other => other
                        .parse()
                        .map(Real)
                        .map_err(|_| E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }
        }

        deserializer.deserialize_any(RealVisitor)
    }
}
