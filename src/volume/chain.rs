//! Chains of clusters, walked lazily and handed out as runs.
//!
//! A chain of a hostile card may be a ring: Brent's method notices it after at most three rounds,
//! in no memory to speak of.

use super::{
    ReadAt,
    fat::Fat,
    geometry::{Geometry, Link},
};
use std::{fmt, io};

/// Clusters that lie one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Run {
    pub first: u32,
    pub count: u32,
}

impl Run {
    /// The cluster after its last; above every 32-bit number for a run at the very end.
    pub fn end(self) -> u64 {
        u64::from(self.first) + u64::from(self.count)
    }

    pub fn meets(self, other: Self) -> bool {
        u64::from(self.first) < other.end() && u64::from(other.first) < self.end()
    }
}

/// Why a chain cannot be followed further.
#[derive(Debug)]
pub(super) enum Broken {
    Free(u32),
    Bad(u32),
    Outside(u32),
    Ring(u32),
    Io(io::Error),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free(cluster) => write!(f, "its chain runs into the free cluster {cluster}"),
            Self::Bad(cluster) => write!(f, "its chain runs into the bad cluster {cluster}"),
            Self::Outside(cluster) => {
                write!(f, "its chain leaves the volume, to cluster {cluster}")
            }
            Self::Ring(cluster) => write!(f, "its chain comes back to cluster {cluster}"),
            Self::Io(error) => write!(f, "the allocation table cannot be read there: {error}"),
        }
    }
}

/// A chain under way.
#[derive(Debug)]
pub(super) struct Chain {
    next: Option<u32>,
    /// Clusters left of a chain that needs no table (exFAT 6.2, NoFatChain).
    contiguous: Option<u64>,
    broken: Option<Broken>,
    mark: u32,
    steps: u64,
    round: u64,
}

impl Chain {
    /// From its first cluster on, by the table.
    pub fn linked(first: u32) -> Self {
        Self { next: Some(first), contiguous: None, broken: None, mark: first, steps: 0, round: 1 }
    }

    /// `count` clusters in one piece.
    pub fn contiguous(first: u32, count: u64) -> Self {
        let next = (count > 0).then_some(first);
        Self { next, contiguous: Some(count), ..Self::linked(first) }
    }

    /// Whether the chain ended where it should: after the last run, and whole.
    pub fn is_over(&self) -> bool {
        self.next.is_none() && self.broken.is_none()
    }

    /// The next clusters in one piece, at most `most`; none at the end.
    ///
    /// # Errors
    /// [`Broken`], after everything before it was handed out.
    pub fn run(
        &mut self,
        dev: &dyn ReadAt,
        geometry: &Geometry,
        fat: &mut Fat,
        most: u64,
    ) -> Result<Option<Run>, Broken> {
        if let Some(broken) = self.broken.take() {
            self.next = None;
            return Err(broken);
        }
        let Some(first) = self.next else { return Ok(None) };
        if !geometry.has(first) {
            self.next = None;
            return Err(Broken::Outside(first));
        }
        let most = u32::try_from(most).unwrap_or(u32::MAX).max(1);
        if let Some(left) = self.contiguous {
            return Ok(Some(self.straight(geometry, first, left, most)));
        }
        let mut run = Run { first, count: 0 };
        let mut at = first;
        loop {
            run.count += 1;
            match fat.link(dev, geometry, at) {
                Ok(Link::Next(next)) => self.step(next),
                Ok(Link::End) => self.next = None,
                Ok(Link::Free) => self.broken = Some(Broken::Free(at)),
                Ok(Link::Bad) => self.broken = Some(Broken::Bad(at)),
                Ok(Link::Outside(next)) => self.broken = Some(Broken::Outside(next)),
                Err(error) => self.broken = Some(Broken::Io(error)),
            }
            let straight_on = self.next == at.checked_add(1) && self.broken.is_none();
            if !straight_on || run.count >= most {
                break;
            }
            at += 1;
        }
        // A cluster that the table calls free or bad is not the file's.
        if matches!(self.broken, Some(Broken::Free(_) | Broken::Bad(_))) {
            run.count -= 1;
            if run.count == 0 {
                self.next = None;
                return self.broken.take().map_or(Ok(None), Err);
            }
        }
        Ok(Some(run))
    }

    fn straight(&mut self, geometry: &Geometry, first: u32, left: u64, most: u32) -> Run {
        let room = geometry.clusters - (first - 2);
        let wanted = u32::try_from(left).unwrap_or(u32::MAX).min(most);
        let count = wanted.min(room);
        let left = left - u64::from(count);
        self.contiguous = Some(left);
        self.next = (left > 0).then_some(first.saturating_add(count));
        Run { first, count }
    }

    fn step(&mut self, next: u32) {
        self.next = Some(next);
        if next == self.mark {
            self.broken = Some(Broken::Ring(next));
        }
        self.steps += 1;
        if self.steps == self.round {
            (self.mark, self.steps, self.round) = (next, 0, self.round.saturating_mul(2));
        }
    }
}
