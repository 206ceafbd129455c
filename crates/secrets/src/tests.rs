//! The store as its callers see it: what is kept, who can open it, and what becomes of a file that somebody has touched.

use crate::export::{ExportForm, text};
use crate::key::KeySource;
use crate::{SecretFailure, SecretName, SecretStore, generate_password, secret};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const NOW: &str = "2026-01-02T03:04:05.678Z";
const LATER: &str = "2026-02-03T04:05:06.789Z";
const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
/// The same bytes.
const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A state folder and a folder of keys.
struct Place {
    folder: TempDir,
    keys: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), keys: tempfile::tempdir().unwrap() }
    }

    /// The store with a key file.
    fn store(&self) -> SecretStore {
        self.with(None, None)
    }

    /// The store with keys of the environment.
    fn with(&self, given: Option<&str>, new: Option<&str>) -> SecretStore {
        let key = |text: Option<&str>| text.map(|text| secret(text.to_owned()));
        let keys = KeySource { given: key(given), new: key(new), folder: Some(self.keys.path().join("keys")) };
        SecretStore::with_keys(self.folder.path(), keys)
    }

    fn file(&self) -> String {
        fs::read_to_string(self.store().file()).unwrap()
    }

    fn key_files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.keys.path().join("keys")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

fn value(store: &SecretStore, of: &str) -> String {
    store.get(&name(of)).unwrap().unwrap().expose().to_string()
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_set_is_read_back_and_stands_nowhere_in_clear() {
    let place = Place::new();
    let store = place.store();
    assert_eq!(store.list().unwrap(), []);
    assert!(store.get(&name("STRIPE_KEY")).unwrap().is_none());
    assert!(place.key_files().is_empty(), "looking makes no key");
    store.set(&name("STRIPE_KEY"), "sk_live_hunter2", NOW).unwrap();
    store.set(&name("shop/shop_app"), "correct horse", NOW).unwrap();
    store.set(&name("STRIPE_KEY"), "sk_live_hunter3", LATER).unwrap();

    let again = place.store();
    assert_eq!(value(&again, "STRIPE_KEY"), "sk_live_hunter3");
    assert_eq!(value(&again, "shop/shop_app"), "correct horse");
    let listed = again.list().unwrap();
    let listed: Vec<_> =
        listed.iter().map(|one| (one.name.as_str(), one.version, &*one.set_at, &*one.changed_at)).collect();
    assert_eq!(listed, [("STRIPE_KEY", 2, NOW, LATER), ("shop/shop_app", 1, NOW, NOW)]);
    for clear in ["hunter", "horse", "c2tfbGl2ZV"] {
        assert!(!place.file().contains(clear), "{clear}");
    }
    assert!(!format!("{:?} {:?}", again, again.get(&name("STRIPE_KEY"))).contains("hunter"));
    #[cfg(unix)]
    {
        assert_eq!(mode(&store.file()), 0o600);
        assert_eq!(place.key_files().iter().map(|path| mode(path)).collect::<Vec<_>>(), [0o600]);
    }
    again.remove(&name("STRIPE_KEY")).unwrap();
    assert!(again.get(&name("STRIPE_KEY")).unwrap().is_none());
    assert!(matches!(again.remove(&name("STRIPE_KEY")), Err(SecretFailure::Unknown(_))));
}

#[test]
fn values_that_are_none_are_refused() {
    let place = Place::new();
    for wrong in [String::new(), "x".repeat(crate::MAX_VALUE_BYTES + 1)] {
        let refused = place.store().set(&name("A"), &wrong, NOW);
        assert!(matches!(refused, Err(SecretFailure::Value { .. })), "{refused:?}");
    }
    assert!(!place.store().file().exists());
}

#[test]
fn names_are_words_parted_by_slashes() {
    for good in ["A", "_a", "stripe-key", "shop/shop_app", "a/b/c"] {
        assert!(SecretName::parse(good).is_ok(), "{good}");
    }
    for wrong in ["", "1a", "-a", "/a", "a/", "a//b", "a b", "a.b", "../a", "ä", &"a".repeat(201)] {
        assert!(SecretName::parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(SecretName::of_role("2026-shop", "app").unwrap().as_str(), "_2026-shop/app");
}

#[test]
fn a_key_of_the_environment_is_hexadecimal_or_base64_and_makes_no_file() {
    let place = Place::new();
    place.with(Some(HEX), None).set(&name("A"), "hunter2", NOW).unwrap();
    assert_eq!(value(&place.with(Some(BASE64), None), "A"), "hunter2");
    assert!(place.key_files().is_empty());
    for wrong in ["short", "AAEC", &HEX[2..], "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"] {
        let refused = place.with(Some(wrong), None).get(&name("A")).unwrap_err();
        assert!(matches!(refused, SecretFailure::NotAKey("PRODUCER_SECRET_KEY")), "{refused}");
        assert!(!refused.to_string().contains(wrong), "{refused}");
    }
}

#[test]
fn another_key_is_told_from_a_damaged_file_and_changes_nothing() {
    let place = Place::new();
    place.with(Some(HEX), None).set(&name("A"), "hunter2", NOW).unwrap();
    let before = place.file();
    let other = place.with(Some(OTHER), None);
    assert!(matches!(other.get(&name("A")), Err(SecretFailure::WrongKey { .. })));
    assert!(matches!(other.set(&name("B"), "x", NOW), Err(SecretFailure::WrongKey { .. })));
    assert!(matches!(place.store().set(&name("B"), "x", NOW), Err(SecretFailure::KeyMissing { .. })));
    assert_eq!(place.file(), before);
    assert!(place.key_files().is_empty(), "a store that is locked gets no second key");
    assert_eq!(other.list().unwrap().len(), 1, "names need no key");
}

#[test]
fn a_record_that_was_changed_or_moved_does_not_open() {
    let place = Place::new();
    let store = place.store();
    store.set(&name("A"), "hunter2", NOW).unwrap();
    store.set(&name("B"), "hunter3", NOW).unwrap();
    let sound = place.file();
    for (from, to) in [
        ("\"name\": \"A\"", "\"name\": \"C\""),
        ("\"version\": 1", "\"version\": 2"),
        ("\"stage\": \"current\"", "\"stage\": \"next\""),
        ("05.678Z", "05.679Z"),
    ] {
        fs::write(store.file(), sound.replacen(from, to, 1)).unwrap();
        let outcome = match to {
            "\"name\": \"C\"" => store.get(&name("C")),
            "\"stage\": \"next\"" => store.next(&name("A")),
            _ => store.get(&name("A")),
        };
        assert!(matches!(outcome, Err(SecretFailure::Damaged { .. })), "{to}: {outcome:?}");
        assert!(matches!(store.rekey(), Err(SecretFailure::Damaged { .. })), "{to}");
    }
    // One record's seal in the place of the other's.
    let swapped = sound.replace("\"name\": \"A\"", "\"name\": \"-\"").replace("\"name\": \"B\"", "\"name\": \"A\"");
    fs::write(store.file(), swapped.replace("\"name\": \"-\"", "\"name\": \"B\"")).unwrap();
    assert!(matches!(store.get(&name("A")), Err(SecretFailure::Damaged { .. })));
    // Half a file is refused, and is not written over.
    fs::write(store.file(), &sound[..sound.len() / 2]).unwrap();
    assert!(matches!(store.set(&name("C"), "x", NOW), Err(SecretFailure::Damaged { .. })));
    assert_eq!(place.file(), sound[..sound.len() / 2]);
    fs::write(store.file(), &sound).unwrap();
    assert_eq!((value(&store, "A"), value(&store, "B")), ("hunter2".to_owned(), "hunter3".to_owned()));
}

#[test]
fn a_rotation_that_was_begun_loses_neither_value() {
    let place = Place::new();
    let store = place.store();
    store.set(&name("A"), "old", NOW).unwrap();
    store.set_next(&name("A"), "new", LATER).unwrap();
    let again = place.store();
    assert_eq!(value(&again, "A"), "old");
    assert_eq!(again.next(&name("A")).unwrap().unwrap().expose().as_str(), "new");
    assert_eq!(again.list().unwrap().iter().map(|one| (one.version, one.is_rotating)).collect::<Vec<_>>(), [(1, true)]);
    again.promote(&name("A")).unwrap();
    assert_eq!(value(&again, "A"), "new");
    assert!(again.next(&name("A")).unwrap().is_none());
    let listed = again.list().unwrap();
    assert_eq!((listed[0].version, &*listed[0].set_at, &*listed[0].changed_at), (2, NOW, LATER));
    again.promote(&name("A")).unwrap();
    again.set_next(&name("A"), "newer", LATER).unwrap();
    again.set(&name("A"), "by hand", LATER).unwrap();
    assert!(again.next(&name("A")).unwrap().is_none(), "setting ends what was begun");
}

#[test]
fn a_store_gets_another_key_and_the_old_one_opens_nothing() {
    let place = Place::new();
    assert_eq!(place.store().rekey().unwrap(), None);
    place.store().set(&name("A"), "hunter2", NOW).unwrap();
    place.store().set_next(&name("A"), "hunter3", NOW).unwrap();
    let first = place.key_files();
    place.store().rekey().unwrap().unwrap();
    let second = place.key_files();
    assert_eq!(second.len(), 1);
    assert_ne!(first, second);
    assert_eq!(value(&place.store(), "A"), "hunter2");

    // From the file to the environment, and from there to another key of the environment.
    place.with(Some(HEX), None).rekey().unwrap().unwrap();
    assert!(place.key_files().is_empty());
    assert!(matches!(place.with(Some(HEX), None).rekey(), Err(SecretFailure::SameKey)));
    place.with(Some(HEX), Some(OTHER)).rekey().unwrap().unwrap();
    assert!(matches!(place.with(Some(HEX), None).get(&name("A")), Err(SecretFailure::WrongKey { .. })));
    let store = place.with(Some(OTHER), None);
    assert_eq!(value(&store, "A"), "hunter2");
    assert_eq!(store.next(&name("A")).unwrap().unwrap().expose().as_str(), "hunter3");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    place.store().set(&name("A"), "hunter2", NOW).unwrap();
    let key = &place.key_files()[0];
    fs::set_permissions(key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(place.store().get(&name("A")), Err(SecretFailure::OpenKeyFile { .. })));
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(value(&place.store(), "A"), "hunter2");
    fs::write(key, format!("{OTHER}\n")).unwrap();
    assert!(matches!(place.store().get(&name("A")), Err(SecretFailure::Damaged { .. })));
}

#[test]
fn many_who_set_at_once_lose_nothing() {
    let place = Place::new();
    place.store().set(&name("A"), "first", NOW).unwrap();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let store = place.store();
            scope.spawn(move || store.set(&name(&format!("S{number}")), "value", NOW).unwrap());
        }
    });
    assert_eq!(place.store().list().unwrap().len(), 9);
}

