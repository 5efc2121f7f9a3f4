//! The matcher against a naive one, and ARN segments.

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    context::Keys,
    pattern::{ArnPattern, Pattern, Rules},
};

const WILD: Rules = Rules { wildcards: true, variables: true, ignore_case: false };

/// Obviously right, exponentially slow.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|at| naive(rest, &text[at..])),
        Some(('?', rest)) => !text.is_empty() && naive(rest, &text[1..]),
        Some((each, rest)) => text.first() == Some(each) && naive(rest, &text[1..]),
    }
}

#[test]
fn agrees_with_the_naive_matcher() {
    let mut random = StdRng::seed_from_u64(7);
    let mut text = |letters: &[char], most: usize| -> Vec<char> {
        (0..random.random_range(0..=most)).map(|_| letters[random.random_range(0..letters.len())]).collect()
    };
    let mut matched = 0;
    for _ in 0..50_000 {
        let pattern = text(&['a', 'b', 'ü', '*', '?'], 8);
        let subject = text(&['a', 'b', 'ü'], 10);
        let written: String = pattern.iter().collect();
        let subject_text: String = subject.iter().collect();
        let ours = Pattern::compile(&written, WILD).expect("valid").matches(&subject_text, &Keys::default());
        assert_eq!(ours, naive(&pattern, &subject), "{written} on {subject_text}");
        matched += usize::from(ours);
    }
    assert!(matched > 1000, "the samples must match now and then, not {matched} times");
}

#[test]
fn many_stars_do_not_take_for_ever() {
    let pattern = Pattern::compile(&"*a".repeat(500), WILD).expect("valid");
    assert!(!pattern.matches(&"b".repeat(5000), &Keys::default()));
    assert!(!pattern.matches(&format!("{}b", "a".repeat(5000)), &Keys::default()));
}

#[test]
fn arns_match_segment_by_segment() {
    let table = [
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a/b:c", true),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket", false),
        ("arn:aws:ec2:*:111122223333:instance/*", "arn:aws:ec2:eu-west-1:111122223333:instance/i-1", true),
        ("arn:aws:ec2:*:instance/*", "arn:aws:ec2:eu-west-1:111122223333:instance/i-1", false),
        ("arn:aws:ec2:*:111122223333:instance/*", "arn:aws:ec2:r:999:x:111122223333:instance/i-1", false),
        ("arn:aws:iam::*:role/x", "arn:aws:iam::111122223333:role/x", true),
        ("arn:aws:sqs", "arn:aws:sqs:r:1:q", true),
        ("arn:aws:logs:*:*:log-group:*", "arn:aws:logs:r:1:log-group:a:log-stream:b", true),
        ("*", "*", true),
        ("*", "arn:aws:sqs:r:1:q", true),
        ("arn:aws:ec2:*:*:*", "*", false),
        ("arn:aws:iam::1:user/${aws:username}", "arn:aws:iam::1:user/ann", true),
        ("arn:aws:iam::1:user/${aws:username}", "arn:aws:iam::1:user/bob", false),
        ("arn:aws:s3:::${aws:PrincipalTag/Team, 'none'}/*", "arn:aws:s3:::none/x", true),
        ("arn:aws:s3:::${aws:PrincipalTag/Team}/*", "arn:aws:s3:::none/x", false),
        ("arn:aws:s3:::b/${*}${?}${$}", "arn:aws:s3:::b/*?$", true),
        ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/x", false),
    ];
    let mut keys = Keys::default();
    keys.set("aws:username", "ann");
    for (pattern, arn, expected) in table {
        let compiled = ArnPattern::compile(pattern, true, true).expect(pattern);
        assert_eq!(compiled.matches(arn, &keys), expected, "{pattern} on {arn}");
    }
}

#[test]
fn what_fills_a_variable_is_literal() {
    let pattern = Pattern::compile("home/${aws:username}/*", WILD).expect("valid");
    let mut keys = Keys::default();
    keys.set("aws:username", "*");
    assert!(!pattern.matches("home/bob/x", &keys));
    assert!(pattern.matches("home/*/x", &keys));
    keys.set_all("aws:username", ["bob".to_owned(), "ann".to_owned()]);
    assert!(!pattern.matches("home/bob/x", &keys), "a key with two values fills nothing");
}

#[test]
fn broken_variables_are_errors() {
    for text in ["${aws:username", "${}", "${a, b}", "${${a}}"] {
        Pattern::compile(text, WILD).expect_err(text);
    }
    let plain = Rules { variables: false, ..WILD };
    let pattern = Pattern::compile("${aws:username}", plain).expect("2008-10-17 has no variables");
    assert!(pattern.matches("${aws:username}", &Keys::default()));
}
