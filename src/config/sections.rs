//! What each section may hold: the bounds, the required keys, and what belongs together.

use super::{
    model::*,
    reader::Section,
    recipients,
    value::{Day, LogFormat, LogLevel, SecretFile, TimeOfDay},
};
use crate::types::{BayName, Class, ReceiptLevel};
use std::path::{Path, PathBuf};

/// What to write where a secret is wanted.
pub(super) const SECRET: &str = "write the path of a file that holds it, or credential:NAME";
const CLASSES: &[(&str, Class)] = &[
    ("evidential", Class::Evidential),
    ("quarantine", Class::Quarantine),
    ("unreviewed", Class::Unreviewed),
];
/// `size_only` is not offered: it is not enough to release anything.
const LEVELS: &[(&str, ReceiptLevel)] = &[
    ("md5_per_part", ReceiptLevel::Md5PerPart),
    ("read_back", ReceiptLevel::ReadBack),
    ("sha256_per_part", ReceiptLevel::Sha256PerPart),
];
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

/// The most bays one dock may have.
pub(super) const BAYS_MAX: usize = 64;

pub(super) fn dock(mut s: Section<'_>) -> Option<Dock> {
    let remedy = "write a name for this dock, unique in the force: A-Z a-z 0-9 - _ .";
    if !s.has("id") {
        s.missing("id", remedy);
    }
    let id = s.parsed("id", remedy);
    let state_dir = s.path("state_dir").unwrap_or_else(|| PathBuf::from(Dock::STATE_DIR));
    let key_file = s.parsed("key_file", SECRET);
    let key_file = key_file.unwrap_or_else(|| SecretFile::Path(state_dir.join("dock.key")));
    s.finish();
    Some(Dock { id: id?, state_dir, key_file })
}

pub(super) fn api(mut s: Section<'_>) -> Api {
    let default = Api::default();
    let socket = s.path("socket").unwrap_or(default.socket);
    // sun_path of unix(7) holds 108 bytes with its final NUL.
    if socket.as_os_str().len() > 107 {
        s.problem("socket", "is longer than the 107 bytes of a socket's path", "shorten it");
    }
    let [read_group, admin_group] = ["read_group", "admin_group"].map(|key| {
        let group = s.text(key)?;
        if group.is_empty() || group.len() > 32 || group.contains([':', ',', ' ', '/']) {
            s.problem(key, format!("is {group:?}"), "write the name of a group of this system");
        }
        Some(group.to_owned())
    });
    s.finish();
    Api { socket, read_group, admin_group }
}

pub(super) fn bays(sections: Vec<Section<'_>>, state_dir: Option<&Path>) -> Vec<Bay> {
    let mut bays: Vec<Bay> = Vec::new();
    for mut s in sections {
        let bay = bay(&mut s);
        if let Some(bay) = bay {
            check_against(&s, &bay, &bays);
            let BaySource::Folder(folder) = &bay.source;
            // The dock would take its own spool for footage.
            if state_dir.is_some_and(|own| own.starts_with(folder) || folder.starts_with(own)) {
                let words = "lies in, or holds, the dock's state_dir";
                s.problem("folder", words, "give each bay a folder of its own");
            }
            bays.push(bay);
        }
        s.finish();
    }
    bays
}

fn bay(s: &mut Section<'_>) -> Option<Bay> {
    let named = "write what is painted on the bay, for example name = \"1\"";
    if !s.has("name") {
        s.missing("name", named);
    }
    let name: Option<BayName> = s.parsed("name", named);
    if !s.has("folder") {
        s.missing("folder", "write the folder or mount point that is this bay's camera");
    }
    let folder = s.path("folder");
    let camera_id = s.parsed("camera_id", "write the camera's serial number");
    let profile = s.text("profile").map(str::to_owned);
    let allow_erase = s.flag("allow_erase", true);
    let source = BaySource::Folder(folder?);
    Some(Bay { name: name?, source, camera_id, profile, allow_erase })
}

/// Two bays on one folder would take the same footage twice, under two names.
fn check_against(s: &Section<'_>, bay: &Bay, others: &[Bay]) {
    let BaySource::Folder(folder) = &bay.source;
    for other in others {
        let BaySource::Folder(taken) = &other.source;
        if other.name == bay.name {
            s.problem("name", format!("is {:?} twice", bay.name.as_str()), "name each bay once");
        }
        if folder.starts_with(taken) || taken.starts_with(folder) {
            let words = format!("lies in, or holds, the folder of bay {}", other.name);
            s.problem("folder", words, "give each bay a folder of its own");
        }
        if bay.camera_id.is_some() && bay.camera_id == other.camera_id {
            let words = format!("is also in bay {}", other.name);
            s.problem("camera_id", words, "a camera can only be in one bay");
        }
    }
}

pub(super) fn cameras(mut s: Section<'_>) -> Cameras {
    let default = Cameras::default();
    let cameras = Cameras {
        profiles_dir: s.path("profiles_dir").unwrap_or(default.profiles_dir),
        keys_dir: s.path("keys_dir").unwrap_or(default.keys_dir),
        poll_interval_ms: s.number("poll_interval_ms", 50..=60_000, default.poll_interval_ms),
        copies_max: s.number("copies_max", 1..=16, default.copies_max),
    };
    s.finish();
    cameras
}

