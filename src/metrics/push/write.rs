//! One remote-write request: protobuf in snappy's block format.
//!
//! **Format.** Prometheus Remote-Write 1.0, "Protocol": `WriteRequest { repeated TimeSeries
//! timeseries = 1 }`, `TimeSeries { repeated Label labels = 1; repeated Sample samples = 2 }`,
//! `Label { string name = 1; string value = 2 }`, `Sample { double value = 1; int64 timestamp = 2 }`
//! with milliseconds since 1970. Encoded by hand: four messages need no compiler and no schema.

use super::series::Labels;

/// The value that ends a series (Prometheus, `model/value`: StaleNaN): without it a camera that was
/// taken out would be told for five minutes more.
pub const STALE: u64 = 0x7ff0_0000_0000_0002;

const LENGTH: u8 = 2;
const FIXED64: u8 = 1;
const VARINT: u8 = 0;

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn tag(out: &mut Vec<u8>, field: u8, kind: u8) {
    out.push(field << 3 | kind);
}

fn bytes(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    tag(out, field, LENGTH);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// A request that is being filled; all its samples are of one moment.
pub struct Request {
    at_ms: i64,
    message: Vec<u8>,
    samples: usize,
}

impl Request {
    pub fn new(at_ms: i64) -> Self {
        Self { at_ms, message: Vec::new(), samples: 0 }
    }

    pub fn samples(&self) -> usize {
        self.samples
    }

    /// `bits` are those of a 64-bit float, so that [`STALE`] stays what it is.
    pub fn add(&mut self, labels: &Labels, bits: u64) {
        let mut series = Vec::with_capacity(192);
        let mut part = Vec::with_capacity(64);
        for (name, value) in labels {
            part.clear();
            bytes(&mut part, 1, name.as_bytes());
            bytes(&mut part, 2, value.as_bytes());
            bytes(&mut series, 1, &part);
        }
        part.clear();
        tag(&mut part, 1, FIXED64);
        part.extend_from_slice(&bits.to_le_bytes());
        tag(&mut part, 2, VARINT);
        // A negative time is ten bytes, as protobuf has it for int64.
        varint(&mut part, self.at_ms as u64);
        bytes(&mut series, 2, &part);
        bytes(&mut self.message, 1, &series);
        self.samples += 1;
    }

    /// The body of the request.
    pub fn packed(&self) -> Vec<u8> {
        let packed = snap::raw::Encoder::new().compress_vec(&self.message);
        packed.expect("a request is far shorter than the 4 GiB of snappy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_schema() {
        let mut request = Request::new(300);
        let labels =
            vec![("__name__".to_owned(), "a".to_owned()), ("b".to_owned(), "ü".to_owned())];
        request.add(&labels, 1.0_f64.to_bits());
        let series = [
            &[0x0a, 13, 0x0a, 8][..],
            b"__name__",
            &[0x12, 1, b'a', 0x0a, 7, 0x0a, 1, b'b', 0x12, 2, 0xc3, 0xbc],
            &[0x12, 12, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0xac, 0x02],
        ]
        .concat();
        let expected = [&[0x0a, series.len() as u8][..], &series].concat();
        assert_eq!(request.message, expected);
        let unpacked = snap::raw::Decoder::new().decompress_vec(&request.packed()).unwrap();
        assert_eq!((unpacked, request.samples()), (expected, 1));
    }

    #[test]
    fn the_mark_of_an_ended_series_keeps_its_bits() {
        let mut request = Request::new(-1);
        request.add(&Vec::new(), STALE);
        assert!(f64::from_bits(STALE).is_nan());
        assert!(request.message.windows(8).any(|bits| bits == STALE.to_le_bytes()));
        assert!(request.message.ends_with(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x01]));
    }
}
