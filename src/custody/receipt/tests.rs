use super::*;
use crate::{
    transfer::ObjectHead,
    types::{
        SegmentId, Sha256Digest,
        fact::{Content, Part, PartTable},
    },
};
use proptest::prelude::*;
use std::process::Command;
use uuid::Uuid;

fn receipt() -> Receipt {
    let part = |n| Part::from(Sha256Digest([n; 32]));
    let hashed = Hashed { size: 15, sha256: Sha256Digest::of(b"sealed") };
    let object = SealedObject {
        id: ObjectId(Uuid::from_u128(1)),
        content: Content::Segment(SegmentId(Uuid::from_u128(2))),
        plain: hashed,
        sealed: hashed,
        table: PartTable { part_size: 8, parts: vec![part(1), part(2)] },
        key: "force/dock-1/a \"b\".age".into(),
        class: Class::Evidential,
        retain_until: None,
    };
    let head = ObjectHead {
        size: 15,
        etag: "abc-2".into(),
        version: Some("v1".into()),
        composite_sha256: Some(object.table.composite_sha256()),
        meta_sha256: Some(hashed.sha256.to_string()),
        lock_mode: Some("GOVERNANCE".into()),
        legal_hold: Some(false),
        ..ObjectHead::default()
    };
    let proof = StoredProof::again(&object, head, ReceiptLevel::ReadBack, None).unwrap();
    let place = Place { endpoint: "store.example:8343".into(), bucket: "evidence".into() };
    let custody = Head { seq: 9, hash: Sha256Digest([3; 32]) };
    let at = "2026-01-05T12:00:00Z".parse().unwrap();
    Receipt::new(&DockId::new("dock-1").unwrap(), &object, &proof, place, custody, at)
}

/// Signs any text as if it were line 1.
fn signed(line: &str, key: &DockKey) -> Vec<u8> {
    let signature = STANDARD.encode(key.sign(line.as_bytes()));
    let public = key.public().to_base64();
    format!("{line}\n{{\"ed25519\":\"{signature}\",\"key\":\"{public}\"}}\n").into_bytes()
}

#[test]
fn the_canonical_form_is_this_one() {
    let text = receipt().to_canonical_json();
    let one = "01".repeat(32);
    let two = "02".repeat(32);
    let expected = format!(
        concat!(
            r#"{{"at":"2026-01-05T12:00:00Z","bucket":"evidence","class":"evidential","#,
            r#""composite_sha256":"{}","custody":{{"hash":"{}","seq":9}},"dock":"dock-1","#,
            r#""endpoint":"store.example:8343","etag":"abc-2","key":"force/dock-1/a \"b\".age","#,
            r#""level":"read_back","lock":{{"legal_hold":false,"mode":"GOVERNANCE"}},"#,
            r#""object":"00000000-0000-0000-0000-000000000001","#,
            r#""parts":[{{"sha256":"{}","size":8}},{{"sha256":"{}","size":7}}],"#,
            r#""sealed":{{"sha256":"{}","size":15}},"version":1,"version_id":"v1"}}"#,
        ),
        receipt().composite_sha256,
        "03".repeat(32),
        one,
        two,
        Sha256Digest::of(b"sealed")
    );
    assert_eq!(text, expected);
}

#[test]
fn what_was_signed_reads_back_and_only_by_its_key() {
    let (key, other) = (DockKey::generate().unwrap(), DockKey::generate().unwrap());
    let file = receipt().sign(&key);
    assert_eq!(file, signed(&receipt().to_canonical_json(), &key));
    assert_eq!(Receipt::verify(&file, None), Ok(receipt()));
    assert_eq!(Receipt::verify(&file, Some(&key.public())), Ok(receipt()));
    let error = Receipt::verify(&file, Some(&other.public())).unwrap_err();
    assert_eq!(error, ReceiptError::OtherKey);
}

