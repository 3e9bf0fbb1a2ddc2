//! Reading a profile: every rule that the TOML shape alone does not keep.

use super::{
    BatteryFile, Grouping, IdentityFrom, ManifestKind, Profile, ProfileError, Role,
    pattern::{self, Pattern},
    text::{
        GroupWord, IdentityText, IdentityWord, KindWord, ManifestText, PatternText, ProfileText,
    },
};
use crate::types::{SourcePath, UsbId};
use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

impl Profile {
    /// Reads and compiles a profile.
    ///
    /// # Errors
    /// [`ProfileError`] names the key and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        if text.len() > Self::BYTES_MAX {
            return Err(value("the profile", "is longer than 256 KiB"));
        }
        let text: ProfileText = toml::from_str(text).map_err(|error| not_toml(text, &error))?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.name.is_empty() || text.name.len() > 64 || !text.name.chars().all(plain) {
            return Err(value("name", "may hold a-z, 0-9 and '-', at most 64 of them"));
        }
        if text.layout.media.is_empty() {
            return Err(value("layout.media", "is empty: no file would be footage"));
        }
        let grouping = grouping(text.recordings.group, &text.recordings.group_by)?;
        let (manifest, manifest_files) = manifest_rule(&text.manifest, grouping)?;
        let pattern = compile_pattern(text.pattern, text.recordings.group_by, grouping)?;
        let has_serial = pattern.as_ref().is_some_and(Pattern::has_serial);
        let evidential = text.evidential.pattern.as_deref();
        let battery = text.battery.map(BatteryFile::parse).transpose()?;
        let profile = Self {
            identity: identity(&text.identity, has_serial)?,
            name: text.name,
            description: text.description,
            erase_allowed: text.erase_allowed,
            require: globs("match.require", &text.matching.require)?
                .iter()
                .map(Glob::compile_matcher)
                .collect(),
            usb: text.matching.usb.iter().map(|id| usb_id(id)).collect::<Result<_, _>>()?,
            products: text.matching.products,
            media: glob_set("layout.media", &text.layout.media)?,
            sidecars: glob_set("layout.sidecars", &text.layout.sidecars)?,
            ignore: glob_set("layout.ignore", &text.layout.ignore)?,
            pattern,
            grouping,
            manifest,
            manifest_files,
            evidential: evidential
                .map(|text| pattern::compile("evidential.pattern", text))
                .transpose()?,
            flag_files: glob_set("evidential.flag_files", &text.evidential.flag_files)?,
            battery: None,
        };
        let footage = |battery: &BatteryFile| {
            matches!(profile.role(&battery.path), Role::Media | Role::Manifest | Role::Signature)
        };
        if battery.as_ref().is_some_and(footage) {
            let words = "is footage by `layout` or `manifest`: it would not be copied";
            return Err(value("battery.file", words));
        }
        Ok(Self { battery, ..profile })
    }
}

fn value(key: &'static str, words: &str) -> ProfileError {
    ProfileError::Value { key, words: words.into() }
}

fn grouping(word: GroupWord, group_by: &[String]) -> Result<Grouping, ProfileError> {
    let grouping = match word {
        GroupWord::Manifest => Grouping::Manifest,
        GroupWord::Folder => Grouping::Folder,
        GroupWord::File => Grouping::File,
        GroupWord::Pattern => Grouping::Pattern,
    };
    match (grouping == Grouping::Pattern, group_by.is_empty()) {
        (true, true) => Err(value("recordings.group_by", "must name the groups of one recording")),
        (false, false) => {
            Err(value("recordings.group_by", "only goes with recordings.group = \"pattern\""))
        }
        _ => Ok(grouping),
    }
}

fn compile_pattern(
    text: Option<PatternText>,
    group_by: Vec<String>,
    grouping: Grouping,
) -> Result<Option<Pattern>, ProfileError> {
    match text {
        Some(pattern) => Pattern::compile(pattern, group_by).map(Some),
        None if grouping == Grouping::Pattern => {
            Err(value("recordings.group", "is \"pattern\", but there is no [pattern]"))
        }
        None => Ok(None),
    }
}

fn manifest_rule(
    text: &ManifestText,
    grouping: Grouping,
) -> Result<(ManifestKind, GlobSet), ProfileError> {
    let kind = match text.kind {
        KindWord::BwvManifest => {
            ManifestKind::BwvManifest { require_signature: text.require_signature.unwrap_or(true) }
        }
        KindWord::HashList => ManifestKind::HashList { required: text.required.unwrap_or(true) },
        KindWord::None => ManifestKind::None,
    };
    let by_manifest = text.kind == KindWord::BwvManifest;
    if by_manifest != (grouping == Grouping::Manifest) {
        let words = "\"manifest\" goes with manifest.kind = \"bwv-manifest\", and only with it";
        return Err(value("recordings.group", words));
    }
    if text.require_signature.is_some() && !by_manifest {
        return Err(value("manifest.require_signature", "only goes with \"bwv-manifest\""));
    }
    if text.required.is_some() && text.kind != KindWord::HashList {
        return Err(value("manifest.required", "only goes with \"hash-list\""));
    }
    if text.files.is_empty() != (text.kind == KindWord::None) {
        return Err(value("manifest.files", "names the files of every kind but \"none\""));
    }
    Ok((kind, glob_set("manifest.files", &text.files)?))
}

fn identity(text: &IdentityText, has_serial: bool) -> Result<IdentityFrom, ProfileError> {
    match (text.from, &text.file) {
        (IdentityWord::File, file) => {
            let path = SourcePath::new(file.as_deref().unwrap_or("camera.json"));
            path.map(IdentityFrom::Card).map_err(|e| value("identity.file", &e.to_string()))
        }
        (_, Some(_)) => Err(value("identity.file", "only goes with identity.from = \"file\"")),
        (IdentityWord::Pattern, None) if has_serial => Ok(IdentityFrom::Pattern),
        (IdentityWord::Pattern, None) => {
            Err(value("identity.from", "is \"pattern\", but no [pattern] has the group serial"))
        }
        (IdentityWord::Configured, None) => Ok(IdentityFrom::Configured),
        (IdentityWord::Usb, None) => Ok(IdentityFrom::Usb),
    }
}

fn usb_id(text: &str) -> Result<UsbId, ProfileError> {
    text.parse().map_err(|_| value("match.usb", "is a list of texts like \"1d6b:0104\""))
}

fn globs(key: &'static str, texts: &[String]) -> Result<Vec<Glob>, ProfileError> {
    let compile = |text: &String| {
        GlobBuilder::new(text)
            .literal_separator(true)
            .case_insensitive(true)
            .build()
            .map_err(|error| value(key, &format!("holds a glob that cannot be used: {error}")))
    };
    texts.iter().map(compile).collect()
}

fn glob_set(key: &'static str, texts: &[String]) -> Result<GlobSet, ProfileError> {
    let mut set = GlobSetBuilder::new();
    for glob in globs(key, texts)? {
        set.add(glob);
    }
    set.build().map_err(|error| value(key, &format!("holds too many globs: {error}")))
}

/// In one line, unlike the error's own text.
fn not_toml(text: &str, error: &toml::de::Error) -> ProfileError {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = 1 + text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count();
    let words: Vec<_> = error.message().split_whitespace().collect();
    ProfileError::Toml { line, words: words.join(" ") }
}
