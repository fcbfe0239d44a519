//! Claims about tokens, their file and what a service holds of it.

use std::os::unix::fs::PermissionsExt;

use super::*;

const NOW: i64 = 1_700_000_000_000_000;

fn random(n: u128) -> [Uuid; 3] {
    [n << 96, n + 1, n + 2].map(Uuid::from_u128)
}

fn wanted(name: &str, scopes: &[Scope]) -> Wanted {
    Wanted { name: name.to_owned(), scopes: scopes.to_vec(), ..Wanted::default() }
}

#[test]
fn a_token_is_known_by_its_secret_and_the_file_does_not_hold_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let text =
        Tokens::change(&path, |tokens| tokens.add(wanted("ci", &[Scope::Ingest]), random(1), NOW)).unwrap();
    let secret = text.rsplit('_').next().unwrap();
    assert_eq!((text.len(), secret.len()), (77, 64));
    let file = std::fs::read_to_string(&path).unwrap();
    assert!(!file.contains(secret) && file.contains("\"ci\""), "{file}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let keyring = Keyring::open(&path).unwrap();
    let holder = keyring.holder(&text, NOW).unwrap();
    assert!(holder.has(Scope::Ingest) && !holder.has(Scope::Read) && !holder.has(Scope::Admin));
    let mut wrong = text.clone();
    wrong.replace_range(76..77, if text.ends_with('0') { "1" } else { "0" });
    for other in [wrong.as_str(), &text[..76], "", "wvt", "wvt_", "wvt__", secret, &format!("{text}x")] {
        assert_eq!(keyring.holder(other, NOW).unwrap_err(), Denial::Invalid, "{other}");
    }
}

#[test]
fn a_running_service_follows_the_file_and_never_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let keyring = Keyring::open(&path).unwrap();
    assert!(!keyring.is_required());
    let text =
        Tokens::change(&path, |tokens| tokens.add(wanted("a", &[Scope::Admin]), random(1), NOW)).unwrap();
    assert!(keyring.holder(&text, NOW).unwrap().has(Scope::Read), "a new token holds at once");
    assert!(keyring.is_required());
    Tokens::change(&path, |tokens| tokens.revoke("a", NOW)).unwrap();
    keyring.look(std::time::Duration::ZERO);
    assert_eq!(keyring.holder(&text, NOW).unwrap_err(), Denial::Invalid);
    std::fs::write(&path, "{broken").unwrap();
    keyring.look(std::time::Duration::ZERO);
    std::fs::remove_file(&path).unwrap();
    keyring.look(std::time::Duration::ZERO);
    assert!(keyring.is_required(), "neither the last revocation nor a lost file opens the service");
}

/// A copy that an editor or a restore made is open to others at first, and has the time of what it is a copy of.
#[test]
fn a_file_whose_mode_was_mended_is_read_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let text =
        Tokens::change(&path, |tokens| tokens.add(wanted("a", &[Scope::Read]), random(1), NOW)).unwrap();
    let keyring = Keyring::open(&path).unwrap();
    Tokens::change(&path, |tokens| tokens.revoke("a", NOW)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    keyring.look(std::time::Duration::ZERO);
    assert!(keyring.holder(&text, NOW).is_ok(), "what was read before holds");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    keyring.look(std::time::Duration::ZERO);
    assert_eq!(keyring.holder(&text, NOW).unwrap_err(), Denial::Invalid);
}

#[test]
fn a_token_ends_when_it_expires_and_when_it_is_revoked() {
    let mut tokens = Tokens::default();
    let ends = Wanted { expires_us: Some(NOW + 10), ..wanted("a", &[Scope::Read]) };
    tokens.add(ends, random(1), NOW).unwrap();
    let state = |tokens: &Tokens, now| tokens.all()[0].state(now);
    assert_eq!((state(&tokens, NOW + 9), state(&tokens, NOW + 1_000_000)), ("active", "expired"));
    tokens.revoke("a", NOW).unwrap();
    assert_eq!(state(&tokens, NOW), "revoked");
    let error = tokens.revoke("a", NOW).unwrap_err();
    assert!(error.to_string().contains("no active token with the id or name `a`"), "{error}");
}

#[test]
fn what_is_not_allowed_says_what_is() {
    let mut tokens = Tokens::default();
    tokens.add(wanted("taken", &[Scope::Read]), random(1), NOW).unwrap();
    let models =
        Wanted { model_prefixes: vec!["fraud".to_owned()], ..wanted("b", &[Scope::Ingest, Scope::Read]) };
    for (wanted, part) in [
        (wanted("", &[Scope::Read]), "1 to 64 printable characters"),
        (wanted("taken", &[Scope::Read]), "revoke it, or choose another name"),
        (wanted("b", &[]), "ingest, read or admin"),
        (models, "goes with the scope ingest alone"),
    ] {
        let told = tokens.add(wanted, random(2), NOW).unwrap_err().to_string();
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(tokens.all().len(), 1);
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    std::fs::write(&path, "{}").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let told = Keyring::open(&path).unwrap_err().to_string();
    assert!(told.contains("mode 640") && told.contains("600"), "{told}");
}

#[test]
fn a_token_may_be_limited_to_models() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let limited = Wanted {
        model_prefixes: vec!["fraud".to_owned(), "credit-".to_owned()],
        ..wanted("a", &[Scope::Ingest])
    };
    let text = Tokens::change(&path, |tokens| tokens.add(limited, random(1), NOW)).unwrap();
    let holder = Keyring::open(&path).unwrap().holder(&text, NOW).unwrap();
    let may: Vec<bool> =
        ["fraud", "fraud-eu", "credit", "credit-7", "delay", ""].iter().map(|m| holder.may_send(m)).collect();
    assert_eq!(may, [true, true, false, true, false, false]);
}
