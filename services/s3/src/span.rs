//! Which bytes of an object are asked for: by a range, or by the number of a part.

use crate::errors;
use crate::records::{Object, Piece};
use crate::uploads::check_number;
use kiln_service_kit::Error;

/// The bytes that are asked for.
#[derive(Debug, PartialEq)]
pub struct Span {
    pub from: u64,
    pub to: u64,
    /// Asked for as a part, even if that is all.
    pub part: bool,
}

impl Span {
    /// By range or by part number. A range that is no range is not looked at, as HTTP wants it.
    pub fn of(object: &Object, range: Option<&str>, part: Option<i32>) -> Result<Self, Error> {
        if let Some(number) = part {
            if range.is_some() {
                return Err(errors::invalid_request("Cannot specify both Range header and partNumber query parameter"));
            }
            check_number(number)?;
            let at = usize::try_from(number - 1).ok().filter(|at| *at < object.parts.max(1));
            let at = at.ok_or_else(|| errors::invalid_part_number(number, object.parts.max(1)))?;
            let size = |pieces: &[Piece]| pieces.iter().map(|piece| piece.size).sum::<u64>();
            let (from, to) = (size(&object.pieces[..at]), size(&object.pieces[..=at]));
            return Ok(Self { from, to, part: from < to });
        }
        let whole = Self { from: 0, to: object.size, part: false };
        match range {
            Some(text) => Ok(Self::within(text, object.size)?.unwrap_or(whole)),
            None => Ok(whole),
        }
    }

    /// What `bytes=…` asks of so many; nothing where it is no such text.
    fn within(text: &str, size: u64) -> Result<Option<Self>, Error> {
        let Some((from, to)) = text.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
            return Ok(None);
        };
        let (from, to) = match (from.parse::<u64>(), to.parse::<u64>()) {
            (Ok(from), Ok(to)) if from <= to => (from, size.min(to.saturating_add(1))),
            (Ok(from), Err(_)) if to.is_empty() => (from, size),
            (Err(_), Ok(last)) if from.is_empty() => (size.saturating_sub(last), size),
            _ => return Ok(None),
        };
        if from >= to {
            return Err(errors::invalid_range(text, size));
        }
        Ok(Some(Self { from, to, part: true }))
    }

    /// Those of a copy's source that a part is made of: all that are asked for must be there.
    pub fn of_source(range: &str, size: u64) -> Result<Self, Error> {
        let bad = |text: &str| errors::invalid_argument("x-amz-copy-source-range", range, text);
        let ends = range.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
        let ends = ends.and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
        match ends.filter(|(first, last)| first <= last) {
            Some((first, last)) if last < size => Ok(Self { from: first, to: last + 1, part: true }),
            Some(_) => Err(bad(&format!("Range specified is not valid for source object of size: {size}"))),
            None => Err(bad(
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let of = |text| Span::within(text, 10);
        let part = |from, to| Some(Span { from, to, part: true });
        assert_eq!(of("bytes=0-3").unwrap(), part(0, 4));
        assert_eq!(of("bytes=5-99").unwrap(), part(5, 10));
        assert_eq!(of("bytes=7-").unwrap(), part(7, 10));
        assert_eq!(of("bytes=-4").unwrap(), part(6, 10));
        assert_eq!(of("bytes=-99").unwrap(), part(0, 10));
        for ignored in ["bytes=3-1", "items=0-3", "bytes=0-1,3-4", "bytes=a-b"] {
            assert_eq!(of(ignored).unwrap(), None, "{ignored}");
        }
        for beyond in ["bytes=10-", "bytes=-0", "bytes=99-100"] {
            assert_eq!(of(beyond).unwrap_err().code, "InvalidRange", "{beyond}");
        }
    }

    #[test]
    fn a_part_of_a_copy_is_all_that_was_asked_for_or_none() {
        let of = |text| Span::of_source(text, 10).map_err(|error| error.message);
        assert_eq!(of("bytes=0-9").unwrap(), Span { from: 0, to: 10, part: true });
        assert_eq!(of("bytes=0-10").unwrap_err(), "Range specified is not valid for source object of size: 10");
        for other in ["bytes=5-", "bytes=-5", "bytes=4-3", "0-9"] {
            assert!(of(other).unwrap_err().contains("bytes=first-last"), "{other}");
        }
    }
}
