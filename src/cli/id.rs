//! Ids as people give them: whole, or the last digits that the screens show.

use super::{Complaint, Exit, ask::Asker};
use crate::{
    api::Request,
    dock::report::{Found, Kind, SHOWN_DIGITS},
};
use std::str::FromStr;
use uuid::Uuid;

/// Fewer digits are a slip of the finger rather than an id.
const DIGITS_MIN: usize = 4;

/// An id, or its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenId {
    Whole(Uuid),
    /// Lower-case hexadecimal digits, without hyphens.
    End(String),
}

impl FromStr for GivenId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let hexadecimal = digits.chars().all(|c| c.is_ascii_hexdigit());
        match digits.len() {
            32 if hexadecimal => {
                Uuid::try_parse(&digits).map(Self::Whole).map_err(|error| error.to_string())
            }
            DIGITS_MIN..32 if hexadecimal => Ok(Self::End(digits.to_ascii_lowercase())),
            _ => Err(format!(
                "an id is 32 hexadecimal digits; the last {DIGITS_MIN} or more will do"
            )),
        }
    }
}

impl GivenId {
    /// The whole id, of one of these kinds.
    ///
    /// # Errors
    /// A [`Complaint`]: no such id, or several.
    pub fn resolve(&self, asker: &Asker, kinds: &[Kind]) -> Result<Uuid, Complaint> {
        let digits = match self {
            Self::Whole(id) => return Ok(*id),
            Self::End(digits) => digits,
        };
        let found: Vec<Found> = asker.ask(&Request::Find { digits: digits.clone() })?;
        let fits: Vec<_> = found.into_iter().filter(|f| kinds.contains(&f.kind)).collect();
        match fits.as_slice() {
            [one] => Ok(one.id),
            [] => Err(Complaint::new(
                Exit::Refused,
                format!("this dock knows no {} whose id ends in {digits}", named(kinds)),
                "`bwvdock recordings`, `segments` and `queue` list the ids there are",
            )),
            several => {
                let ids: Vec<_> = several.iter().map(|f| f.id.to_string()).collect();
                Err(Complaint::new(
                    Exit::Usage,
                    format!("several ids end in {digits}: {}", ids.join(", ")),
                    "give more digits of the one you mean",
                ))
            }
        }
    }
}

fn named(kinds: &[Kind]) -> String {
    let name = |kind: &Kind| match kind {
        Kind::Recording => "recording",
        Kind::Segment => "segment",
        Kind::Object => "sealed object",
    };
    kinds.iter().map(name).collect::<Vec<_>>().join(" or ")
}

/// What a screen shows of an id.
pub fn short(id: &impl ToString) -> String {
    let text = id.to_string();
    let start = text.len().saturating_sub(SHOWN_DIGITS);
    text.get(start..).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_ids_and_their_ends_are_taken() {
        let whole = "01a20b05-07bc-72b3-8813-80cc519fea87";
        let id: Uuid = whole.parse().unwrap();
        assert_eq!(whole.parse(), Ok(GivenId::Whole(id)));
        assert_eq!(whole.replace('-', "").to_uppercase().parse(), Ok(GivenId::Whole(id)));
        assert_eq!("80CC519FEA87".parse(), Ok(GivenId::End("80cc519fea87".into())));
        assert_eq!("8813-80cc".parse(), Ok(GivenId::End("881380cc".into())));
        assert_eq!(short(&id).parse(), Ok(GivenId::End("80cc519fea87".into())));
        for bad in ["", "abc", "xyz1", "all", &"a".repeat(33), "01a20b05 07bc"] {
            assert!(bad.parse::<GivenId>().is_err(), "{bad:?}");
        }
    }
}
