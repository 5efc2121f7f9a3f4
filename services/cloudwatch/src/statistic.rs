//! Statistics: what they are called and what they are of a point. Source: the user guide, "CloudWatch statistics
//! definitions". What cannot be computed has no value: percentiles of statistic sets and of negative values.
//!
//! A percentile is a value that was measured: the least one with which so many per cent are reached. Trimmed statistics
//! count a value that lies across a bound by the part of it that is within.

use kiln_points::Point;

/// A statistic that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
    /// `p99.9`
    Percentile(f64),
    /// `TM(10%:90%)`, `tm90` and their kin.
    Trimmed(Trim, Bounds),
    /// `PR(100:2000)`
    Rank(Option<f64>, Option<f64>),
}

/// What is made of the values between bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    Mean,
    /// Those outside count as the bounds.
    Winsorized,
    Count,
    Sum,
}

/// The lower bound is without, the upper one within.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bounds {
    /// Percentiles.
    Share(f64, f64),
    /// Values.
    Value(Option<f64>, Option<f64>),
}

const IQM: Statistic = Statistic::Trimmed(Trim::Mean, Bounds::Share(25.0, 75.0));

impl Statistic {
    /// Reads any; none where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::simple(text).or_else(|| Self::extended(text))
    }

    /// One of the five that `Statistics` takes.
    pub fn simple(text: &str) -> Option<Self> {
        Some(match text {
            "SampleCount" => Self::SampleCount,
            "Average" => Self::Average,
            "Sum" => Self::Sum,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            _ => return None,
        })
    }

    /// One that `ExtendedStatistics` takes.
    pub fn extended(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        if lower == "iqm" {
            return Some(IQM);
        }
        if let Some(inner) = lower.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
            return bounded(inner.0, inner.1);
        }
        let digits = lower.find(|c: char| c.is_ascii_digit())?;
        let (name, number) = lower.split_at(digits);
        let share = share(number)?;
        match name {
            "p" => Some(Self::Percentile(share)),
            name => Some(Self::Trimmed(trim(name)?, Bounds::Share(0.0, share))),
        }
    }

    /// Whether it must be known which values there were.
    pub fn needs_distribution(self) -> bool {
        matches!(self, Self::Percentile(_) | Self::Trimmed(..) | Self::Rank(..))
    }

    /// Of a point; none where it cannot be computed.
    pub fn of(self, point: &Point) -> Option<f64> {
        match self {
            Self::SampleCount => Some(point.count),
            Self::Sum => Some(point.sum),
            Self::Average => (point.count > 0.0).then(|| point.sum / point.count),
            Self::Minimum => Some(point.least),
            Self::Maximum => Some(point.greatest),
            _ => {
                let values = point.distribution.values(point.least, point.greatest)?;
                let all: f64 = values.iter().map(|(_, count)| count).sum();
                if all <= 0.0 {
                    return None;
                }
                match self {
                    Self::Percentile(share) => percentile(&values, share / 100.0 * all),
                    Self::Rank(low, high) => {
                        let within: f64 = values.iter().filter(|(v, _)| is_within(*v, low, high)).map(|(_, c)| c).sum();
                        Some(within / all * 100.0)
                    }
                    Self::Trimmed(trim, Bounds::Share(low, high)) => {
                        by_share(trim, &values, low / 100.0 * all, high / 100.0 * all)
                    }
                    Self::Trimmed(trim, Bounds::Value(low, high)) => by_value(trim, &values, low, high),
                    _ => None,
                }
            }
        }
    }
}

/// A share of a hundred: at most ten digits behind the point.
fn share(text: &str) -> Option<f64> {
    let fits = text.chars().all(|c| c.is_ascii_digit() || c == '.') && text.len() <= 14;
    text.parse().ok().filter(|share: &f64| fits && (0.0..=100.0).contains(share))
}

fn trim(name: &str) -> Option<Trim> {
    Some(match name {
        "tm" => Trim::Mean,
        "wm" => Trim::Winsorized,
        "tc" => Trim::Count,
        "ts" => Trim::Sum,
        _ => return None,
    })
}

/// `TM(a%:b%)`, `TM(a:b)`, `PR(a:b)`; one bound may be left out.
fn bounded(name: &str, inner: &str) -> Option<Statistic> {
    let (low, high) = inner.split_once(':')?;
    let (low, high) = (low.trim(), high.trim());
    if low.is_empty() && high.is_empty() {
        return None;
    }
    if name != "pr" && (low.ends_with('%') || high.ends_with('%')) {
        let part = |text: &str, left_out: f64| match text.is_empty() {
            true => Some(left_out),
            false => share(text.strip_suffix('%')?),
        };
        let (low, high) = (part(low, 0.0)?, part(high, 100.0)?);
        return (low < high).then_some(Statistic::Trimmed(trim(name)?, Bounds::Share(low, high)));
    }
    let part = |text: &str| match text.is_empty() {
        true => Some(None),
        false => text.parse().ok().filter(|value: &f64| value.is_finite()).map(Some),
    };
    let (low, high) = (part(low)?, part(high)?);
    if low.zip(high).is_some_and(|(low, high)| low >= high) {
        return None;
    }
    match name {
        "pr" => Some(Statistic::Rank(low, high)),
        name => Some(Statistic::Trimmed(trim(name)?, Bounds::Value(low, high))),
    }
}

