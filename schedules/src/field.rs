//! One field of a cron expression: which numbers it names.

/// A field whose numbers are within bounds; names (JAN, MON) count from the least.
pub struct Of {
    pub least: i32,
    pub most: i32,
    pub names: &'static [&'static str],
}

/// The numbers that are named, sorted; `*` and `?` are all of them.
pub fn numbers(text: &str, of: &Of) -> Option<Vec<i32>> {
    let mut all = vec![];
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step, &Of { least: 1, most: of.most, names: &[] })?)),
            None => (part, None),
        };
        let (from, to) = match range {
            "*" => (of.least, of.most),
            range => match range.split_once('-') {
                Some((from, to)) => (number(from, of)?, number(to, of)?),
                // `5/15`: from 5 on.
                None => (number(range, of)?, if step.is_some() { of.most } else { number(range, of)? }),
            },
        };
        let step = step.unwrap_or(1).unsigned_abs() as usize;
        match from <= to {
            true => all.extend((from..=to).step_by(step)),
            // FRI-MON goes around.
            false => all.extend((from..=of.most).chain(of.least..=to).step_by(step)),
        }
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}

/// One number, or the name of one.
pub fn number(text: &str, of: &Of) -> Option<i32> {
    let named = of.names.iter().position(|name| name.eq_ignore_ascii_case(text)).map(|at| of.least + at as i32);
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    let number = named.or_else(|| digits.then(|| text.parse().ok()).flatten())?;
    (of.least..=of.most).contains(&number).then_some(number)
}
