//! Numbers as bytes: short ones short. Readers never trust what they read: an end that comes early is `None`.

/// Appends a whole number, seven bits a byte.
pub fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number as u8 & 0x7f) | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a number with a sign.
pub fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// Appends a number with a fraction.
pub fn put_real(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends a count: nearly all are whole and small.
pub fn put_count(out: &mut Vec<u8>, count: f64) {
    match count.fract() == 0.0 && (0.0..4e15).contains(&count) {
        true => put_number(out, (count as u64) << 1),
        false => {
            put_number(out, 1);
            put_real(out, count);
        }
    }
}

/// Takes from the front of bytes.
pub struct Reader<'b>(pub &'b [u8]);

impl Reader<'_> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    pub fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub fn real(&mut self) -> Option<f64> {
        let (first, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(f64::from_le_bytes(*first))
    }

    pub fn count(&mut self) -> Option<f64> {
        match self.number()? {
            1 => self.real(),
            number => Some((number >> 1) as f64),
        }
    }

    pub fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_read() {
        let mut out = vec![];
        put_number(&mut out, u64::MAX);
        put_signed(&mut out, i64::MIN);
        put_signed(&mut out, -3);
        put_real(&mut out, -0.25);
        for count in [0.0, 1.0, 0.5, 1e18] {
            put_count(&mut out, count);
        }
        let mut reader = Reader(&out);
        assert_eq!((reader.number(), reader.signed(), reader.signed()), (Some(u64::MAX), Some(i64::MIN), Some(-3)));
        assert_eq!(reader.real(), Some(-0.25));
        for count in [0.0, 1.0, 0.5, 1e18] {
            assert_eq!(reader.count(), Some(count));
        }
        assert!(reader.is_empty() && reader.number().is_none() && reader.real().is_none());
    }
}
