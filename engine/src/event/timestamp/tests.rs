//! What is a time and what is not, and what jiff says it is.

use super::*;
use proptest::prelude::*;

/// 2026-11-20T00:00:00Z
const REFERENCE: i64 = 1_795_132_800 * NANOS_PER_SECOND;

fn nanos(text: &str) -> i64 {
    i64::try_from(text.parse::<jiff::Timestamp>().unwrap().as_nanosecond()).unwrap()
}

#[test]
fn values_are_read_as_times() {
    for (value, expected) in [
        ("2015-05-17T10:05:03Z", Some("2015-05-17T10:05:03Z")),
        ("2015-05-17t10:05:03.5z", Some("2015-05-17T10:05:03.5Z")),
        ("2023-01-29T09:49:08.660007686Z", Some("2023-01-29T09:49:08.660007686Z")),
        ("2023-01-29T09:49:08.6600076869999Z", Some("2023-01-29T09:49:08.660007686Z")),
        ("2015-05-17 10:05:03,123", Some("2015-05-17T10:05:03.123Z")),
        ("2015/05/17 10:05:03", Some("2015-05-17T10:05:03Z")),
        ("2015-05-17T10:05:03+02:00", Some("2015-05-17T08:05:03Z")),
        ("2015-05-17T10:05:03-0730", Some("2015-05-17T17:35:03Z")),
        ("2015-05-17T10:05:03+02", Some("2015-05-17T08:05:03Z")),
        ("2015-05-17 10:05:03 UTC", Some("2015-05-17T10:05:03Z")),
        ("2016-12-31T23:59:60Z", Some("2017-01-01T00:00:00Z")),
        ("2016-02-29T00:00:00Z", Some("2016-02-29T00:00:00Z")),
        ("2015-02-29T00:00:00Z", None),
        ("2015-13-01T00:00:00Z", None),
        ("2015-05-17T24:00:00Z", None),
        ("1588205199", Some("2020-04-30T00:06:39Z")),
        ("1588205199.82437", Some("2020-04-30T00:06:39.82437Z")),
        ("1.588205199e9", Some("2020-04-30T00:06:39Z")),
        ("1446249499322", Some("2015-10-30T23:58:19.322Z")),
        ("1661146988696511", Some("2022-08-22T05:43:08.696511Z")),
        ("1661146988696511123", Some("2022-08-22T05:43:08.696511123Z")),
        ("1446249499322.25", Some("2015-10-30T23:58:19.32225Z")),
        ("100000000", Some("1973-03-03T09:46:40Z")),
        ("99999999", None),
        ("0.35", None),
        ("-1588205199", None),
        ("99999999999999999999999", None),
        ("1588205199.", None),
        ("", None),
        ("soon", None),
        ("9999-12-31T23:59:59Z", None),
        ("17/May/2015:10:05:03 +0000", Some("2015-05-17T10:05:03Z")),
    ] {
        assert_eq!(parse(value, REFERENCE), expected.map(nanos), "{value:?}");
    }
}

#[test]
fn lines_tell_their_time() {
    for (line, expected) in [
        ("2023-01-29T10:13:01.596889692Z 33.33.33.115 pod stdout", Some("2023-01-29T10:13:01.596889692Z")),
        ("[2016-12-20 00:04:03,231] TRACE [Controller 0]: checking", Some("2016-12-20T00:04:03.231Z")),
        ("INFO 2016-12-20 00:04:03.231 x", Some("2016-12-20T00:04:03.231Z")),
        ("1.2.3.4 - - [17/May/2015:10:05:03 +0200] \"GET /\"", Some("2015-05-17T08:05:03Z")),
        ("<34>1 2003-10-11T22:14:15.003Z mymachine su - ID47 - x", Some("2003-10-11T22:14:15.003Z")),
        ("<34>Oct 11 22:14:15 mymachine su: 'su root' failed", Some("2026-10-11T22:14:15Z")),
        ("<34>Jan  3 22:14:15 mymachine su: x", Some("2026-01-03T22:14:15Z")),
        ("Jan 3 22:14:15 host x", Some("2026-01-03T22:14:15Z")),
        ("Nov 27 22:14:15 host x", Some("2026-11-27T22:14:15Z")),
        ("Nov 29 22:14:15 host x", Some("2025-11-29T22:14:15Z")),
        ("Jul 11 22:14:15.25 host x", Some("2026-07-11T22:14:15.25Z")),
        ("Feb 29 01:02:03 host x", Some("2024-02-29T01:02:03Z")),
        ("Oct 11 2004 22:14:15: %ASA-6", Some("2004-10-11T22:14:15Z")),
        ("[Wed Oct 11 14:32:52 2000] [error] x", Some("2000-10-11T14:32:52Z")),
        ("[Wed Oct 11 14:32:52.123456 2000] [error] x", Some("2000-10-11T14:32:52.123456Z")),
        ("1588205199 something", Some("2020-04-30T00:06:39Z")),
        ("[1588205199.824] something", Some("2020-04-30T00:06:39.824Z")),
        ("1588205199824,x,y", Some("2020-04-30T00:06:39.824Z")),
        ("4917000000123456x", None),
        ("123456 connections", None),
        (",(@time_zone_id, 1048968000, 6)", None),
        ("May be 10:05:03", None),
        ("Maya 12 10:05:03", None),
        ("id=2015-05-17 of", None),
        ("", None),
        ("[", None),
        ("<34>", None),
        ("no time here, 10:05:03 o'clock or not", None),
    ] {
        assert_eq!(detect(line, REFERENCE), expected.map(nanos), "{line:?}");
    }
    let far = |spaces: usize| format!("{}2015-05-17T10:05:03Z", " ".repeat(spaces));
    assert_eq!(detect(&far(MAX_DETECT_BYTES - 1), 0), Some(nanos("2015-05-17T10:05:03Z")));
    assert_eq!(detect(&far(MAX_DETECT_BYTES), 0), None);
}

proptest! {
    #[test]
    fn rfc_3339_agrees_with_jiff(seconds in -9_000_000_000i64..9_000_000_000, nanos in 0i32..1_000_000_000) {
        let time = jiff::Timestamp::new(seconds, nanos).unwrap();
        prop_assert_eq!(parse(&time.to_string(), 0).map(i128::from), Some(time.as_nanosecond()));
        let civil = time.to_zoned(jiff::tz::TimeZone::UTC);
        prop_assert_eq!(civil::year_of(i64::try_from(time.as_nanosecond()).unwrap()), i64::from(civil.year()));
    }

    #[test]
    fn anything_may_be_asked(text in any::<String>(), reference in any::<i64>()) {
        let _ = (parse(&text, reference), detect(&text, reference));
    }

    #[test]
    fn anything_like_a_time_may_be_asked(text in "[<\\[]?([0-9]{1,20}|[JFMA][aep][nbr]|Sun|[-/:., TZ+>\\]])*") {
        let _ = (parse(&text, i64::MAX), detect(&text, i64::MIN));
    }
}
