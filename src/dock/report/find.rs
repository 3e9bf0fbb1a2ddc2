//! Ids by their ends: screens show the last digits only, and people type what they see.

use super::super::{IndexBroken, View, state::key};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use uuid::Uuid;

/// Digits that a screen shows of an id. The first ones of a UUID of version 7 are its time, so
/// that ids made together only differ in their last ones.
pub const SHOWN_DIGITS: usize = 12;

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Recording,
    Segment,
    Object,
}

/// An id with the wanted end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub kind: Kind,
    pub id: Uuid,
}

/// Every id that ends in these lower-case hexadecimal digits, at most `limit`.
///
/// # Errors
/// [`IndexBroken`].
pub fn find(view: &dyn View, digits: &str, limit: usize) -> Result<Vec<Found>, IndexBroken> {
    let mut found = Vec::new();
    for (kind, prefix) in [
        (Kind::Recording, key::RECORDINGS),
        (Kind::Segment, b"s/".as_slice()),
        (Kind::Object, b"o/".as_slice()),
    ] {
        let mut text = Uuid::encode_buffer();
        view.scan(prefix, b"", &mut |row, _| {
            let id = key::tail(row).and_then(|tail| Uuid::from_slice(tail).ok());
            let fits = |id: &Uuid| id.simple().encode_lower(&mut text).ends_with(digits);
            found.extend(id.filter(fits).map(|id| Found { kind, id }));
            if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
    }
    found.truncate(limit);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dock::MemoryTable;
    use crate::types::{ObjectId, RecordingId, SegmentId};

    #[test]
    fn ids_are_found_by_their_ends() {
        let id = |text: &str| Uuid::try_parse(text).unwrap();
        let a = id("01a20b05-07bc-72b3-8813-80cc519fea87");
        let b = id("01a20b05-07bc-72b3-8813-80cd692bea87");
        let mut table = MemoryTable::default();
        for key in
            [key::recording(RecordingId(a)), key::segment(SegmentId(b)), key::object(ObjectId(a))]
        {
            table.0.insert(key, Vec::new());
        }
        let kinds = |digits, limit| {
            let found = find(&table, digits, limit).unwrap();
            found.into_iter().map(|f| (f.kind, f.id)).collect::<Vec<_>>()
        };
        let all = [(Kind::Recording, a), (Kind::Segment, b), (Kind::Object, a)];
        assert_eq!(kinds("ea87", 9), all);
        assert_eq!(kinds("ea87", 2), all[..2]);
        assert_eq!(kinds("80cd692bea87", 9), [(Kind::Segment, b)]);
        assert_eq!(kinds("880cd692bea87", 9), []);
        assert_eq!(kinds("1380cd692bea87", 9), [(Kind::Segment, b)]);
        assert_eq!(kinds("ffff", 9), []);
    }
}
