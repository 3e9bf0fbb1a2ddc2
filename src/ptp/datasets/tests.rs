use super::*;
use proptest::prelude::*;

/// A text of the wire, written out for the tables below.
macro_rules! text {
    ($($letter:literal)*) => {
        [text!(@count $($letter)*) + 1, $($letter, 0,)* 0, 0]
    };
    (@count) => { 0u8 };
    (@count $first:literal $($rest:literal)*) => { 1u8 + text!(@count $($rest)*) };
}

fn device_info() -> Vec<u8> {
    [
        &[100, 0][..],                         // standard 1.00
        &[6, 0, 0, 0, 100, 0],                 // extension 6 (Microsoft), 1.00
        &text!(b'e'),                          // extension
        &[0, 0],                               // functional mode
        &[2, 0, 0, 0, 0x01, 0x10, 0xC1, 0x95], // operations
        &[1, 0, 0, 0, 0x02, 0x40],             // events
        &[1, 0, 0, 0, 0x01, 0x50],             // properties
        &[0, 0, 0, 0],                         // capture formats
        &[1, 0, 0, 0, 0x00, 0x30],             // image formats
        &text!(b'M'),
        &text!(b'B' b'W' b'C'),
        &text!(b'1'),
        &text!(b'S' b'N'),
    ]
    .concat()
}

/// DCIM/A.MP4 of 0x01020304 bytes.
fn object_info() -> Vec<u8> {
    [
        &[1, 0, 1, 0][..], // storage 00010001
        &[0x00, 0x30],     // format: undefined
        &[0, 0],           // not protected
        &[4, 3, 2, 1],     // bytes
        &[0; 26],          // pictures
        &[9, 0, 0, 0],     // parent
        &[0; 10],          // association, sequence
        &text!(b'A' b'.' b'M' b'P' b'4'),
        &text!(b'2' b'0' b'2' b'6' b'0' b'3' b'0' b'1' b'T' b'1' b'2' b'0' b'0' b'0' b'0'),
        &[0], // modified: not said
        &[0], // keywords
    ]
    .concat()
}

#[test]
fn device_info_as_the_standard_lays_it_out() {
    let info = DeviceInfo::decode(&device_info()).unwrap();
    assert_eq!((info.standard_version, info.vendor_extension_id), (100, 6));
    assert!(info.offers(Operation::GET_PARTIAL_OBJECT_64));
    assert!(!info.offers(Operation::DELETE_OBJECT));
    assert_eq!((info.events, info.properties), (vec![0x4002], vec![0x5001]));
    let texts = [info.manufacturer, info.model, info.version, info.serial];
    assert_eq!(texts.map(|text| text.to_string()), ["M", "BWC", "1", "SN"]);
}

#[test]
fn device_info_may_end_after_the_manufacturer() {
    let mut bytes = device_info();
    bytes.truncate(bytes.len() - text!(b'S' b'N').len() - 2);
    let info = DeviceInfo::decode(&bytes).unwrap();
    assert_eq!((info.model.to_string(), info.serial.is_empty()), ("BWC".into(), true));
    assert_eq!(DeviceInfo::decode(&bytes[..14]), Err(Malformed::Truncated("the functional mode")));
}

#[test]
fn storage_info_as_the_standard_lays_it_out() {
    let bytes = |access: u8| {
        [
            &[3, 0, 2, 0, access, 0][..],
            &[0, 0, 0, 0, 0x10, 0, 0, 0], // 64 GiB
            &[1, 0, 0, 0, 0, 0, 0, 0],
            &[0xFF; 4],
            &text!(b'c'),
            &text!(b'l'),
        ]
        .concat()
    };
    let info = StorageInfo::decode(&bytes(0)).unwrap();
    assert_eq!((info.storage_type, info.capacity, info.free), (3, 64 << 30, 1));
    assert_eq!((info.description.to_string(), info.label.to_string()), ("c".into(), "l".into()));
    let deletion = |access| StorageInfo::decode(&bytes(access)).unwrap().access.allows_deletion();
    assert_eq!([0, 1, 2, 3].map(deletion), [true, false, true, false]);
}

#[test]
fn object_info_as_the_standard_lays_it_out() {
    let info = ObjectInfo::decode(&object_info()).unwrap();
    assert_eq!(info.storage, StorageId::new(0x0001_0001));
    assert_eq!((info.parent, info.size), (ObjectHandle::new(9), ShortSize::Bytes(0x0102_0304)));
    assert_eq!((info.name.to_string(), info.is_folder()), ("A.MP4".into(), false));
    // Not modified since it was captured.
    assert_eq!(info.modified_ms(), Some(1_772_366_400_000));
}

#[test]
fn object_info_without_times_and_with_the_size_that_means_more() {
    let mut bytes = object_info();
    bytes[8..12].fill(0xFF);
    bytes[4..6].copy_from_slice(&[0x01, 0x30]);
    bytes[38..42].fill(0xFF);
    bytes.truncate(52 + text!(b'A' b'.' b'M' b'P' b'4').len());
    let info = ObjectInfo::decode(&bytes).unwrap();
    assert_eq!((info.size, info.parent), (ShortSize::TooBigToSay, None));
    assert_eq!((info.modified_ms(), info.is_folder()), (None, true));
}

#[test]
fn storages_that_mean_all_or_none_are_left_out() {
    let bytes = [3, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
    assert_eq!(decode_storages(&bytes).unwrap(), [StorageId::new(0x0001_0001).unwrap()]);
}

#[test]
fn handles_stay_packed_and_never_mean_everything() {
    let bytes = vec![3, 0, 0, 0, 7, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 9, 0, 0, 0, 0xAA];
    let handles = Handles::decode(bytes).unwrap();
    assert_eq!(handles.len(), 3);
    assert_eq!(handles.iter().map(ObjectHandle::value).collect::<Vec<_>>(), [7, 9]);
    assert!(Handles::decode(vec![2, 0, 0, 0, 1, 0, 0, 0]).is_err());
    assert!(Handles::decode(vec![0; 4]).unwrap().is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_a_dataset_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = DeviceInfo::decode(&bytes);
        let _ = StorageInfo::decode(&bytes);
        let _ = ObjectInfo::decode(&bytes);
        let _ = decode_storages(&bytes);
        if let Ok(handles) = Handles::decode(bytes.clone()) {
            prop_assert!(handles.iter().count() * 4 <= bytes.len());
        }
    }

    #[test]
    fn a_damaged_dataset_is_read_or_refused(at in 0usize..90, to: u8, cut in 0usize..120) {
        for mut bytes in [device_info(), object_info()] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            bytes.truncate(cut);
            let _ = DeviceInfo::decode(&bytes);
            let _ = ObjectInfo::decode(&bytes);
        }
    }
}
