//! What each section may hold: the bounds, the required keys, and what belongs together.

use super::{
    model::*,
    reader::Section,
    recipients,
    value::{Day, LogFormat, LogLevel, SecretFile, TimeOfDay, UnknownModels},
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

const MODELS_MAX: usize = 256;
const MODEL: &str = "write vendor and product numbers, for example [\"1d6b:0104\"]";

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
            // The dock would take its own spool for footage.
            if let (BaySource::Folder(folder), Some(own)) = (&bay.source, state_dir)
                && (own.starts_with(folder) || folder.starts_with(own))
            {
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
    let source = bay_source(s);
    let camera_id = s.parsed("camera_id", "write the camera's serial number");
    let profile = s.text("profile").map(str::to_owned);
    let models = s.each("models", MODELS_MAX, MODEL);
    if !models.is_empty() && matches!(source, Some(BaySource::Folder(_))) {
        s.problem("models", "goes with a port, not with a folder", "remove it, or write a port");
    }
    let allow_erase = s.flag("allow_erase", true);
    Some(Bay { name: name?, source: source?, camera_id, profile, models, allow_erase })
}

fn bay_source(s: &mut Section<'_>) -> Option<BaySource> {
    const EITHER: &str = "write the folder or mount point that is this bay's camera, or the port \
                          it is plugged into (`bwvdock bays learn` finds it)";
    let (folder, port) = (s.path("folder"), s.parsed("port", "write for example \"1-1.3\""));
    match (s.has("folder"), s.has("port")) {
        (false, false) => s.missing("folder", EITHER),
        (true, true) => s.problem("port", "is there beside folder", "write one of the two"),
        (true, false) | (false, true) => {}
    }
    folder.map(BaySource::Folder).or(port.map(BaySource::Port))
}

/// Two bays on one folder or port would take the same footage twice, under two names.
fn check_against(s: &Section<'_>, bay: &Bay, others: &[Bay]) {
    for other in others {
        if other.name == bay.name {
            s.problem("name", format!("is {:?} twice", bay.name.as_str()), "name each bay once");
        }
        match (&bay.source, &other.source) {
            (BaySource::Folder(folder), BaySource::Folder(taken))
                if folder.starts_with(taken) || taken.starts_with(folder) =>
            {
                let words = format!("lies in, or holds, the folder of bay {}", other.name);
                s.problem("folder", words, "give each bay a folder of its own");
            }
            (BaySource::Port(port), BaySource::Port(taken)) if port == taken => {
                let words = format!("is {port}, as in bay {}", other.name);
                s.problem("port", words, "give each bay a port of its own");
            }
            (BaySource::Port(port), BaySource::Port(taken))
                if port.is_above(taken) || taken.is_above(port) =>
            {
                let words = format!("lies behind, or before, the port of bay {}", other.name);
                s.problem("port", words, "a bay takes one camera, not a hub with other bays");
            }
            (BaySource::Folder(_) | BaySource::Port(_), _) => {}
        }
        if bay.camera_id.is_some() && bay.camera_id == other.camera_id {
            let words = format!("is also in bay {}", other.name);
            s.problem("camera_id", words, "a camera can only be in one bay");
        }
    }
}

pub(super) fn usb(mut s: Section<'_>) -> Usb {
    let default = Usb::default();
    let class = "write class, subclass and protocol, for example [\"ff/42/01\"]";
    let usb = Usb {
        models: s.each("models", MODELS_MAX, MODEL),
        unknown_models: s.word("unknown_models", UnknownModels::WORDS, default.unknown_models),
        tolerated_interfaces: s.each("tolerated_interfaces", 16, class),
        vendor_mtp: s.flag("vendor_mtp", default.vendor_mtp),
        only_enrolled: s.flag("only_enrolled", default.only_enrolled),
        serials: s.texts("serials", 10_000).into_iter().map(|(text, _)| text.to_owned()).collect(),
        cut_power: s.flag("cut_power", default.cut_power),
        revive: s.flag("revive", default.revive),
    };
    if usb.tolerated_interfaces.iter().any(|class| class.is_hub()) {
        s.problem("tolerated_interfaces", "names hubs", "a bay takes no hub; remove it");
    }
    if usb.serials.iter().any(|serial| serial.is_empty() || serial.chars().any(char::is_control)) {
        s.problem("serials", "has an empty one", "write serials as the cameras say them");
    }
    s.finish();
    usb
}

pub(super) fn cameras(mut s: Section<'_>) -> Cameras {
    let default = Cameras::default();
    let clock_zone = zone(&mut s, "clock_zone");
    let cameras = Cameras {
        profiles_dir: s.path("profiles_dir").unwrap_or(default.profiles_dir),
        keys_dir: s.path("keys_dir").unwrap_or(default.keys_dir),
        poll_interval_ms: s.number("poll_interval_ms", 50..=60_000, default.poll_interval_ms),
        copies_max: s.number("copies_max", 1..=16, default.copies_max),
        set_clock: s.flag("set_clock", default.set_clock),
        clock_zone,
    };
    s.finish();
    cameras
}

pub(super) fn seal(mut s: Section<'_>) -> Seal {
    let seal = seal_of_any(&mut s);
    let nothing = !s.has("recipients") && !s.has("recipients_file");
    let empty = seal.recipients.is_empty() && seal.recipients_file.is_none();
    if nothing || (s.has("recipients") && empty) {
        s.missing("recipients", "name at least one age public key (age1...), or a recipients_file");
    }
    s.finish();
    seal
}

/// What the section says, though it may name nobody; the caller finishes it.
pub(super) fn seal_of_any(s: &mut Section<'_>) -> Seal {
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

pub(super) const EVERY_DAY: [Day; 7] = [
    Day::Monday,
    Day::Tuesday,
    Day::Wednesday,
    Day::Thursday,
    Day::Friday,
    Day::Saturday,
    Day::Sunday,
];

fn window(mut s: Section<'_>) -> Window {
    let days = s.words("days", Day::WORDS).unwrap_or_else(|| EVERY_DAY.to_vec());
    let from = s.parsed("from", "write for example \"22:00\"").unwrap_or(TimeOfDay::START);
    let to = s.parsed("to", "write for example \"06:00\"").unwrap_or(TimeOfDay::END);
    if from == to {
        s.problem("to", "is equal to from", "leave both out for whole days");
    }
    let time_zone = zone(&mut s, "time_zone");
    let classes = s.words("classes", CLASSES);
    if classes.is_none() {
        s.missing("classes", "name the classes that are sent only inside this window");
    }
    s.finish();
    Window { days, from, to, time_zone, classes: classes.unwrap_or_default() }
}

/// The name of a time zone; UTC if nothing is said.
pub(super) fn zone(s: &mut Section<'_>, key: &'static str) -> String {
    let zone = s.text(key).unwrap_or("UTC").to_owned();
    if !is_zone_name(&zone) {
        s.problem(key, format!("is {zone:?}"), "write an IANA name, for example \"Europe/London\"");
    }
    zone
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
        still_seconds_min: s.number("still_seconds_min", 0..=3600, default.still_seconds_min),
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