#[test]
fn a_generated_password_is_long_and_needs_no_quoting() {
    let (one, other) = (generate_password().unwrap(), generate_password().unwrap());
    assert_ne!(one, other);
    assert_eq!(one.expose().len(), 32);
    assert!(one.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
}

#[test]
fn an_export_is_read_by_others_or_refused() {
    let of = |pairs: &[(&str, &str)], form| {
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (name(key), secret((*value).to_owned()))).collect();
        text(&pairs, form).map(|text| text.to_string())
    };
    let env = of(&[("shop/shop-app", "aB3-_"), ("GREETING", "it is $5 #1")], ExportForm::Env).unwrap();
    assert_eq!(env, "SHOP_SHOP_APP=aB3-_\nGREETING='it is $5 #1'\n");
    let awkward = [("KEY", "it's\nlong")];
    assert!(matches!(of(&awkward, ExportForm::Env), Err(SecretFailure::Value { .. })));
    assert_eq!(of(&awkward, ExportForm::Json).unwrap(), "{\n  \"KEY\": \"it's\\nlong\"\n}\n");
    let same = of(&[("a/b", "1"), ("A_B", "2")], ExportForm::Env);
    assert!(matches!(same, Err(SecretFailure::SameVariable { .. })), "{same:?}");
}

/// Who replaces a value may have the one before taken for a while, which is sealed like every other and gone with the next one.
#[test]
fn the_value_before_is_taken_until_it_is_over() {
    let place = Place::new();
    let store = place.store();
    store.set_beside(&name("HOOK"), "first", NOW, LATER).unwrap();
    assert_eq!(store.previous(&name("HOOK"), NOW).unwrap(), None, "there was none");
    store.set_beside(&name("HOOK"), "second", NOW, LATER).unwrap();
    assert_eq!(value(&store, "HOOK"), "second");
    let before =
        |at: &str| store.previous(&name("HOOK"), at).unwrap().map(|(value, until)| (value.expose().to_string(), until));
    assert_eq!(before(NOW), Some(("first".to_owned(), LATER.to_owned())));
    assert_eq!(before(LATER), None);
    assert_eq!(store.list().unwrap()[0].before_until.as_deref(), Some(LATER));
    store.rekey().unwrap();
    assert!(before(NOW).is_some());
    // Nobody makes it last longer.
    let longer = place.file().replace(&format!("\"until\": \"{LATER}\""), "\"until\": \"2999-01-01T00:00:00.000Z\"");
    assert_ne!(longer, place.file());
    fs::write(store.file(), longer).unwrap();
    assert!(matches!(store.previous(&name("HOOK"), NOW), Err(SecretFailure::Damaged { .. })));
    store.set(&name("HOOK"), "third", NOW).unwrap();
    assert_eq!(before(NOW), None);
}
