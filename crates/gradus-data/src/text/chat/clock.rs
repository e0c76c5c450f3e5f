//! `strftime_now`, which some templates write today's date with.

use std::time::{SystemTime, UNIX_EPOCH};

use minijinja::{Error, ErrorKind};

const SECONDS_PER_DAY: u64 = 86_400;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The epoch, 1 January 1970, was a Thursday.
const WEEKDAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];

/// The time now, in UTC, in the form that C's `strftime` would give it in the C locale.
pub(super) fn strftime_now(format: &str) -> Result<String, Error> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    strftime(format, now)
}

fn strftime(format: &str, unix_seconds: u64) -> Result<String, Error> {
    let moment = Moment::of(unix_seconds);
    let mut text = String::with_capacity(format.len() * 2);
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        let directive: String = match characters.next() {
            Some('-') => characters
                .next()
                .map_or("-".into(), |letter| format!("-{letter}")),
            Some(letter) => letter.into(),
            None => String::new(),
        };
        text.push_str(&moment.spell(&directive)?);
    }
    Ok(text)
}

struct Moment {
    days: u64,
    year: u64,
    /// From 1.
    month: usize,
    /// From 1.
    day: u64,
    second_of_day: u64,
}

impl Moment {
    /// Civil date from a day count (Howard Hinnant, "chrono-compatible low-level date algorithms").
    fn of(unix_seconds: u64) -> Moment {
        let days = unix_seconds / SECONDS_PER_DAY;
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        Moment {
            days,
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month: month as usize,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            second_of_day: unix_seconds % SECONDS_PER_DAY,
        }
    }

    fn spell(&self, directive: &str) -> Result<String, Error> {
        let (month, weekday) = (MONTHS[self.month - 1], WEEKDAYS[(self.days % 7) as usize]);
        let (hour, minute, second) = (
            self.second_of_day / 3600,
            self.second_of_day / 60 % 60,
            self.second_of_day % 60,
        );
        let hour_of_twelve = (hour + 11) % 12 + 1;
        Ok(match directive {
            "Y" => self.year.to_string(),
            "y" => format!("{:02}", self.year % 100),
            "m" => format!("{:02}", self.month),
            "-m" => self.month.to_string(),
            "B" => month.to_owned(),
            "b" | "h" => month[..3].to_owned(),
            "d" => format!("{:02}", self.day),
            "-d" => self.day.to_string(),
            "e" => format!("{:2}", self.day),
            "A" => weekday.to_owned(),
            "a" => weekday[..3].to_owned(),
            "H" => format!("{hour:02}"),
            "-H" => hour.to_string(),
            "I" => format!("{hour_of_twelve:02}"),
            "-I" => hour_of_twelve.to_string(),
            "M" => format!("{minute:02}"),
            "S" => format!("{second:02}"),
            "p" => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            "F" => format!("{}-{:02}-{:02}", self.year, self.month, self.day),
            "T" => format!("{hour:02}:{minute:02}:{second:02}"),
            "Z" => "UTC".to_owned(),
            "z" => "+0000".to_owned(),
            "%" => "%".to_owned(),
            unknown => {
                let message = format!("strftime_now: no directive `%{unknown}`");
                return Err(Error::new(ErrorKind::InvalidOperation, message));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::strftime;

    #[test]
    fn agrees_with_python() {
        // datetime.fromtimestamp(t, timezone.utc).strftime(…) of Python 3.11.
        let full = "%d %b %Y|%A %-d %B %y|%a %e %F %T|%I:%M:%S %p|%-m|%%";
        for (seconds, expected) in [
            (
                0,
                "01 Jan 1970|Thursday 1 January 70|Thu  1 1970-01-01 00:00:00|12:00:00 AM|1|%",
            ),
            (
                951_782_399,
                "28 Feb 2000|Monday 28 February 00|Mon 28 2000-02-28 23:59:59|11:59:59 PM|2|%",
            ),
            (
                951_782_400,
                "29 Feb 2000|Tuesday 29 February 00|Tue 29 2000-02-29 00:00:00|12:00:00 AM|2|%",
            ),
            (
                1_735_689_599,
                "31 Dec 2024|Tuesday 31 December 24|Tue 31 2024-12-31 23:59:59|11:59:59 PM|12|%",
            ),
            (
                4_107_542_399,
                "28 Feb 2100|Sunday 28 February 00|Sun 28 2100-02-28 23:59:59|11:59:59 PM|2|%",
            ),
            (
                4_107_542_400,
                "01 Mar 2100|Monday 1 March 00|Mon  1 2100-03-01 00:00:00|12:00:00 AM|3|%",
            ),
        ] {
            assert_eq!(strftime(full, seconds).unwrap(), expected);
        }
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for format in ["%Q", "%", "%-"] {
            assert!(strftime(format, 0).is_err(), "{format}");
        }
    }
}
