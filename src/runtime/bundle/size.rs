//! How large a part may be: bytes with a unit, as people write them.

use std::str::FromStr;

/// The largest size of a part. At least [`PartSize::LEAST`]: a package has a few hundred parts at the most then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartSize(u64);

const UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

impl PartSize {
    /// The smallest that is accepted.
    const LEAST: u64 = 1 << 20;
    /// Every package in one part.
    pub const WHOLE: Self = Self(u64::MAX);

    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// A size below the least, for packages of a few bytes.
    #[cfg(test)]
    pub(super) fn tiny(bytes: u64) -> Self {
        Self(bytes)
    }
}

impl FromStr for PartSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, factor) = UNITS
            .iter()
            .find_map(|(unit, factor)| Some((text.strip_suffix(*unit)?, *factor)))
            .unwrap_or((text, 1));
        let bytes = digits.trim_end().parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        match bytes {
            Some(bytes) if bytes >= Self::LEAST => Ok(Self(bytes)),
            Some(_) => Err("a part has 1 MiB or more".to_owned()),
            None => {
                Err("accepted are a whole number of bytes, or one with a unit: `60MiB`, `4GB`, `1500KiB`"
                    .to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PartSize;

    #[test]
    fn sizes_are_read_with_and_without_a_unit() {
        for (text, expected) in [
            ("60MiB", Some(62_914_560)),
            ("60 MiB", Some(62_914_560)),
            ("2GiB", Some(2_147_483_648)),
            ("4GB", Some(4_000_000_000)),
            ("1500KiB", Some(1_536_000)),
            ("2000kB", Some(2_000_000)),
            ("1048576", Some(1_048_576)),
            ("1048576B", Some(1_048_576)),
            ("1048575", None),
            ("0MiB", None),
            ("-60MiB", None),
            ("1.5GiB", None),
            ("MiB", None),
            ("60mib", None),
            ("17179869185GiB", None),
            ("", None),
        ] {
            let size = text.parse::<PartSize>();
            assert_eq!(size.as_ref().ok().map(|size| size.bytes()), expected, "{text}: {size:?}");
        }
    }
}
