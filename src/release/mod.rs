//! The release rule: the only place that may say a segment can be erased from its camera.
//!
//! (being written: policy, evaluation and dry run)

use crate::types::{SegmentId, fact::Source};

/// The right to erase one file from one camera. Only [`crate::release`] can make one.
#[derive(Debug)]
pub struct ErasePermit {
    segment: SegmentId,
    source: Source,
}

impl ErasePermit {
    #[cfg(test)]
    pub(crate) fn for_test(segment: SegmentId, source: Source) -> Self {
        Self { segment, source }
    }

    pub fn segment(&self) -> SegmentId {
        self.segment
    }

    /// What the file looked like when it was sealed; the camera compares before it erases.
    pub fn source(&self) -> &Source {
        &self.source
    }
}