#[test]
fn any_changed_byte_is_found() {
    let key = DockKey::generate().unwrap();
    let file = receipt().sign(&key);
    for at in 0..file.len() {
        let mut bad = file.clone();
        bad[at] ^= 1;
        assert!(Receipt::verify(&bad, Some(&key.public())).is_err(), "byte {at}");
    }
    for end in 0..file.len() {
        assert!(Receipt::verify(&file[..end], None).is_err(), "cut at {end}");
    }
    assert!(Receipt::verify(&[&file[..], b"\n"].concat(), None).is_err());
}

#[test]
fn a_signature_does_not_make_nonsense_true() {
    let key = DockKey::generate().unwrap();
    let line = receipt().to_canonical_json();
    let check = |from: &str, to: &str| {
        let changed = line.replacen(from, to, 1);
        assert_ne!(changed, line, "{from}");
        Receipt::verify(&signed(&changed, &key), None).unwrap_err()
    };
    assert_eq!(check(r#""version":1,"#, r#""version":2,"#), ReceiptError::Newer(2));
    let contradiction = |error| matches!(error, ReceiptError::Contradiction(_));
    assert!(contradiction(check(r#""size":15"#, r#""size": 15"#)));
    assert!(contradiction(check(r#""at":"2026-01-05T12"#, r#""at":"2026-01-05t12"#)));
    assert!(contradiction(check(r#""size":15"#, r#""size":17"#)));
    assert!(contradiction(check(r#""size":8"#, r#""size":18446744073709551615"#)));
    assert!(contradiction(check(&"01".repeat(32), &"11".repeat(32))));
    assert!(contradiction(check(r#""etag""#, r#""bonus":1,"etag""#)));
    let json = |error| matches!(error, ReceiptError::Json { line: 1, .. });
    assert!(json(check(r#""size":15"#, r#""size":15.0"#)));
    assert!(json(check(r#""etag":"abc-2","#, "")));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(first: Vec<u8>, second: Vec<u8>) {
        prop_assert!(Receipt::verify(&[first, second].join(&b'\n'), None).is_err());
    }
}

/// The commands of the module text, word for word but for the names of the files.
#[test]
fn stock_openssl_verifies_it_and_refuses_a_changed_one() {
    if Command::new("openssl").arg("version").output().is_err() {
        assert_ne!(std::env::var("BWVDOCK_TESTS").as_deref(), Ok("all"), "openssl is missing");
        eprintln!("skipped: no openssl");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let key = DockKey::generate().unwrap();
    std::fs::write(folder.path().join("dock.pub.pem"), key.public().to_pem()).unwrap();
    let script = r#"set -e
        head -n 1 receipt.json | tr -d '\n' > line1
        sed -n 2p receipt.json | sed 's/.*"ed25519":"\([^"]*\)".*/\1/' | base64 -d > line1.sig
        openssl pkeyutl -verify -pubin -inkey dock.pub.pem -rawin -in line1 -sigfile line1.sig"#;
    let verify = |file: &[u8]| {
        std::fs::write(folder.path().join("receipt.json"), file).unwrap();
        let shell = Command::new("sh").arg("-c").arg(script).current_dir(&folder).output();
        shell.unwrap().status.success()
    };
    let file = receipt().sign(&key);
    assert!(verify(&file));
    let text = String::from_utf8(file).unwrap();
    assert!(!verify(text.replace("evidential", "unreviewed").as_bytes()));
}

#[test]
fn a_key_made_by_openssl_signs_too() {
    let made = Command::new("openssl").args(["genpkey", "-algorithm", "ed25519"]).output();
    let Ok(made) = made else {
        assert_ne!(std::env::var("BWVDOCK_TESTS").as_deref(), Ok("all"), "openssl is missing");
        return;
    };
    let key = DockKey::from_pem(&String::from_utf8(made.stdout).unwrap()).unwrap();
    assert!(Receipt::verify(&receipt().sign(&key), Some(&key.public())).is_ok());
}
