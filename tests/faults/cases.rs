//! Every fault by its name, what goes wrong, and the end it must have.

use crate::{
    drive::{End, PART, PATIENCE, Place, Way},
    http::{Answer, error, error_with, says},
    proxy::{Fault, Op, Rule},
};
use bwvdock::{
    store::Enforces,
    transfer::Why,
    types::{
        ReceiptLevel::{ReadBack, Sha256PerPart},
        fact::Fact,
    },
};
use jiff::SignedDuration;
use std::time::{Duration, Instant};

/// Three parts, the last of a few bytes.
const BYTES: usize = 2 * PART + 4321;
const HTML: &str = "<!DOCTYPE html><html><body>Please log in</body></html>";
/// Even the worst of these is over by then, every patience included.
const REAL_TIME_MAX: Duration = Duration::from_secs(100);
/// How long a store stays broken, on the clock of the machine.
const OUTAGE: SignedDuration = SignedDuration::from_hours(6);
/// The most an object may ask in an hour of an outage: waits grow to five minutes, halved by
/// jitter on the average, and one attempt is up to six requests; the first minutes are quicker.
const REQUESTS_PER_HOUR_MAX: usize = 200;

/// The most the dock may be told before it has had enough: the object read back twice, the bound of
/// an answer, and what the kernel holds of a connection.
const SAID_MAX: u64 = 32 << 20;

