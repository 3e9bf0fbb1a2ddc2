//! What `doctor` says of pushing figures.

use super::Finding;
use crate::metrics::PushVitals;

const WHAT: &str = "push";

pub fn finding(push: &PushVitals) -> Finding {
    let dropped = match push.refused_samples + push.overflowed_samples {
        0 => String::new(),
        n => format!("; {n} samples were dropped since the daemon started"),
    };
    let to = &push.to;
    match (&push.trouble, push.last_success) {
        (Some(trouble), _) => Finding::bad(
            WHAT,
            format!(
                "figures do not reach {to} since {:.0} (tried {} times): {}; {} samples wait{dropped}",
                trouble.since, trouble.times, trouble.words, push.buffered_samples
            ),
            trouble.next.clone(),
        ),
        (None, Some(at)) => Finding::fine(WHAT, format!("{to} took figures at {at:.0}{dropped}")),
        (None, None) => Finding::fine(WHAT, format!("nothing was sent to {to} yet")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::push::Trouble;

    #[test]
    fn trouble_is_told_with_its_next_step_and_what_was_lost_is_never_left_out() {
        let at = "2026-03-01T12:00:00Z".parse().unwrap();
        let mut push = PushVitals { to: "p:9090".into(), ..PushVitals::default() };
        assert!(finding(&push).fine);
        push.last_success = Some(at);
        push.overflowed_samples = 7;
        let fine = finding(&push);
        assert!(fine.fine && fine.words.contains("7 samples were dropped"), "{fine:?}");
        push.trouble = Some(Trouble {
            since: at,
            times: 3,
            words: "it answers 503".into(),
            next: "see".into(),
        });
        let bad = finding(&push);
        assert!(!bad.fine && bad.next.as_deref() == Some("see"), "{bad:?}");
        assert!(bad.words.contains("p:9090 since 2026-03-01T12:00:00Z (tried 3 times)"), "{bad:?}");
    }
}
