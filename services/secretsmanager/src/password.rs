//! Random passwords. Source: AWS Secrets Manager API Reference, GetRandomPassword.

use crate::errors::{parameter, request};
use kiln_secretsmanager_shapes::GetRandomPasswordRequest;
use kiln_service_kit::{Error, IdSource};

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// Characters where nobody says how many.
const DEFAULT_LENGTH: i64 = 32;

/// A password as it is asked for: every character is as likely as another, but that with `RequireEachIncludedType` each
/// kind is there at least once.
pub fn random(ids: &IdSource, asked: &GetRandomPasswordRequest) -> Result<String, Error> {
    let length = asked.password_length.unwrap_or(DEFAULT_LENGTH);
    let length = usize::try_from(length).map_err(|_| parameter("The password length is out of range."))?;
    let excluded = asked.exclude_characters.as_deref().unwrap_or_default();
    let kind = |out: Option<bool>, all: &str| -> Vec<u8> {
        match out.unwrap_or(false) {
            true => vec![],
            false => all.bytes().filter(|byte| !excluded.contains(char::from(*byte))).collect(),
        }
    };
    let space = !asked.include_space.unwrap_or(false);
    let kinds: Vec<Vec<u8>> = [
        kind(asked.exclude_lowercase, LOWER),
        kind(asked.exclude_uppercase, UPPER),
        kind(asked.exclude_numbers, DIGITS),
        kind(asked.exclude_punctuation, PUNCTUATION),
        kind(Some(space), " "),
    ]
    .into_iter()
    .filter(|kind| !kind.is_empty())
    .collect();
    let all = kinds.concat();
    if all.is_empty() {
        return Err(request("The password can't be generated: every character is excluded."));
    }
    let mut password: Vec<u8> = ids.of(&all, length).into_bytes();
    if asked.require_each_included_type.unwrap_or(true) {
        if length < kinds.len() {
            return Err(parameter("Password length is too short based on the required types."));
        }
        // Places of their own, chosen by chance, for one of each kind that is not there.
        let mut places: Vec<usize> = (0..length).collect();
        for at in (1..length).rev() {
            places.swap(at, below(ids, at + 1));
        }
        for (kind, at) in kinds.iter().zip(places) {
            password[at] = kind[below(ids, kind.len())];
        }
    }
    String::from_utf8(password).map_err(|e| Error::failed("make a password", e))
}

fn below(ids: &IdSource, limit: usize) -> usize {
    ids.below(limit as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(ids: &IdSource, asked: GetRandomPasswordRequest) -> String {
        random(ids, &asked).expect("made")
    }

    #[test]
    fn each_kind_is_there_and_nothing_that_is_excluded() {
        let ids = IdSource::seeded(1);
        for _ in 0..200 {
            let short =
                GetRandomPasswordRequest { password_length: Some(5), include_space: Some(true), ..Default::default() };
            let password = made(&ids, short);
            assert_eq!(password.len(), 5);
            for all in [LOWER, UPPER, DIGITS, PUNCTUATION, " "] {
                assert_eq!(password.chars().filter(|c| all.contains(*c)).count(), 1, "{password}: {all}");
            }
            let some = GetRandomPasswordRequest {
                exclude_characters: Some("abc0".to_owned()),
                exclude_uppercase: Some(true),
                exclude_punctuation: Some(true),
                ..Default::default()
            };
            let password = made(&ids, some);
            assert_eq!(password.len(), 32);
            assert!(
                password.chars().all(|c| (LOWER.contains(c) || DIGITS.contains(c)) && !"abc0".contains(c)),
                "{password}"
            );
        }
    }

    #[test]
    fn what_cannot_be_made_is_refused() {
        let ids = IdSource::seeded(1);
        let short = GetRandomPasswordRequest { password_length: Some(3), ..Default::default() };
        assert_eq!(random(&ids, &short).expect_err("four kinds").code, "InvalidParameterException");
        let free = GetRandomPasswordRequest { require_each_included_type: Some(false), ..short };
        assert_eq!(made(&ids, free).len(), 3);
        let nothing = GetRandomPasswordRequest {
            exclude_lowercase: Some(true),
            exclude_uppercase: Some(true),
            exclude_numbers: Some(true),
            exclude_punctuation: Some(true),
            ..Default::default()
        };
        assert_eq!(random(&ids, &nothing).expect_err("nothing is left").code, "InvalidRequestException");
    }
}
