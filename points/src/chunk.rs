//! A row: a level's points of some hours, one after the other.

use crate::bytes::{Reader, put_number};
use crate::point::Point;

/// How the points in a row are written.
const FORMAT: u8 = 1;

/// Writes points, in the order of their times, of a row that begins at `start`.
pub fn write(start: i64, seconds: i64, points: &[(i64, Point)]) -> Vec<u8> {
    let mut out = vec![FORMAT];
    let mut last = 0;
    for (at, point) in points {
        let place = ((at - start) / seconds) as u64;
        put_number(&mut out, place - last);
        point.write(&mut out);
        last = place;
    }
    out
}

/// Tells each point of a row, with its time; none where the row is not one.
pub fn read(row: &[u8], start: i64, seconds: i64, distribution: bool, mut tell: impl FnMut(i64, Point)) -> Option<()> {
    let mut reader = Reader(row);
    if reader.byte()? != FORMAT {
        return None;
    }
    let mut place = 0i64;
    while !reader.is_empty() {
        place = place.checked_add(i64::try_from(reader.number()?).ok()?)?;
        let at = place.checked_mul(seconds)?.checked_add(start)?;
        tell(at, Point::read(&mut reader, distribution)?);
    }
    Some(())
}

/// The points of a row with more of them.
pub fn merged(mut there: Vec<(i64, Point)>, more: Vec<(i64, Point)>) -> Vec<(i64, Point)> {
    for (at, point) in more {
        // Nearly always behind all that is there.
        match there.last_mut() {
            None => there.push((at, point)),
            Some((last, _)) if *last < at => there.push((at, point)),
            Some((last, known)) if *last == at => known.add(&point),
            Some(_) => match there.binary_search_by_key(&at, |(known, _)| *known) {
                Ok(place) => there[place].1.add(&point),
                Err(place) => there.insert(place, (at, point)),
            },
        }
    }
    there
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::Observed;

    fn point(value: f64) -> Point {
        Point::of(&Observed::Values(vec![(value, 1.0)]))
    }

    #[test]
    fn a_row_is_read_as_it_was_written_and_damage_is_told() {
        let points = merged(vec![(60, point(1.0)), (180, point(2.0))], vec![(120, point(3.0)), (180, point(4.0))]);
        let row = write(0, 60, &points);
        let mut found = vec![];
        read(&row, 0, 60, true, |at, point| found.push((at, point))).expect("a row");
        assert_eq!(found, points);
        assert_eq!(found[2].1.count, 2.0);
        for cut in [0, 5, row.len() - 1] {
            assert!(read(&row[..cut], 0, 60, true, |_, _| ()).is_none(), "{cut}");
        }
    }
}
