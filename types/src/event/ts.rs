//! `ts`: RFC 3339 text with an offset, or integer microseconds since 1970; into microseconds.

use jiff::Timestamp;

use crate::rejection::{Code, Fault};

/// The earliest time that is taken: 1971-01-01. Integer seconds and milliseconds of any date before 2200 fall below it, so that a
/// wrong unit is refused and never stored as a time in 1970.
pub const TS_MIN_US: i64 = 31_536_000_000_000;

/// The latest time that is taken: 2200-01-01, exclusive. Integer nanoseconds lie beyond it.
pub const TS_MAX_US: i64 = 7_258_118_400_000_000;

const ACCEPTED: &str = "accepted are RFC 3339 with an offset such as \"2013-01-01T05:17:00.123456Z\" and integer \
     microseconds since 1970, from 1971 until 2200";

/// Reads RFC 3339 with an offset; what is finer than a microsecond is cut off.
///
/// # Errors
/// The text is no time, or one that is not taken.
pub fn from_text(text: &str) -> Result<i64, Fault> {
    let invalid = || {
        let shown: String = text.chars().take(64).collect();
        Fault::new(Code::TsInvalid, format!("`ts` is `{shown}`; {ACCEPTED}"))
    };
    if text.len() > 64 {
        return Err(invalid());
    }
    let ts: Timestamp = text.parse().map_err(|_| invalid())?;
    in_range(i128::from(ts.as_microsecond()))
}

/// Reads integer microseconds.
pub(super) fn from_integer(us: i128) -> Result<i64, Fault> {
    in_range(us)
}

/// Refuses a number that is no integer.
pub(super) fn from_float(number: f64) -> Fault {
    Fault::new(Code::TsInvalid, format!("`ts` is {number}; {ACCEPTED}"))
}

fn in_range(us: i128) -> Result<i64, Fault> {
    match i64::try_from(us) {
        Ok(ts) if (TS_MIN_US..TS_MAX_US).contains(&ts) => Ok(ts),
        _ => {
            let hint = match us {
                _ if us <= 0 => "",
                ..TS_MIN_US_WIDE => " (if it counts seconds or milliseconds, multiply it up to microseconds)",
                _ => " (if it counts nanoseconds, divide it down to microseconds)",
            };
            Err(Fault::new(
                Code::TsOutOfRange,
                format!("`ts` is {us} microseconds since 1970{hint}; {ACCEPTED}"),
            ))
        }
    }
}

const TS_MIN_US_WIDE: i128 = TS_MIN_US as i128;
