//! What people and machines ask: reports made from durable state and from what bays do now.
//!
//! Pure reading; every struct is what `--json` prints.

mod away;
mod battery;
mod cameras;
mod concerns;
mod find;
mod light;
mod log_damage;
mod marks;
mod obstacles;
mod page;
mod reconcile;
mod rows;
mod status;
mod stays;
mod why;
mod why_place;

pub use away::away_words;
pub use battery::needs_power;
pub use cameras::{CameraRow, camera_row, camera_rows};
pub use concerns::{Concern, ConcernKind, concerns, gap_words, verdict_words};
pub use find::{Found, Kind, SHOWN_DIGITS, find};
pub use light::Light;
pub use page::{Page, Span};
pub use reconcile::{CameraBalance, DryRun, DryRunRow, dry_run, reconcile};
pub use rows::{
    Filter, Gone, ObjectRow, RecordingRow, SegmentRow, objects, recording_rows, segment_rows,
};
pub use status::{
    BayReport, ClassAmounts, Now, StageAmount, StatusReport, UploadNow, bay_reports, status,
};
pub use why::{Explanation, explain};
pub use why_place::{explain_bay, explain_camera, explain_named};
