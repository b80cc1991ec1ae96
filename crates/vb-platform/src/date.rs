//! The dates of a `Release` file: RFC 5322 form, always in UTC (`Thu, 19 Nov 2026 02:12:54 UTC`).

use std::time::{Duration, SystemTime};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Returns the moment that a date names; nothing for a text of any other form, another zone or before 1970.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let (_, date) = text.split_once(',')?;
    let words: Vec<&str> = date.split_ascii_whitespace().collect();
    let [day, month, year, time, zone] = words[..] else { return None };
    if !matches!(zone, "UTC" | "GMT" | "Z" | "+0000") {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)?;
    let days = days_since_epoch(year.parse().ok()?, u64::try_from(month).ok()? + 1, day.parse().ok()?)?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400 + seconds_of_day(time)?))
}

/// Writes a moment, in seconds since 1970, in the form that is read here.
pub(crate) fn format(seconds: u64) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let (mut days, time) = (seconds / 86_400, seconds % 86_400);
    let weekday = WEEKDAYS.iter().cycle().nth(usize::try_from(days % 7).unwrap_or_default()).unwrap_or(&"Thu");
    let mut year = 1970;
    while days >= days_of_year(year) {
        days -= days_of_year(year);
        year += 1;
    }
    let mut month = 0;
    let lengths = days_of_months(year);
    while let Some(length) = lengths.get(month).filter(|length| days >= **length) {
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{weekday}, {:02} {} {year} {hour:02}:{minute:02}:{second:02} UTC", days + 1, MONTHS[month])
}

fn days_of_year(year: u64) -> u64 {
    days_of_months(year).iter().sum()
}

fn days_of_months(year: u64) -> [u64; 12] {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

fn seconds_of_day(text: &str) -> Option<u64> {
    let mut parts = text.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let is_time = parts.next().is_none() && hour < 24 && minute < 60 && second <= 60;
    is_time.then_some(hour * 3600 + minute * 60 + second)
}

fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=31).contains(&day) {
        return None;
    }
    let years: u64 = (1970..year).map(days_of_year).sum();
    let months: u64 = days_of_months(year).iter().take(usize::try_from(month - 1).ok()?).sum();
    Some(years + months + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<u64>) {
        let found = parse(text).map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs());
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn release_dates_are_read() {
        check("Thu, 01 Jan 1970 00:00:00 UTC", Some(0));
        check("Thu, 19 Nov 2026 02:12:54 UTC", Some(1_795_054_374));
        check("Thu, 29 Feb 2024 23:59:59 +0000", Some(1_709_251_199));
        check("Sat,  1 Mar 2025 00:00:00 GMT", Some(1_740_787_200));
    }

    #[test]
    fn a_date_is_written_as_it_is_read() {
        assert_eq!(format(1_795_054_374), "Thu, 19 Nov 2026 02:12:54 UTC");
        for seconds in [0, 86_399, 951_782_400, 1_709_251_199, 1_735_689_599, 1_740_787_200] {
            check(&format(seconds), Some(seconds));
        }
    }

    #[test]
    fn other_zones_and_forms_are_refused() {
        for text in ["", "2026-11-19", "Thu, 19 Nov 2026 02:12:54 +0100", "Thu, 19 Nov 2026 25:12:54 UTC"] {
            check(text, None);
        }
    }
}
