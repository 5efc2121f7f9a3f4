//! Units, as numbers in the file of points. Never change the order: what is kept has the numbers.

/// `StandardUnit` of the API Reference; the first stands for no unit.
const UNITS: [&str; 27] = [
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

/// The number of a unit that the model lists.
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
    use kiln_cloudwatch_shapes::STANDARD_UNIT;

    #[test]
    fn every_unit_of_the_model_has_a_number() {
        for unit in STANDARD_UNIT {
            assert_eq!(number(unit).map(name), Some(*unit));
        }
        assert_eq!(STANDARD_UNIT.len(), UNITS.len());
    }
}
