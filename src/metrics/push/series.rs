//! The exposition, read back as samples: what is pushed is by construction what a scrape would see.

/// Names and values of one series, sorted by name, `__name__` among them.
pub type Labels = Vec<(String, String)>;

/// One line of an exposition.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'t> {
    /// Name and labels as they stand in the text: the same series has the same words.
    pub series: &'t str,
    pub value: f64,
}

/// All samples of an OpenMetrics text.
pub fn samples(text: &str) -> impl Iterator<Item = Sample<'_>> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        Some(Sample { series, value: value.parse().ok()? })
    })
}

/// `name{a="b"}` in its parts, and `more` labels besides; none if it is no series.
pub fn labels(series: &str, more: &[(&str, &str)]) -> Option<Labels> {
    let (name, rest) = match series.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}')?),
        None => (series, ""),
    };
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut labels: Labels = more.iter().map(own).collect();
    labels.push(("__name__".to_owned(), name.to_owned()));
    let mut rest = rest;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.push((name.to_owned(), value));
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    // As remote-write demands, "Labels": sorted, each name once.
    labels.sort();
    Some(labels)
}

/// Up to the quote that ends it, and what stands behind (OpenMetrics 1.0, "ABNF":
/// escaped-string).
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut signs = text.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match signs.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_back_with_its_escapes() {
        let text = "# HELP a b.\n# TYPE a gauge\na{bay=\"1,}\",camera=\"x \\\"y\\\" \\\\ \\n\"} -1.5\n\
                    b_total 7\n# EOF\n";
        let all: Vec<_> = samples(text).collect();
        assert_eq!(all.iter().map(|s| s.value).collect::<Vec<_>>(), [-1.5, 7.0]);
        let owned = |all: &[(&str, &str)]| -> Labels {
            all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        let expected = owned(&[
            ("__name__", "a"),
            ("bay", "1,}"),
            ("camera", "x \"y\" \\ \n"),
            ("job", "bwvdock"),
        ]);
        assert_eq!(labels(all[0].series, &[("job", "bwvdock")]), Some(expected));
        assert_eq!(labels(all[1].series, &[]), Some(owned(&[("__name__", "b_total")])));
        for broken in ["a{", "a{b}", "a{b=\"c}", "a{b=\"c\\"] {
            assert_eq!(labels(broken, &[]), None, "{broken}");
        }
    }
}
