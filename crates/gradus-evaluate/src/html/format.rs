//! Numbers for people.

/// No line break between a number and its unit.
const NARROW_SPACE: char = '\u{202f}';

/// `12,345`.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12.3 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}{NARROW_SPACE}%", 100.0 * share)
}

/// As [`percent`], but never 0.0 or 100.0 for what is only nearly so.
pub(super) fn probability(share: f64) -> String {
    match share {
        p if p > 0.0 && p < 0.0005 => format!("<0.1{NARROW_SPACE}%"),
        p if p < 1.0 && p > 0.9995 => format!(">99.9{NARROW_SPACE}%"),
        p => percent(p),
    }
}

/// Four significant digits, without trailing zeros; powers of ten for the very large and small.
pub(super) fn significant(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e7).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let exponent = if magnitude > 0.0 {
        magnitude.log10().floor() as i32
    } else {
        0
    };
    let decimals = (3 - exponent).max(0) as usize;
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// `407.1 kB`, in powers of 1,000.
pub(super) fn bytes(value: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let power = (value.max(1).ilog10() / 3).min(units.len() as u32 - 1);
    let scaled = value as f64 / 1000f64.powi(power as i32);
    let decimals = usize::from(power > 0);
    format!("{scaled:.decimals$}{NARROW_SPACE}{}", units[power as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_are_kept() {
        let texts = [0.0, 1.0, 0.123456, 0.00123456, 12.3456, 12345.6, -2.5, 3e9].map(significant);
        assert_eq!(
            texts,
            [
                "0", "1", "0.1235", "0.001235", "12.35", "12346", "-2.5", "3.000e9"
            ]
        );
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0, 999, 1000, 1234567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [999, 1000, 407_080].map(bytes),
            ["999\u{202f}B", "1.0\u{202f}kB", "407.1\u{202f}kB"]
        );
        assert_eq!(percent(0.8843), "88.4\u{202f}%");
        assert_eq!(probability(0.99999), ">99.9\u{202f}%");
    }
}
