//! Units, as numbers in the file of points. Never change the order: what is kept has the numbers.

/// `StandardUnit` of the API Reference; the first stands for no unit.
pub const UNITS: &[&str] = &[
    "None",
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
];

/// The number of a unit.
pub fn number(unit: &str) -> Option<u8> {
    UNITS.iter().position(|known| *known == unit).map(|at| at as u8)
}

/// The unit of a number.
pub fn name(number: u8) -> &'static str {
    UNITS.get(usize::from(number)).copied().unwrap_or("None")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_found_by_its_number() {
        for unit in UNITS {
            assert_eq!(number(unit).map(name), Some(*unit));
        }
        assert_eq!(number("Furlongs"), None);
    }
}