pub(super) fn seal(mut s: Section<'_>) -> Seal {
    let mut recipients: Vec<String> = Vec::new();
    for (text, span) in s.texts("recipients", recipients::MAX) {
        match recipients::check(text) {
            Ok(()) if recipients.iter().any(|known| known == text) => {
                s.problem_at(&span, "recipients", "names a key twice", "write each key once");
            }
            Ok(()) => recipients.push(text.to_owned()),
            Err(problem) => s.problem_at(&span, "recipients", problem.words, problem.remedy),
        }
    }
    let recipients_file = s.path("recipients_file");
    let nothing = !s.has("recipients") && !s.has("recipients_file");
    if nothing || (s.has("recipients") && recipients.is_empty() && recipients_file.is_none()) {
        s.missing("recipients", "name at least one age public key (age1...), or a recipients_file");
    }
    s.finish();
    Seal { recipients, recipients_file }
}

pub(super) fn spool(mut s: Section<'_>) -> Spool {
    let default = Spool::default();
    let spool = Spool {
        bytes_max: s.number("bytes_max", 64 * MIB..=64 * TIB, default.bytes_max),
        reserve_bytes: s.number("reserve_bytes", 64 * MIB..=TIB, default.reserve_bytes),
    };
    s.finish();
    spool
}

pub(super) fn journal(mut s: Section<'_>) -> Journal {
    let default = Journal::default();
    let journal = Journal {
        keep_days: s.number("keep_days", 31..=36_500, default.keep_days),
        progress_lag_ms_max: s.number(
            "progress_lag_ms_max",
            10..=60_000,
            default.progress_lag_ms_max,
        ),
    };
    s.finish();
    journal
}

pub(super) fn transfer(mut s: Section<'_>) -> Transfer {
    let default = Transfer::default();
    let windows = s.sections("windows", 32).into_iter().map(window).collect();
    let transfer = Transfer {
        objects_in_flight: s.number("objects_in_flight", 1..=16, default.objects_in_flight),
        parts_in_flight: s.number("parts_in_flight", 1..=16, default.parts_in_flight),
        bytes_per_second_max: s.number("bytes_per_second_max", 0..=TIB, 0),
        evidential_head_start_hours: s.number(
            "evidential_head_start_hours",
            0..=8760,
            default.evidential_head_start_hours,
        ),
        retry_seconds_base: s.number("retry_seconds_base", 1..=3600, default.retry_seconds_base),
        retry_seconds_max: s.number("retry_seconds_max", 1..=86_400, default.retry_seconds_max),
        windows,
    };
    if transfer.retry_seconds_max < transfer.retry_seconds_base {
        let words = format!("is {}, less than retry_seconds_base", transfer.retry_seconds_max);
        s.problem("retry_seconds_max", words, "write at least as many seconds as the base");
    }
    let limit = transfer.bytes_per_second_max;
    if limit > 0 && limit < 16 * KIB {
        let words = format!("is {limit}, too slow to ever send a part");
        s.problem("bytes_per_second_max", words, "write 0 for no limit, or at least 16384");
    }
    s.finish();
    transfer
}

fn window(mut s: Section<'_>) -> Window {
    const EVERY_DAY: [Day; 7] = [
        Day::Monday,
        Day::Tuesday,
        Day::Wednesday,
        Day::Thursday,
        Day::Friday,
        Day::Saturday,
        Day::Sunday,
    ];
    let days = s.words("days", Day::WORDS).unwrap_or_else(|| EVERY_DAY.to_vec());
    let from = s.parsed("from", "write for example \"22:00\"").unwrap_or(TimeOfDay::START);
    let to = s.parsed("to", "write for example \"06:00\"").unwrap_or(TimeOfDay::END);
    if from == to {
        s.problem("to", "is equal to from", "leave both out for whole days");
    }
    let time_zone = s.text("time_zone").unwrap_or("UTC").to_owned();
    if !is_zone_name(&time_zone) {
        let words = format!("is {time_zone:?}");
        s.problem("time_zone", words, "write an IANA name, for example \"Europe/London\"");
    }
    let classes = s.words("classes", CLASSES);
    if classes.is_none() {
        s.missing("classes", "name the classes that are sent only inside this window");
    }
    s.finish();
    Window { days, from, to, time_zone, classes: classes.unwrap_or_default() }
}

/// The form of an IANA name: no way out of the folder of zones.
fn is_zone_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_+".contains(c);
    name.len() <= 64
        && name.split('/').all(|part| !part.is_empty() && part.chars().all(plain))
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
}

pub(super) fn release(mut s: Section<'_>) -> Release {
    let default = Release::default();
    let release = Release {
        enabled: s.flag("enabled", default.enabled),
        receipt_level_min: s.word("receipt_level_min", LEVELS, default.receipt_level_min),
        age_hours_min: s.number("age_hours_min", 0..=8760, default.age_hours_min),
        erase_unverified: s.flag("erase_unverified", default.erase_unverified),
        read_again_before_erase: s.flag("read_again_before_erase", default.read_again_before_erase),
    };
    s.finish();
    release
}

pub(super) fn retention(mut s: Section<'_>) -> Retention {
    let default = Retention::default();
    let retention = Retention {
        lock: s.flag("lock", default.lock),
        days: s.number("days", 1..=36_500, default.days),
    };
    s.finish();
    retention
}

pub(super) fn log(mut s: Section<'_>) -> Log {
    let default = Log::default();
    let log = Log {
        level: s.word("level", LogLevel::WORDS, default.level),
        format: s.word("format", LogFormat::WORDS, default.format),
    };
    s.finish();
    log
}
