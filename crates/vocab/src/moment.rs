//! Moments as texts: microseconds since 1970 come in, `2026-01-02T03:04:05.678Z` goes out. Written digit by digit, because each record of an
//! answer has some.

const MICROS_OF_DAY: i64 = 86_400_000_000;
/// Microseconds from 1970 to the beginning of the year 0 and to the end of 9999, which are those with four digits.
const FIRST: i64 = -719_528 * MICROS_OF_DAY;
const END: i64 = 2_932_897 * MICROS_OF_DAY;

/// UTC with milliseconds; none where the year has not four digits. What is less than a millisecond is left out.
#[must_use]
pub fn utc_text(micros: i64) -> Option<String> {
    if !(FIRST..END).contains(&micros) {
        return None;
    }
    let (day, rest) = (micros.div_euclid(MICROS_OF_DAY), micros.rem_euclid(MICROS_OF_DAY));
    let [year, month, day_of_month] = civil(day);
    let (seconds, millis) = (rest / 1_000_000, rest / 1_000 % 1_000);
    let time = [seconds / 3_600, seconds / 60 % 60, seconds % 60, millis];
    Some(written([year, month, day_of_month], time))
}

/// The same of a day and a time of it: hour, minute, second, millisecond. The year has four digits at most.
#[must_use]
pub fn written([year, month, day]: [i64; 3], [hour, minute, second, milli]: [i64; 4]) -> String {
    let mut text = *b"0000-00-00T00:00:00.000Z";
    for (at, width, number) in
        [(0, 4, year), (5, 2, month), (8, 2, day), (11, 2, hour), (14, 2, minute), (17, 2, second), (20, 3, milli)]
    {
        put(&mut text[at..at + width], number);
    }
    // Digits are text.
    String::from_utf8(text.to_vec()).unwrap_or_default()
}

/// The number's last digits, as many as there is room for.
fn put(text: &mut [u8], mut number: i64) {
    for byte in text.iter_mut().rev() {
        // One digit.
        *byte = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

/// Year, month and day of a day since 1970, in the calendar of today. Years begin in March on the way, so that a leap day is their last.
#[must_use]
pub fn civil(day: i64) -> [i64; 3] {
    let day = day + 719_468;
    let (era, day_of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    [era * 400 + year_of_era + later, month, day_of_month]
}

#[cfg(test)]
mod tests {
    use super::utc_text;

    #[test]
    fn moments_of_every_kind_of_year() {
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999_999, "2000-02-29T23:59:59.999Z"),
            (951_868_800_000_000, "2000-03-01T00:00:00.000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"),
            (1_767_323_045_678_900, "2026-01-02T03:04:05.678Z"),
            (-62_135_596_800_000_000, "0001-01-01T00:00:00.000Z"),
            (-62_167_219_200_000_000, "0000-01-01T00:00:00.000Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(utc_text(micros).as_deref(), Some(expected));
        }
        assert_eq!(utc_text(-62_167_219_200_000_001), None);
        assert_eq!(utc_text(253_402_300_800_000_000), None);
    }
}
