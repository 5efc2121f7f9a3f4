//! Labels of results, with what they say in `${…}`. Source: the user guide, "Using dynamic labels".

use crate::math::Series;
use kiln_service_kit::Timestamp;

/// The label of a series: as given, with its dynamic parts; else the metric's name or the expression's id.
pub fn label(given: Option<&str>, default: &str, series: &Series, zone: i64) -> String {
    let Some(given) = given else { return default.to_owned() };
    let mut out = String::new();
    let mut rest = given;
    while let Some((before, behind)) = rest.split_once("${") {
        out.push_str(before);
        let Some((name, after)) = behind.split_once('}') else {
            out.push_str("${");
            rest = behind;
            continue;
        };
        match dynamic(name, default, series, zone) {
            Some(text) => out.push_str(&text),
            None => out.push_str(&format!("${{{name}}}")),
        }
        rest = after;
    }
    out + rest
}

fn dynamic(name: &str, default: &str, series: &Series, zone: i64) -> Option<String> {
    let values = || series.points.iter().map(|(_, value)| *value);
    let none = || "--".to_owned();
    let number = |value: Option<f64>| value.map_or_else(none, shown);
    let by = |greatest: bool| {
        let order = |a: &&(i64, f64), b: &&(i64, f64)| a.1.total_cmp(&b.1);
        if greatest { series.points.iter().max_by(order) } else { series.points.iter().min_by(order) }
    };
    let (what, time) = match name.strip_suffix("_TIME_RELATIVE").or_else(|| name.strip_suffix("_TIME")) {
        Some(what) => (what, true),
        None => (name, false),
    };
    let point = match what {
        "MAX" => by(true).copied(),
        "MIN" => by(false).copied(),
        "FIRST" => series.points.first().copied(),
        "LAST" => series.points.last().copied(),
        _ => None,
    };
    if time && matches!(what, "MAX" | "MIN" | "FIRST" | "LAST") {
        return Some(point.map_or_else(none, |(at, _)| {
            let text = Timestamp::from_epoch_seconds(at + zone).iso8601();
            text.trim_end_matches('Z').replace('T', " ")
        }));
    }
    let many = series.points.len() as f64;
    Some(match name {
        "LABEL" => default.to_owned(),
        "MAX" | "MIN" | "FIRST" | "LAST" => number(point.map(|(_, value)| value)),
        "AVG" => number((many > 0.0).then(|| values().sum::<f64>() / many)),
        "SUM" => number((many > 0.0).then(|| values().sum())),
        "DATAPOINT_COUNT" => format!("{many}"),
        "MAX_TIME_RELATIVE" | "MIN_TIME_RELATIVE" => return None,
        "PROP('AccountId')" => series.metric.as_ref()?.account.clone(),
        "PROP('Region')" => series.metric.as_ref()?.region.clone(),
        "PROP('MetricName')" => series.metric.as_ref()?.name.clone(),
        "PROP('Namespace')" => series.metric.as_ref()?.namespace.clone(),
        "PROP('Period')" => series.period.to_string(),
        "PROP('Stat')" => series.statistic.clone(),
        other => {
            let dimension = other.strip_prefix("PROP('Dim.")?.strip_suffix("')")?;
            let known = &series.metric.as_ref()?.dimensions;
            known.iter().find(|(name, _)| name == dimension)?.1.clone()
        }
    })
}

fn shown(value: f64) -> String {
    let rounded = (value * 1000.0).round() / 1000.0;
    format!("{rounded}")
}

/// Seconds of `+0130`; none where it is no zone.
pub fn zone(text: &str) -> Option<i64> {
    let (sign, digits) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(digits), _) => (1, digits),
        (_, Some(digits)) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_say_what_the_series_has() {
        let series =
            Series { period: 60, points: vec![(0, 2.0), (60, 5.0)], statistic: "Sum".into(), ..Series::default() };
        let of = |given| label(Some(given), "Requests", &series, 3600);
        assert_eq!(of("plain"), "plain");
        assert_eq!(of("${LABEL}: ${MIN}-${MAX} avg ${AVG}"), "Requests: 2-5 avg 3.5");
        assert_eq!(of("${LAST_TIME} ${PROP('Stat')} ${NOPE} ${x"), "1970-01-01 01:01:00 Sum ${NOPE} ${x");
        assert_eq!(label(None, "Requests", &series, 0), "Requests");
        assert_eq!(label(Some("${MAX}"), "e1", &Series::default(), 0), "--");
        assert_eq!((zone("+0130"), zone("-0500"), zone("0500"), zone("+9900")), (Some(5400), Some(-18000), None, None));
    }
}
