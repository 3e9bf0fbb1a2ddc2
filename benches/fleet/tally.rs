//! Requests by kind and time of day.

/// What a store counts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    HeadObject,
    ListMultipartUploads,
    CreateMultipartUpload,
    UploadPart,
    CompleteMultipartUpload,
    GetObjectTagging,
    PutObjectTagging,
    GetObjectRetention,
    PutObjectRetention,
    GetObjectLegalHold,
    PutObjectLegalHold,
    PutObject,
    ListParts,
    AbortMultipartUpload,
    GetObject,
}

impl Kind {
    pub const ALL: [Self; 15] = [
        Self::HeadObject,
        Self::ListMultipartUploads,
        Self::CreateMultipartUpload,
        Self::UploadPart,
        Self::CompleteMultipartUpload,
        Self::GetObjectTagging,
        Self::PutObjectTagging,
        Self::GetObjectRetention,
        Self::PutObjectRetention,
        Self::GetObjectLegalHold,
        Self::PutObjectLegalHold,
        Self::PutObject,
        Self::ListParts,
        Self::AbortMultipartUpload,
        Self::GetObject,
    ];

    /// Priced like a write: PUT, COPY, POST and LIST are.
    pub fn is_write(self) -> bool {
        !matches!(
            self,
            Self::HeadObject
                | Self::GetObjectTagging
                | Self::GetObjectRetention
                | Self::GetObjectLegalHold
                | Self::AbortMultipartUpload
                | Self::GetObject
        )
    }
}

/// Seconds of a day.
pub const DAY_S: usize = 86_400;

#[derive(Debug, Clone, Default)]
pub struct Row {
    pub count: u64,
    /// Request line, headers and body; answer likewise.
    pub sent: u64,
    pub received: u64,
    by_second: Vec<u32>,
}

/// All requests of some docks. What runs into the next day counts as what ran into this one from
/// the day before.
#[derive(Debug, Clone)]
pub struct Tally {
    rows: Vec<Row>,
    body_by_second: Vec<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        let row = || Row { by_second: vec![0; DAY_S], ..Row::default() };
        Self { rows: Kind::ALL.map(|_| row()).into(), body_by_second: vec![0; DAY_S] }
    }
}

impl Tally {
    pub fn count(&mut self, kind: Kind, at_ms: i64, sent: u64, received: u64) {
        let row = &mut self.rows[kind as usize];
        let second = (at_ms / 1000).rem_euclid(DAY_S as i64) as usize;
        row.count += 1;
        row.sent += sent;
        row.received += received;
        row.by_second[second] += 1;
    }

    /// Bytes of footage that left the line in that second.
    pub fn moved(&mut self, at_ms: i64, bytes: u64) {
        self.body_by_second[(at_ms / 1000).rem_euclid(DAY_S as i64) as usize] += bytes;
    }

    pub fn row(&self, kind: Kind) -> &Row {
        &self.rows[kind as usize]
    }

    pub fn total(&self) -> u64 {
        self.rows.iter().map(|row| row.count).sum()
    }

    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.rows.iter_mut().zip(&other.rows) {
            mine.count += theirs.count;
            mine.sent += theirs.sent;
            mine.received += theirs.received;
            mine.by_second.iter_mut().zip(&theirs.by_second).for_each(|(a, b)| *a += b);
        }
        self.body_by_second.iter_mut().zip(&other.body_by_second).for_each(|(a, b)| *a += b);
    }

    /// The busiest minute's requests per second, of the kinds that `which` takes.
    pub fn peak(&self, which: impl Fn(Kind) -> bool) -> f64 {
        let rows = || Kind::ALL.into_iter().filter(|kind| which(*kind)).map(|kind| self.row(kind));
        let minute = |at: usize| {
            let sum = |row: &Row| -> u64 {
                row.by_second[at..at + 60].iter().map(|n| u64::from(*n)).sum()
            };
            rows().map(sum).sum::<u64>()
        };
        (0..DAY_S).step_by(60).map(minute).max().unwrap_or(0) as f64 / 60.0
    }

    /// The busiest minute's bytes of footage per second.
    pub fn peak_bytes(&self) -> f64 {
        let minutes = self.body_by_second.chunks(60).map(|minute| minute.iter().sum::<u64>());
        minutes.max().unwrap_or(0) as f64 / 60.0
    }
}
