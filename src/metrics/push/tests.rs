//! Requests of a moment, against an own reading of the protocol; and how failures are told.

use super::*;
use bytes::Bytes;

/// Fields of a protobuf message: number, and the bytes or the fixed value.
fn fields(mut message: &[u8]) -> Vec<(u8, Vec<u8>)> {
    fn varint(message: &mut &[u8]) -> u64 {
        let (mut n, mut shift) = (0, 0);
        loop {
            let byte = message[0];
            *message = &message[1..];
            n |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return n;
            }
        }
    }
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let length = match key & 7 {
            0 => {
                let n = varint(&mut message);
                found.push(((key >> 3) as u8, n.to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => varint(&mut message) as usize,
            other => panic!("wire type {other}"),
        };
        found.push(((key >> 3) as u8, message[..length].to_vec()));
        message = &message[length..];
    }
    found
}

/// Labels, value and time of each series of a request.
fn read(request: &Request) -> Vec<(String, u64, u64)> {
    let message = snap::raw::Decoder::new().decompress_vec(&request.packed()).unwrap();
    let series = |(_, series): (u8, Vec<u8>)| {
        let (mut words, mut sample) = (Vec::new(), (0, 0));
        for (field, content) in fields(&series) {
            let parts = fields(&content);
            let bits = |n: usize| u64::from_le_bytes(parts[n].1.clone().try_into().unwrap());
            match field {
                1 => words.push(
                    parts
                        .iter()
                        .map(|(_, text)| String::from_utf8(text.clone()).unwrap())
                        .collect::<Vec<_>>()
                        .join("="),
                ),
                _ => sample = (bits(0), bits(1)),
            }
        }
        (words.join(","), sample.0, sample.1)
    };
    fields(&message).into_iter().map(series).collect()
}

#[test]
fn each_series_goes_out_with_dock_and_job_and_ends_when_it_is_gone() {
    let mut known = BTreeSet::new();
    let both = "bwvdock_a{bay=\"1\"} 2.0\nbwvdock_b_total 3\n# EOF\n";
    let first = requests(both, 1000, "dock-1", &mut known);
    assert_eq!(first.len(), 1);
    let told = read(&first[0]);
    let a = "__name__=bwvdock_a,bay=1,instance=dock-1,job=bwvdock".to_owned();
    let b = "__name__=bwvdock_b_total,instance=dock-1,job=bwvdock".to_owned();
    assert_eq!(told, [(a.clone(), 2.0_f64.to_bits(), 1000), (b.clone(), 3.0_f64.to_bits(), 1000)]);
    let second = requests("bwvdock_b_total 4\n# EOF\n", 2000, "dock-1", &mut known);
    assert_eq!(read(&second[0]), [(b.clone(), 4.0_f64.to_bits(), 2000), (a, STALE, 2000)]);
    let third = requests("bwvdock_b_total 5\n# EOF\n", 3000, "dock-1", &mut known);
    assert_eq!(read(&third[0]), [(b, 5.0_f64.to_bits(), 3000)], "an end is told once");
}

#[test]
fn much_is_sent_in_pieces() {
    let text: String = (0..4500).map(|n| format!("bwvdock_a{{bay=\"{n}\"}} {n}\n")).collect();
    let all = requests(&text, 1, "d", &mut BTreeSet::new());
    assert_eq!(all.iter().map(Request::samples).collect::<Vec<_>>(), [2000, 2000, 500]);
}

#[test]
fn books_are_kept_of_what_was_taken_refused_and_put_off() {
    let url = "http://127.0.0.1:9/api/v1/write".parse().unwrap();
    let config = config::Push { url: Some(url), ..config::Push::default() };
    let push = Push::new(&config, &DockId::new("d").unwrap(), Access::default()).unwrap();
    let batch = |second| Batch {
        taken: Duration::from_secs(second),
        samples: 10,
        body: Bytes::from_static(b"x"),
    };
    for second in 0..3 {
        assert_eq!(push.inner().buffer.push(batch(second)), 0);
    }
    let at = |second| Timestamp::from_second(second).unwrap();
    let number = |push: &Push| push.inner().buffer.oldest().unwrap().0;
    let later = Verdict::Later { fault: Fault::Server, words: "500".into(), next: "wait" };
    assert_eq!(push.settle(&later, number(&push), 10, at(1)), Some(Fault::Server));
    assert_eq!(push.settle(&later, number(&push), 10, at(2)), Some(Fault::Server));
    let told = push.vitals();
    assert_eq!((told.buffered_samples, told.failures, told.last_success), (30, 2, None));
    let trouble = told.trouble.unwrap();
    assert_eq!((trouble.since, trouble.times, trouble.next.as_str()), (at(1), 2, "wait"));

    assert_eq!(push.settle(&Verdict::Taken, number(&push), 10, at(3)), None);
    let refused = Verdict::Refused { words: "400".into(), next: "ask" };
    assert_eq!(push.settle(&refused, number(&push), 10, at(4)), None);
    let told = push.vitals();
    assert_eq!((told.buffered_samples, told.sent_samples, told.refused_samples), (10, 10, 10));
    assert_eq!((told.last_success, told.trouble.unwrap().since), (Some(at(3)), at(4)));
    push.settle(&Verdict::Taken, number(&push), 10, at(5));
    assert_eq!(push.vitals().trouble, None);
}