fn is_within(value: f64, low: Option<f64>, high: Option<f64>) -> bool {
    low.is_none_or(|low| value > low) && high.is_none_or(|high| value <= high)
}

/// The least value with which a rank is reached.
fn percentile(values: &[(f64, f64)], rank: f64) -> Option<f64> {
    let mut below = 0.0;
    for (value, count) in values {
        below += count;
        // What is lost in adding up shares of counts.
        if below >= rank * (1.0 - 1e-12) {
            return Some(*value);
        }
    }
    values.last().map(|(value, _)| *value)
}

fn by_share(trim: Trim, values: &[(f64, f64)], low: f64, high: f64) -> Option<f64> {
    let (mut below, mut count, mut sum, mut edges) = (0.0f64, 0.0, 0.0, None);
    for (value, times) in values {
        let within = (below + times).min(high) - below.max(low);
        if within > 0.0 {
            count += within;
            sum += value * within;
            edges = Some((edges.map_or(*value, |(first, _)| first), *value));
        }
        below += times;
    }
    let (least, greatest) = edges?;
    Some(match trim {
        Trim::Mean => sum / count,
        Trim::Winsorized => (sum + least * low + greatest * (below - high).max(0.0)) / below,
        Trim::Count => count,
        Trim::Sum => sum,
    })
}

fn by_value(trim: Trim, values: &[(f64, f64)], low: Option<f64>, high: Option<f64>) -> Option<f64> {
    let (mut count, mut sum, mut all, mut winsorized) = (0.0, 0.0, 0.0, 0.0);
    for (value, times) in values {
        if is_within(*value, low, high) {
            count += times;
            sum += value * times;
        }
        all += times;
        winsorized += value.max(low.unwrap_or(*value)).min(high.unwrap_or(f64::INFINITY)) * times;
    }
    match trim {
        Trim::Count => Some(count),
        Trim::Sum => Some(sum),
        Trim::Mean => (count > 0.0).then(|| sum / count),
        Trim::Winsorized => Some(winsorized / all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_points::Observed;

    fn of(text: &str, values: &[f64]) -> Option<f64> {
        let values = values.iter().map(|value| (*value, 1.0)).collect();
        Statistic::parse(text).unwrap_or_else(|| panic!("{text} is one")).of(&Point::of(&Observed::Values(values)))
    }

    #[test]
    fn each_statistic_of_ten_values() {
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        let table = [
            ("SampleCount", 10.0),
            ("Average", 5.5),
            ("Sum", 55.0),
            ("Minimum", 1.0),
            ("Maximum", 10.0),
            ("p0", 1.0),
            ("p50", 5.0),
            ("p90", 9.0),
            ("p99.9", 10.0),
            ("p100", 10.0),
            ("tm90", 5.0),
            ("TM(10%:90%)", 5.5),
            ("TM(:50%)", 3.0),
            ("tc90", 9.0),
            ("TC(2:5)", 3.0),
            ("ts90", 45.0),
            ("TS(80%:)", 19.0),
            ("TS(2:5)", 12.0),
            ("TM(2:5)", 4.0),
            ("wm80", 5.2),
            ("WM(2:5)", 4.1),
            ("WM(10%:90%)", 5.5),
            ("PR(:3)", 30.0),
            ("PR(3:)", 70.0),
            ("PR(3:5)", 20.0),
            ("IQM", 5.5),
        ];
        for (text, expected) in table {
            let found = of(text, &ten).unwrap_or_else(|| panic!("{text} can be computed"));
            assert!((found - expected).abs() < 1e-9, "{text}: {found}, not {expected}");
        }
        assert_eq!(of("TM(20:30)", &ten), None, "nothing is within");
        assert_eq!(of("p50", &[1.0, -1.0]), None, "not of negative values");
    }

    #[test]
    fn what_is_no_statistic_is_told() {
        for text in [
            "",
            "p",
            "p101",
            "p-1",
            "p1e1",
            "average",
            "TM(90%:10%)",
            "TM(:)",
            "PR(10%:20%)",
            "xm90",
            "TM(1:",
            "p99.12345678901234",
            "TM(nan:inf)",
        ] {
            assert_eq!(Statistic::parse(text), None, "{text}");
        }
    }

    #[test]
    fn of_a_set_only_sums_are_known() {
        let set = Point::of(&Observed::Set { count: 4.0, sum: 10.0, least: 1.0, greatest: 4.0 });
        assert_eq!(Statistic::Average.of(&set), Some(2.5));
        assert_eq!(Statistic::parse("p90").expect("one").of(&set), None);
    }
}
