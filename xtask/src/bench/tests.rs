//! A figure is only as good as its checks: answers, addresses and medians.

use super::load::read_answer;
use super::{Options, median, percentile};
use crate::server::address_in;
use std::time::Duration;

fn answer(text: &str) -> Result<(), String> {
    read_answer(&mut text.as_bytes(), &mut Vec::new(), 201)
}

#[test]
fn only_one_whole_answer_of_the_status_counts() {
    assert_eq!(answer("HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}"), Ok(()));
    let refused = answer("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}");
    assert!(refused.is_err_and(|error| error.contains("not 201")));
    assert!(answer("HTTP/1.1 201 Created\r\ncontent-length: 3\r\n\r\n{}").is_err());
    assert!(answer("HTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\n{}").is_err());
    assert!(answer("HTTP/1.1 201 Created\r\n\r\n{}").is_err_and(|error| error.contains("without a length")));
}

#[test]
fn the_address_is_read_out_of_the_line() {
    let address = address_in("2 APIs, listening on http://127.0.0.1:4242 (stop with Ctrl-C)");
    assert_eq!(address.map(|address| address.port()), Some(4242));
    assert_eq!(address_in("listening on http://127.0.0.1:81/docs").map(|address| address.port()), Some(81));
    assert_eq!(address_in("starting"), None);
}

#[test]
fn the_median_is_the_middle() {
    assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
}

#[test]
fn a_percentile_is_a_value_that_was_seen() {
    let mut values: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
    assert_eq!(percentile(&mut values, 0.5), Duration::from_millis(100));
    assert_eq!(percentile(&mut values, 0.99), Duration::from_millis(198));
    assert_eq!(percentile(&mut [], 0.5), Duration::ZERO);
}

#[test]
fn options_are_numbers_above_zero() {
    assert!(Options::parse(&["--rounds", "5"]).is_ok_and(|options| options.rounds == 5 && options.connections == 32));
    for wrong in [&["--rounds"][..], &["--rounds", "0"], &["--seconds", "x"], &["--speed", "1"]] {
        assert!(Options::parse(wrong).is_err(), "{wrong:?}");
    }
}
