//! The TOML shape of a profile, before it is checked and compiled. Unknown keys are refused.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileText {
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub erase_allowed: bool,
    #[serde(default, rename = "match")]
    pub matching: MatchText,
    pub identity: IdentityText,
    pub layout: LayoutText,
    pub pattern: Option<PatternText>,
    pub recordings: RecordingsText,
    pub manifest: ManifestText,
    #[serde(default)]
    pub evidential: EvidentialText,
    pub battery: Option<BatteryText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatteryText {
    pub file: String,
    pub format: BatteryFormatWord,
    pub key: Option<String>,
    pub pointer: Option<String>,
    #[serde(default)]
    pub live: bool,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
pub enum BatteryFormatWord {
    Number,
    KeyValue,
    Json,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchText {
    #[serde(default)]
    pub require: Vec<String>,
    #[serde(default)]
    pub usb: Vec<String>,
    #[serde(default)]
    pub products: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityText {
    pub from: IdentityWord,
    pub file: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub enum IdentityWord {
    File,
    Pattern,
    Configured,
    Usb,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayoutText {
    pub media: Vec<String>,
    #[serde(default)]
    pub sidecars: Vec<String>,
    #[serde(default)]
    pub ignore: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternText {
    pub regex: String,
    pub time_format: Option<String>,
    pub time_zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingsText {
    pub group: GroupWord,
    #[serde(default)]
    pub group_by: Vec<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub enum GroupWord {
    Manifest,
    Folder,
    File,
    Pattern,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestText {
    pub kind: KindWord,
    #[serde(default)]
    pub files: Vec<String>,
    pub required: Option<bool>,
    pub require_signature: Option<bool>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum KindWord {
    BwvManifest,
    HashList,
    None,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidentialText {
    pub pattern: Option<String>,
    #[serde(default)]
    pub flag_files: Vec<String>,
}
