//! Passwords that are guessed first: the words that leaks are full of, with what people put around them, runs, rows of keys, and the
//! passwords that leaks hold most often. The emitted application has the same rules in `lib/weak-passwords.js` over the same list; a test
//! compares the words.

use crate::sha256_hex;

/// The words, in lower case, without digits or marks around them.
pub const COMMON: &[&str] = &[
    "abc",
    "abcd",
    "access",
    "account",
    "admin",
    "administrator",
    "amanda",
    "america",
    "andrea",
    "andrew",
    "angel",
    "anthony",
    "apple",
    "arsenal",
    "asdf",
    "ashley",
    "austin",
    "azerty",
    "babygirl",
    "bailey",
    "banana",
    "barcelona",
    "baseball",
    "basketball",
    "batman",
    "blink",
    "bonjour",
    "buster",
    "butterfly",
    "changeit",
    "changeme",
    "charlie",
    "cheese",
    "chelsea",
    "chocolate",
    "computer",
    "cookie",
    "daniel",
    "default",
    "dragon",
    "easypass",
    "facebook",
    "family",
    "flower",
    "football",
    "freedom",
    "friends",
    "fuckyou",
    "george",
    "ginger",
    "google",
    "guest",
    "hannah",
    "harley",
    "hello",
    "hockey",
    "hottie",
    "hunter",
    "iloveyou",
    "internet",
    "jennifer",
    "jessica",
    "jordan",
    "joshua",
    "justin",
    "killer",
    "king",
    "letmein",
    "linkedin",
    "liverpool",
    "login",
    "loveme",
    "lovely",
    "love",
    "maggie",
    "manager",
    "master",
    "matrix",
    "matthew",
    "mercedes",
    "merlin",
    "michael",
    "michelle",
    "money",
    "monkey",
    "mustang",
    "myspace",
    "naruto",
    "nicole",
    "ninja",
    "nothing",
    "office",
    "orange",
    "pass",
    "passcode",
    "password",
    "passw",
    "passwd",
    "passwort",
    "motdepasse",
    "contrasena",
    "senha",
    "pepper",
    "pokemon",
    "princess",
    "purple",
    "qazwsx",
    "qwer",
    "qwert",
    "qwertz",
    "qwerty",
    "qwertyuiop",
    "ranger",
    "rainbow",
    "robert",
    "root",
    "samsung",
    "secret",
    "server",
    "shadow",
    "soccer",
    "sophie",
    "spring",
    "starwars",
    "startrek",
    "summer",
    "sunshine",
    "superman",
    "superuser",
    "system",
    "taylor",
    "temp",
    "test",
    "tester",
    "testing",
    "testtest",
    "thomas",
    "thunder",
    "tigger",
    "trustno",
    "user",
    "username",
    "viking",
    "wachtwoord",
    "welcome",
    "whatever",
    "william",
    "winner",
    "winter",
    "autumn",
    "yankees",
    "zaq",
];

/// Keys that lie beside each other.
const ROWS: [&str; 6] =
    ["qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "qazwsxedcrfvtgbyhnujmikolp"];
/// Passwords that leaks hold most often, by the first [`MARK`] digits of the SHA-256 of each in lower case: sorted, one a line. They are the
/// 49,233 of zxcvbn-ts 4.1.3 (`NOTICE`) without those shorter than a password may be, and those that are weak without the list.
pub const BREACHED: &str = include_str!("password/breached.txt");
/// How many digits stand for a password: of other passwords one in 17,000 looks like one of the list.
const MARK: usize = 7;
/// Letters and digits that a password must have at least, each once.
const DISTINCT: usize = 5;

/// Whether a password is guessed with the first ones.
#[must_use]
pub fn is_weak(password: &str) -> bool {
    let lower = password.to_ascii_lowercase();
    let letters: Vec<char> = lower.chars().collect();
    let mut distinct = letters.clone();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.len() < DISTINCT || runs(&letters) <= 2 || is_common(&lower) || is_breached(&lower)
}

/// One that leaks hold most often, whatever digits and marks stand around it.
fn is_breached(lower: &str) -> bool {
    let word = lower.trim_matches(|letter: char| !letter.is_ascii_lowercase());
    let is_known = |text: &str| {
        let mark = &sha256_hex(text.as_bytes())[..MARK];
        let line = |number: usize| BREACHED.get(number * (MARK + 1)..).and_then(|from| from.get(..MARK));
        let (mut from, mut to) = (0, BREACHED.len() / (MARK + 1));
        while from < to {
            let middle = usize::midpoint(from, to);
            if line(middle).is_some_and(|line| line < mark) {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        line(from) == Some(mark)
    };
    is_known(lower) || (word.len() < lower.len() && is_known(word))
}

/// In how many pieces it falls whose characters follow each other, or repeat.
fn runs(letters: &[char]) -> usize {
    let steps: Vec<i64> =
        letters.windows(2).map(|pair| i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0]))).collect();
    let (mut runs, mut step) = (1, None);
    for next in steps {
        match step {
            None if next.abs() <= 1 => step = Some(next),
            Some(known) if known == next => {}
            None | Some(_) => {
                runs += 1;
                step = None;
            }
        }
    }
    runs
}

/// A word that everybody takes, whatever digits and marks stand around it and in the place of its letters.
fn is_common(lower: &str) -> bool {
    let word: String = lower.trim_matches(|letter: char| !letter.is_ascii_lowercase()).chars().map(plain).collect();
    let reversed: String = word.chars().rev().collect();
    let is_row = |word: &str| word.len() >= 4 && ROWS.iter().any(|row| row.contains(word));
    let is_known = |word: &str| COMMON.contains(&word) || is_row(word);
    let is_twice = |(half, rest): (&str, &str)| half == rest && is_known(half);
    is_known(&word) || is_known(&reversed) || word.split_at_checked(word.len() / 2).is_some_and(is_twice)
}

/// The letter that a digit or a mark stands for.
fn plain(letter: char) -> char {
    match letter {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{BREACHED, MARK, is_weak};

    #[test]
    fn what_leaks_are_full_of_is_weak() {
        for weak in [
            "password",
            "Password1",
            "P@ssw0rd!",
            "drowssap1",
            "12345678",
            "87654321",
            "abcdefgh",
            "aaaa1111",
            "qwertyuiop",
            "Qwerty123!",
            "testtest",
            "adminadmin",
            "1q1q1q1q",
            "iloveyou2",
            "Summer2026!",
            "00000000",
            "abcd1234",
            "letmein!!",
            "1qaz2wsx",
            "Elephant",
            "elephant2026!",
            "gbpltw147",
        ] {
            assert!(is_weak(weak), "{weak}");
        }
        for good in [
            "correct horse, battery & staple",
            "another horse, battery & staple",
            "k7#Lm2pQ",
            "tr0mb0ne-quilt",
            "Zürich im Regen",
            "пароль от сейфа",
            "elephants in trees",
        ] {
            assert!(!is_weak(good), "{good}");
        }
    }

    /// Else nothing would be found in it.
    #[test]
    fn what_is_breached_is_sorted_and_each_line_as_long() {
        let lines: Vec<&str> = BREACHED.lines().collect();
        assert!(lines.len() > 16_000 && lines.is_sorted());
        assert!(lines.iter().all(|line| line.len() == MARK));
    }
}
