//! What one dock's day came to.

#[derive(Default)]
pub struct Day {
    pub mbit: u32,
    pub cameras: u64,
    pub files: u64,
    pub recordings: u64,
    pub objects: u64,
    pub sealed_bytes: u64,
    pub receipt_bytes: u64,
    pub facts: u64,
    pub facts_created: u64,
    pub facts_parts: u64,
    pub facts_stored: u64,
    pub facts_marked: u64,
    pub facts_receipted: u64,
    pub facts_placed: u64,
    pub spool_peak: u64,
    /// By camera: when its last evidence, and its last file, was safe; milliseconds after docking.
    pub safe_evidence: Vec<i64>,
    pub safe_all: Vec<i64>,
    pub series: Vec<u64>,
    /// Of these, how many name a camera: another bay, and they are new ones.
    pub series_of_cameras: u64,
    pub exposition_bytes: Vec<u64>,
    /// Exposition, scraped over the day, if it was asked for.
    pub scrapes: String,
    /// The longest exposition of the day, in the older text format.
    pub exposition: String,
}