/// The end a fault must have.
pub enum Expect {
    /// It gets through by itself, after at least so many failures that were told, and at least
    /// this long on the machine's clock.
    Through { failures: usize, after: SignedDuration },
    /// As long as the fault lasts it stays queued, and says these words; then it gets through.
    Queued(&'static str),
    /// Only people can help; these words say so, and nothing was overwritten.
    GivesUp(Why, &'static str),
}

pub struct Case {
    pub rules: Vec<Rule>,
    pub expect: Expect,
    /// Uploads the store said it did not know, and kept.
    pub disowned: usize,
    pub enforces: Enforces,
}

fn through(failures: usize, rules: Vec<Rule>) -> Case {
    let expect = Expect::Through { failures, after: SignedDuration::ZERO };
    Case { rules, expect, disowned: 0, enforces: crate::drive::ALL }
}

fn queued(words: &'static str, fault: Fault) -> Case {
    Case { rules: vec![always(None, fault)], expect: Expect::Queued(words), ..through(0, vec![]) }
}

fn rule(op: Option<Op>, skip: u32, times: u32, fault: Fault) -> Rule {
    Rule { op, key_end: "", shown: false, skip, times, fault }
}

fn once(op: Op, fault: Fault) -> Rule {
    rule(Some(op), 0, 1, fault)
}

fn always(op: Option<Op>, fault: Fault) -> Rule {
    rule(op, 0, u32::MAX, fault)
}

/// Each call that an upload makes, struck once.
fn each_call(fault: impl Fn() -> Fault) -> Vec<Rule> {
    [Op::Head, Op::Create, Op::UploadPart, Op::Complete, Op::ListParts, Op::ListUploads]
        .map(|op| once(op, fault()))
        .into()
}

/// A store that waits long enough for the slot to be given away after the first part, so that
/// ListParts is asked.
fn listed(fault: Fault) -> Vec<Rule> {
    let busy = Fault::Answer(error_with("503 Slow Down", "SlowDown", "retry-after: 40\r\n"));
    vec![rule(Some(Op::UploadPart), 2, 1, busy), once(Op::ListParts, fault)]
}

/// Every row of a listing twice, the last first.
fn double_and_turn(answer: &mut Answer) {
    answer.change_text(|text| {
        let rows: Vec<String> = rows(&text).into_iter().rev().collect();
        let (before, after) = around(&text);
        format!("{before}{0}{0}{after}", rows.concat())
    });
}

fn forget_first_row(answer: &mut Answer) {
    answer.change_text(|text| {
        let (before, after) = around(&text);
        format!("{before}{}{after}", rows(&text)[1..].concat())
    });
}

fn rows(text: &str) -> Vec<String> {
    let row = |from: usize| {
        let end = text[from..].find("</Part>").expect("a row has an end") + "</Part>".len();
        text[from..from + end].to_owned()
    };
    let rows: Vec<_> = text.match_indices("<Part>").map(|(from, _)| row(from)).collect();
    assert!(rows.len() >= 2, "too few rows to change: {text}");
    rows
}

fn around(text: &str) -> (&str, &str) {
    let (from, to) = (text.find("<Part>").unwrap(), text.rfind("</Part>").unwrap());
    (&text[..from], &text[to + "</Part>".len()..])
}

fn another_etag(answer: &mut Answer) {
    let lines = answer.head.split("\r\n").map(|line| {
        let etag = line.to_ascii_lowercase().starts_with("etag:");
        if etag { "etag: \"0123456789abcdef0123456789abcdef\"".to_owned() } else { line.to_owned() }
    });
    answer.head = lines.collect::<Vec<_>>().join("\r\n");
}

fn another_body(answer: &mut Answer) {
    answer.body[77] ^= 1;
}

const COMPLETED: &str = "<?xml version=\"1.0\"?><CompleteMultipartUploadResult>\
    <ETag>&quot;0123456789abcdef0123456789abcdef-3&quot;</ETag></CompleteMultipartUploadResult>";
const ERROR_IN_200: &str =
    "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code><Message>late</Message></Error>";

fn xml(body: &str) -> Vec<u8> {
    says("200 OK", "content-type: application/xml\r\n", body)
}

fn portal() -> Vec<u8> {
    says("200 OK", "content-type: text/html\r\netag: \"portal\"\r\n", HTML)
}

/// The case of a name; every name in `main.rs` has one.
pub fn case(name: &str) -> Case {
    network(name).or_else(|| answers(name)).or_else(|| lies(name)).expect("a case of that name")
}

/// What cables, switches and middle boxes do.
fn network(name: &str) -> Option<Case> {
    let part = 3 << 20;
    let cuts = |of: fn(u64) -> Fault, op| {
        [0, 1, 300, 70_000].map(|n| once(op, of(n))).into_iter().collect::<Vec<_>>()
    };
    Some(match name {
        "request_cut_in_its_head_or_body" => {
            let mut rules = cuts(Fault::CutRequest, Op::UploadPart);
            rules.push(once(Op::UploadPart, Fault::CutRequest(part)));
            rules.extend([0, 100].map(|n| once(Op::Complete, Fault::CutRequest(n))));
            through(3, rules)
        }
        "request_reset_in_its_head_or_body" => {
            let mut rules = cuts(Fault::ResetRequest, Op::UploadPart);
            rules.push(once(Op::Create, Fault::ResetRequest(100)));
            through(3, rules)
        }
        "answer_cut_in_its_head" => through(3, each_call(|| Fault::CutAnswer(9))),
        "answer_cut_in_its_body" => through(
            1,
            [Op::Create, Op::Complete, Op::ListParts]
                .map(|op| once(op, Fault::CutAnswer(400)))
                .into(),
        ),
        "answer_reset" => through(3, each_call(|| Fault::ResetAnswer(9))),
        "request_stalls" => through(1, vec![once(Op::UploadPart, Fault::StallRequest(part))]),
        "answer_stalls" => through(
            2,
            vec![
                once(Op::Create, Fault::StallAnswer(20)),
                once(Op::UploadPart, Fault::StallAnswer(20)),
            ],
        ),
        "half_open_nothing_is_ever_answered" => {
            through(2, vec![rule(None, 0, 2, Fault::StallRequest(0))])
        }
        "half_open_after_complete" => through(1, vec![once(Op::Complete, Fault::StallAnswer(0))]),
        "answer_trickles_in" => through(1, vec![once(Op::Create, Fault::Trickle(4))]),
        "answer_dropped_of_create" => through(1, vec![once(Op::Create, Fault::CutAnswer(0))]),
        "answer_dropped_of_part" => {
            through(1, vec![rule(Some(Op::UploadPart), 1, 1, Fault::CutAnswer(0))])
        }
        "answer_dropped_of_complete" => through(1, vec![once(Op::Complete, Fault::CutAnswer(0))]),
        "answer_dropped_of_everything" => through(3, each_call(|| Fault::CutAnswer(0))),
        "bit_turned_over_on_the_way" => {
            through(1, vec![once(Op::UploadPart, Fault::FlipBit(4_000_000))])
        }
        "store_closes_every_connection" => queued("connection", Fault::CutRequest(0)),
        "read_back_trickles_in" => Case {
            enforces: Enforces::default(),
            ..through(1, vec![once(Op::Get, Fault::Trickle(16 << 10))])
        },
        "endless_header" => {
            let fault = Fault::Endless("HTTP/1.1 200 OK\r\n", "x-filling: filling\r\n");
            through(1, vec![once(Op::Create, fault)])
        }
        "endless_body" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\n\r\n<R>";
            let fault = Fault::Endless(head, "filling");
            through(1, vec![once(Op::Create, fault)])
        }
        _ => return None,
    })
}

/// What stores, proxies and portals say.
fn answers(name: &str) -> Option<Case> {
    let each = |says: Vec<u8>| each_call(|| Fault::Answer(says.clone()));
    let busy = |headers| error_with("503 Slow Down", "SlowDown", headers);
    Some(match name {
        "redirect_302" => queued(
            "something else answered",
            Fault::Answer(says("302 Found", "location: http://127.0.0.1:9/\r\n", "")),
        ),
        "captive_portal" => queued("something else answered", Fault::Answer(portal())),
        "captive_portal_for_a_moment" => through(3, each(portal())),
        "store_error_500" => queued("500", Fault::Answer(error("500 Oh", "InternalError"))),
        "bad_gateway_502" => queued(
            "502",
            Fault::Answer(says("502 Bad Gateway", "content-type: text/html\r\n", HTML)),
        ),
        "slow_down_503" => queued("503", Fault::Answer(busy(""))),
        "slow_down_503_names_its_time" => Case {
            expect: Expect::Through { failures: 1, after: SignedDuration::from_secs(700) },
            ..through(1, vec![once(Op::UploadPart, Fault::Answer(busy("retry-after: 700\r\n")))])
        },
        "unauthorised_401" => {
            queued("check the credentials", Fault::Answer(error("401 Unauthorized", "Who")))
        }
        "forbidden_403" => {
            queued("check the credentials", Fault::Answer(error("403 Forbidden", "AccessDenied")))
        }
        "skewed_403_for_a_moment" => {
            through(0, each(error("403 Forbidden", "RequestTimeTooSkewed")))
        }
        "skewed_403_for_ever" => Case {
            rules: vec![always(
                Some(Op::Create),
                Fault::Answer(error("403 Forbidden", "RequestTimeTooSkewed")),
            )],
            ..queued("the clocks of dock and store differ", Fault::CutAnswer(0))
        },
        "skewed_403_with_a_wrong_date" => through(
            0,
            vec![once(
                Op::Head,
                Fault::Answer(says("403 Forbidden", "date: Sat, 01 Jan 2022 00:00:00 GMT\r\n", "")),
            )],
        ),
        "bucket_gone_404" => queued(
            "check the credentials, the bucket",
            Fault::Answer(error("404 No", "NoSuchBucket")),
        ),
        "upload_disowned_404_while_parts_go" => Case {
            disowned: 1,
            ..through(
                0,
                vec![rule(
                    Some(Op::UploadPart),
                    1,
                    1,
                    Fault::Answer(error("404 No", "NoSuchUpload")),
                )],
            )
        },
        "upload_disowned_404_at_complete" => Case {
            disowned: 1,
            ..through(0, vec![once(Op::Complete, Fault::Answer(error("404 No", "NoSuchUpload")))])
        },
        "conflict_409_at_complete" => through(
            1,
            vec![rule(
                Some(Op::Complete),
                0,
                3,
                Fault::Answer(error("409 Conflict", "ConditionalRequestConflict")),
            )],
        ),
        "exists_412_and_it_does_not" => Case {
            expect: Expect::GivesUp(Why::Refused, "have the store examined"),
            ..through(
                0,
                vec![always(
                    Some(Op::Complete),
                    Fault::Answer(error("412 Precondition Failed", "PreconditionFailed")),
                )],
            )
        },
        "full_507" => queued(
            "the store is full",
            Fault::Answer(error("507 Insufficient Storage", "InsufficientStorage")),
        ),
        "error_inside_a_200_of_complete" => {
            through(1, vec![once(Op::Complete, Fault::Answer(xml(ERROR_IN_200)))])
        }
        "error_inside_a_200_though_complete_happened" => {
            through(1, vec![once(Op::Complete, Fault::AnswerAfter(xml(ERROR_IN_200)))])
        }
        "too_large_413" => Case {
            rules: vec![always(
                Some(Op::UploadPart),
                Fault::Answer(says("413 Too Large", "content-type: text/html\r\n", HTML)),
            )],
            ..queued("413", Fault::CutAnswer(0))
        },
        _ => return None,
    })
}

/// What a store says that is not so.
fn lies(name: &str) -> Option<Case> {
    let unproved = |case: Case| Case { enforces: Enforces::default(), ..case };
    Some(match name {
        "complete_acknowledged_and_not_done" => {
            through(1, vec![once(Op::Complete, Fault::Answer(xml(COMPLETED)))])
        }
        "part_acknowledged_and_forgotten" => through(
            1,
            vec![once(Op::UploadPart, Fault::Answer(says("200 OK", "etag: \"0abc\"\r\n", "")))],
        ),
        "part_acknowledged_under_another_etag" => {
            through(1, vec![once(Op::UploadPart, Fault::Rewrite(another_etag))])
        }
        "part_missing_in_the_listing" => through(1, listed(Fault::Rewrite(forget_first_row))),
        "listing_doubled_and_unsorted" => through(1, listed(Fault::Rewrite(double_and_turn))),
        "listing_cut_short" => through(2, listed(Fault::CutAnswer(500))),
        "read_back_cut_short" => {
            unproved(through(1, vec![once(Op::Get, Fault::CutAnswer(1 << 20))]))
        }
        "read_back_of_another_length" => unproved(through(
            1,
            vec![once(Op::Get, Fault::Answer(says("200 OK", "etag: \"x\"\r\n", "something")))],
        )),
        "read_back_differs" => Case {
            expect: Expect::GivesUp(Why::Unequal, "it was not overwritten"),
            ..unproved(through(0, vec![always(Some(Op::Get), Fault::Rewrite(another_body))]))
        },
        "another_object_is_there" => Case {
            expect: Expect::GivesUp(Why::Unequal, "it was not overwritten"),
            ..through(
                0,
                vec![once(
                    Op::Head,
                    Fault::Answer(
                        b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\netag: \"x\"\r\n\r\n".into(),
                    ),
                )],
            )
        },
        _ => return None,
    })
}

/// Runs a case against a store, and checks what must hold after every one of them.
pub async fn run(place: &Place, name: &str) -> Way {
    let case = case(name);
    let mut way = Way::new(place, name, BYTES);
    way.enforces = case.enforces;
    way.break_with(case.rules);
    let began = Instant::now();
    let end = tokio::time::timeout(REAL_TIME_MAX, way.run(OUTAGE)).await;
    let end = end.unwrap_or_else(|_| panic!("{name} hangs: {:?}", way.proxy.seen().last()));
    assert!(way.proxy.struck() > 0, "{name}: nothing went wrong: {:?}", way.proxy.seen());
    let said = way.proxy.said_bytes();
    assert!(said < SAID_MAX, "{name}: the door read on and on, {said} bytes");
    let hours = way.now.duration_since(way.began).as_hours() as usize + 1;
    let asked = way.proxy.seen().len();
    assert!(asked <= REQUESTS_PER_HOUR_MAX * hours, "{name}: a storm of {asked} in {hours} h");
    match case.expect {
        Expect::Through { failures, after } => {
            let End::Stored(proof) = &end else { panic!("{name}: {end:?}: {:?}", way.words()) };
            let level = if case.enforces.sha256 { Sha256PerPart } else { ReadBack };
            assert_eq!(proof.level(), level, "{name}");
            assert!(way.failures() >= failures, "{name}: {:?}", way.words());
            let took = way.now.duration_since(way.began);
            assert!(took >= after, "{name}: after {took:#}");
        }
        Expect::Queued(words) => {
            assert!(matches!(end, End::Queued), "{name}: {end:?}: {:?}", way.words());
            let said = way.words();
            assert!(said.last().is_some_and(|w| w.contains(words)), "{name}: {said:#?}");
            way.is_not_there().await;
            grows(name, &way.facts);
            way.proxy.heal();
            let end = way.run(OUTAGE).await;
            assert!(matches!(end, End::Stored(_)), "{name}, healed: {end:?}: {:?}", way.words());
        }
        Expect::GivesUp(why, words) => {
            let End::GaveUp(end) = end else { panic!("{name}: {end:?}: {:?}", way.words()) };
            assert!(end.why == why && end.words.contains(words), "{name}: {end:?}");
            eprintln!("{name}: {} in {:.1?}", end.words, began.elapsed());
            return way;
        }
    }
    way.is_there_once(case.disowned).await;
    eprintln!(
        "{name}: {asked} requests, {} failures, {:.1?}, patience {PATIENCE:?}; {:?}",
        way.failures(),
        began.elapsed(),
        way.words().last()
    );
    way
}

/// The attempts of an outage are counted on, over every restart of the machine.
fn grows(name: &str, facts: &[Fact]) {
    let attempts: Vec<u32> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::UploadFailed { attempts, .. } => Some(*attempts),
            Fact::PartAcknowledged { .. } => Some(0),
            _ => None,
        })
        .collect();
    let last = attempts.rsplit(|n| *n == 0).next().unwrap_or_default();
    let counted: Vec<u32> = (1..=last.len() as u32).collect();
    assert_eq!(last, counted, "{name}: attempts are not counted on");
    assert!(last.len() >= 5, "{name}: hardly an outage");
}
