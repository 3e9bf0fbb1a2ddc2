//! Files that a profile leaves out: nothing of them is copied, and so people must hear of them.

use crate::{
    evidence::profile::{Profile, Role},
    types::{Listing, SourcePath},
};

/// Names that are told; the rest is counted.
const NAMES_MAX: usize = 5;
/// Characters of one name.
const NAME_CHARS_MAX: usize = 60;

/// What of a listing the profile ignores, counted, with the first names; none if there is nothing.
pub fn left_out(profile: &Profile, listing: &Listing) -> Option<String> {
    let ignored = |path: &&SourcePath| profile.role(path) == Role::Ignored;
    let mut paths: Vec<_> = listing.files.iter().map(|file| &file.path).filter(ignored).collect();
    paths.sort();
    let count = paths.len();
    let short = |path: &&SourcePath| -> String {
        let name = path.to_string();
        match name.char_indices().nth(NAME_CHARS_MAX) {
            Some((at, _)) => format!("{}…", &name[..at]),
            None => name,
        }
    };
    let names: Vec<_> = paths.iter().take(NAMES_MAX).map(short).collect();
    let more = match count.saturating_sub(NAMES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let files = if count == 1 { "file" } else { "files" };
    (count > 0).then(|| {
        format!(
            "{count} {files} left out, as profile {} ignores such names: {}{more}",
            profile.name(),
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FileEntry;

    #[test]
    fn what_a_profile_ignores_is_counted_and_its_first_names_told() {
        let profile = Profile::shipped().into_iter().find(|p| p.name() == "generic-dcim").unwrap();
        let listing = |names: &[String]| {
            let entry = |name: &String| {
                let path = SourcePath::new(name.as_str()).unwrap();
                FileEntry { path, size: 1, modified_ms: None, mark: None }
            };
            Listing { files: names.iter().map(entry).collect(), ..Listing::default() }
        };
        assert_eq!(left_out(&profile, &listing(&["DCIM/100/A.MP4".into()])), None);
        let one = left_out(&profile, &listing(&["DCIM/100/._A.MP4".into()])).unwrap();
        assert!(one.starts_with("1 file left out") && one.ends_with(": DCIM/100/._A.MP4"), "{one}");
        let long = format!("DCIM/100/._{}", "é".repeat(100));
        let many: Vec<_> = (0..9000).map(|n| format!("DCIM/100/._{n:05}")).chain([long]).collect();
        let words = left_out(&profile, &listing(&many)).unwrap();
        assert!(words.starts_with("9001 files left out, as profile generic-dcim"), "{words}");
        assert!(words.ends_with("DCIM/100/._00004 and 8996 more"), "{words}");
    }
}
