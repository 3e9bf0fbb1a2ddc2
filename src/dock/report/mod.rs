//! What people and machines ask: reports made from durable state and from what bays do now.
//!
//! Pure reading; every struct is what `--json` prints.

mod find;
mod reconcile;
mod rows;
mod status;
mod why;

pub use find::{Found, Kind, SHOWN_DIGITS, find};
pub use reconcile::{CameraBalance, DryRun, DryRunRow, dry_run, reconcile};
pub use rows::{
    Filter, ObjectRow, RecordingRow, SegmentRow, objects, recording_rows, segment_rows,
};
pub use status::{
    BayReport, ClassAmounts, Light, Now, StageAmount, StatusReport, UploadNow, bay_reports, status,
};
pub use why::{Explanation, explain};
