use super::*;
use crate::ptp::{
    DeviceProp, Event, ObjectHandle, PipeError, SimPipes, SimResponder,
    quirks::Need,
    sim::{Content, Oddities, SimFault, Trouble},
};
use proptest::prelude::*;
use std::sync::LazyLock;

fn session(camera: SimResponder) -> (Session<SimPipes>, SimPipes) {
    let pipes = SimPipes::new(camera);
    let mut session = Session::new(pipes.clone(), Limits::default());
    session.open().unwrap();
    (session, pipes)
}

fn with_file(bytes: usize) -> (Session<SimPipes>, SimPipes, ObjectHandle) {
    let mut camera = SimResponder::new();
    let handle = camera.add_file("A.MP4", pattern(bytes));
    let (session, pipes) = session(camera);
    (session, pipes, ObjectHandle::new(handle).unwrap())
}

fn pattern(bytes: usize) -> Vec<u8> {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut data = vec![0; 20 << 20];
        Content::Pattern { seed: 7, bytes: 0 }.copy(0, &mut data[..1 << 20]);
        data
    });
    BYTES[..bytes].to_vec()
}

/// A whole read by GetPartialObject64, in bites of `bite`.
fn partial(
    session: &mut Session<SimPipes>,
    handle: ObjectHandle,
    offset: u64,
    bytes: u32,
    bite: usize,
) -> Result<(Vec<u8>, Response), PtpError> {
    let transaction = session.begin_partial_64(handle, offset, bytes)?;
    let (mut all, mut buffer) = (Vec::new(), vec![0; bite]);
    loop {
        match session.take(transaction, &mut buffer)?.expect("nothing else was asked") {
            Received::Bytes(n) => all.extend_from_slice(&buffer[..n]),
            Received::End { response, bytes } => {
                assert_eq!(bytes, all.len() as u64);
                return Ok((all, response));
            }
        }
    }
}

#[test]
fn who_it_is_before_a_session_and_where_that_is_refused() {
    let mut first = Session::new(SimPipes::new(SimResponder::new()), Limits::default());
    assert_eq!(first.device_info().unwrap().serial.to_string(), "SIM-0001");
    assert!(!first.is_open());

    let mut camera = SimResponder::new();
    camera.oddities.info_needs_session = true;
    let pipes = SimPipes::new(camera);
    let mut session = Session::new(pipes.clone(), Limits::default());
    assert_eq!(session.device_info().unwrap().serial.to_string(), "SIM-0001");
    assert!(session.is_open());
    let asked = [0x1001, 0x1002, 0x1001].map(Operation);
    assert_eq!(pipes.camera().asked, asked);
}

#[test]
fn a_session_left_open_is_closed_first_or_gone_on_with() {
    for keeps_session in [false, true] {
        let mut camera = SimResponder::new();
        camera.leave_session_open();
        camera.oddities.keeps_session = keeps_session;
        let (mut session, pipes) = session(camera);
        assert_eq!(session.storages().unwrap().len(), 1);
        let opened = pipes.camera().asked.iter().filter(|o| **o == Operation::OPEN_SESSION).count();
        assert_eq!(opened, if keeps_session { 1 } else { 2 });
    }
}

#[test]
fn a_session_the_camera_forgot_is_opened_anew() {
    let (mut session, pipes) = session(SimResponder::new());
    let epoch = session.epoch();
    pipes.camera().forget_session();
    assert_eq!(session.storages().unwrap().len(), 1);
    assert_eq!(session.epoch(), epoch + 1);
}

#[test]
fn closing_closes_and_the_next_question_opens_again() {
    let (mut session, pipes) = session(SimResponder::new());
    session.close();
    assert!(!session.is_open() && !pipes.camera().has_session());
    session.open().unwrap();
    assert!(pipes.camera().has_session());
}

#[test]
fn every_length_around_packets_and_transfers_arrives_whole() {
    let odd = |oddities: fn(&mut Oddities)| {
        let mut all = Oddities::default();
        oddities(&mut all);
        all
    };
    let sizes = [0, 1, 499, 500, 501, 511, 512, 513, 1012, 262_131, 262_132, 262_133, 600_000];
    for oddities in [
        Oddities::default(),
        odd(|o| o.omits_empty_packet = true),
        odd(|o| o.splits_header = true),
        odd(|o| (o.splits_header, o.omits_empty_packet) = (true, true)),
    ] {
        for packet_bytes in [64, 512, 1024] {
            for size in sizes {
                let (mut session, pipes, handle) = with_file(size);
                pipes.camera().oddities = oddities;
                pipes.camera().packet_bytes = packet_bytes;
                for _ in 0..2 {
                    let read = partial(&mut session, handle, 0, 1 << 20, 70_000).unwrap();
                    assert!(read.0 == pattern(size), "{size} {packet_bytes} {oddities:?}");
                    assert_eq!(read.1.parameter(0), Some(size as u32));
                }
            }
        }
    }
}

#[test]
fn data_of_unknown_length_ends_with_a_short_packet() {
    for size in [0usize, 1, 500, 512, 1012, 262_144, 262_132, 700_000] {
        for splits_header in [false, true] {
            let (mut session, pipes, handle) = with_file(size);
            pipes.camera().oddities.never_announces = true;
            pipes.camera().oddities.splits_header = splits_header && size > 0;
            let (transaction, announced) = session.begin_whole(handle).unwrap();
            assert_eq!(announced, None);
            let (mut all, mut buffer) = (Vec::new(), vec![0; 100_000]);
            loop {
                match session.take(transaction, &mut buffer).unwrap().unwrap() {
                    Received::Bytes(n) => all.extend_from_slice(&buffer[..n]),
                    Received::End { response, .. } => {
                        break assert_eq!(response.code, ResponseCode::OK);
                    }
                }
            }
            assert!(all == pattern(size), "{size} {splits_header}");
        }
    }
}

#[test]
fn more_than_four_gibibytes_in_one_data_phase() {
    let size = (4u64 << 30) + 12_345;
    let mut camera = SimResponder::new();
    // The end of it, without the four gibibytes before: the pattern costs nothing until it is read.
    let handle = camera.add_file("A.MP4", Content::Pattern { seed: 1, bytes: size });
    let (mut session, _pipes) = session(camera);
    let handle = ObjectHandle::new(handle).unwrap();
    assert_eq!(session.object_size(handle).unwrap(), size);
    let (transaction, announced) = session.begin_whole(handle).unwrap();
    assert_eq!(announced, None);
    assert!(matches!(session.take(transaction, &mut [0; 4096]), Ok(Some(Received::Bytes(4096)))));
    session.end_taking(transaction).unwrap();
    let (tail, _) = partial(&mut session, handle, size - 100, 1000, 1000).unwrap();
    assert_eq!(tail.len(), 100);
}

#[test]
fn a_busy_camera_is_waited_for_and_not_for_ever() {
    let busy = |times| SimFault {
        operation: Some(Operation::GET_STORAGE_IDS),
        times,
        trouble: Trouble::Refuse(ResponseCode::DEVICE_BUSY.0),
    };
    let (mut session, pipes) = session(SimResponder::new());
    pipes.camera().faults.push(busy(5));
    assert_eq!(session.storages().unwrap().len(), 1);
    pipes.camera().faults.push(busy(u32::MAX));
    let before = session.elapsed();
    let refused = session.storages().unwrap_err();
    assert_eq!(refused.code(), Some(ResponseCode::DEVICE_BUSY));
    assert!(session.elapsed() - before < Duration::from_secs(5));
}

/// Every way a read can go wrong: what comes of it, and that the session works afterwards.
#[test]
fn after_each_fault_the_session_is_in_order_again() {
    use Trouble::*;
    let garbage = |bytes: &[u8]| Garbage(bytes.to_vec());
    for (trouble, expected) in [
        (Silence, "in time"),
        (SilenceAfter(70_000), "in time"),
        (StallAfter(0), "cancelled"),
        (StallAfter(1000), "cancelled"),
        (Truncate(1000), "middle of the data"),
        (Truncate(0), "middle of the data"),
        (WrongTransaction, "another kind or transaction"),
        (OutOfOrder, ""),
        (garbage(&[1]), "length"),
        (garbage(&[0xFF; 12]), "type"),
        (garbage(&[0xAA; 700]), "type"),
        (garbage(b"\x0c\0\0\0\x04\0\x02\x40\0\0\0\0"), "in time"),
        (garbage(&[]), "in time"),
        (Endless { claimed: u32::MAX }, "longer than"),
        (Endless { claimed: 0x7FFF_FFFF }, "longer than"),
        (Endless { claimed: 12 }, "type"),
        (Drip { pause_ms: 900 }, "in time"),
        (DoneInSilence, "in time"),
    ] {
        let (mut session, pipes, handle) = with_file(200_000);
        pipes
            .camera()
            .faults
            .push(SimFault::once(Operation::GET_PARTIAL_OBJECT_64, trouble.clone()));
        let before = session.elapsed();
        match partial(&mut session, handle, 0, 200_000, 65_536) {
            Err(error) => {
                let words = error.to_string();
                assert!(!expected.is_empty() && words.contains(expected), "{trouble:?}: {words}");
            }
            // The response came before the data: no data was taken for it.
            Ok((bytes, _)) => assert!(expected.is_empty() && bytes.is_empty(), "{trouble:?}"),
        }
        let took = session.elapsed() - before;
        assert!(took < Duration::from_secs(60), "{trouble:?} took {took:?}");
        pipes.camera().latency = Duration::from_millis(1);
        // Once more may be needed where the rubbish of the last answer comes first.
        let again = partial(&mut session, handle, 0, 200_000, 65_536)
            .or_else(|_| partial(&mut session, handle, 0, 200_000, 65_536));
        assert!(again.unwrap().0 == pattern(200_000), "{trouble:?}");
    }
}

#[test]
fn the_end_of_an_earlier_transaction_is_passed_over() {
    let (mut session, pipes, handle) = with_file(1000);
    pipes
        .camera()
        .faults
        .push(SimFault::once(Operation::GET_PARTIAL_OBJECT_64, Trouble::StaleFirst));
    assert_eq!(partial(&mut session, handle, 0, 1000, 1000).unwrap().0, pattern(1000));
}

#[test]
fn datasets_are_asked_for_once_more_after_a_fault() {
    for trouble in [Trouble::Silence, Trouble::StallAfter(3), Trouble::Truncate(5)] {
        let (mut session, pipes) = session(SimResponder::new());
        pipes.camera().faults.push(SimFault::once(Operation::GET_STORAGE_IDS, trouble.clone()));
        let storages = session.storages();
        match trouble {
            // A stall carries the camera's reason, and a reason is an answer.
            Trouble::StallAfter(_) => assert!(storages.unwrap_err().code().is_some()),
            _ => assert_eq!(storages.unwrap().len(), 1, "{trouble:?}"),
        }
    }
}

#[test]
fn a_camera_that_never_gets_back_to_order_is_wedged_and_said_so() {
    let (mut session, pipes) = session(SimResponder::new());
    pipes.camera().faults.push(SimFault {
        operation: None,
        times: u32::MAX,
        trouble: Trouble::Endless { claimed: 50 },
    });
    let before = session.elapsed();
    let mut last = None;
    for _ in 0..20 {
        last = session.storages().err();
    }
    assert_eq!(last, Some(PtpError::Wedged));
    assert!(session.is_wedged());
    assert!(session.elapsed() - before < Duration::from_secs(120));
}

#[test]
fn a_camera_that_hangs_on_cancel_is_reset_or_never_cancelled() {
    for no_cancel in [false, true] {
        let (mut session, pipes, handle) = with_file(20 << 20);
        pipes.camera().oddities.hangs_after_cancel = true;
        if no_cancel {
            session.set_quirks(Quirks::by_usb(0x04E8, 0x6860));
        }
        let (transaction, _) = session.begin_whole(handle).unwrap();
        session.take(transaction, &mut [0; 1000]).unwrap();
        // Something else is asked in the middle of the transfer.
        assert_eq!(session.storages().unwrap().len(), 1);
        assert_eq!(session.take(transaction, &mut [0; 1000]), Ok(None));
        let requests = pipes.camera().class_requests.clone();
        assert_eq!(requests.contains(&0x64), !no_cancel, "{requests:x?}");
        assert!(requests.contains(&0x66));
    }
    assert!(Quirks::by_usb(0x04E8, 0x6860).need(Need::NoCancel));
}

#[test]
fn data_that_ends_soon_is_read_to_its_end_instead_of_cancelled() {
    let (mut session, pipes, handle) = with_file(500_000);
    let transaction = session.begin_partial_64(handle, 0, 500_000).unwrap();
    session.take(transaction, &mut [0; 1000]).unwrap();
    assert_eq!(session.storages().unwrap().len(), 1);
    assert!(pipes.camera().class_requests.is_empty());
}

#[test]
fn a_cancelled_camera_is_busy_for_a_moment() {
    let (mut session, pipes, handle) = with_file(20 << 20);
    let (transaction, announced) = session.begin_whole(handle).unwrap();
    assert_eq!(announced, Some(20 << 20));
    session.take(transaction, &mut [0; 1000]).unwrap();
    session.end_taking(transaction).unwrap();
    assert_eq!(pipes.camera().class_requests, [0x64, 0x67, 0x67, 0x67]);
    assert_eq!(session.storages().unwrap().len(), 1);
    assert_eq!(session.epoch(), 1);
}

#[test]
fn without_class_requests_a_fault_still_ends() {
    let (mut session, pipes, handle) = with_file(1000);
    pipes.camera().oddities.no_class_requests = true;
    pipes.camera().faults.push(SimFault::once(Operation::GET_PARTIAL_OBJECT_64, Trouble::Silence));
    assert!(matches!(partial(&mut session, handle, 0, 9, 9), Err(PtpError::Timeout { .. })));
    assert_eq!(partial(&mut session, handle, 0, 1000, 999).unwrap().0, pattern(1000));
}

#[test]
fn gone_is_gone_for_good_and_at_once() {
    let (mut session, pipes, handle) = with_file(1_000_000);
    let vanish = Trouble::VanishAfter(300_000);
    pipes.camera().faults.push(SimFault::once(Operation::GET_PARTIAL_OBJECT_64, vanish));
    assert_eq!(partial(&mut session, handle, 0, 1 << 20, 65_536).unwrap_err(), PtpError::Gone);
    let before = session.elapsed();
    pipes.camera().gone = false;
    assert_eq!(session.storages(), Err(PtpError::Gone));
    assert_eq!(session.probe(), Err(PtpError::Gone));
    assert_eq!(session.events(Duration::from_secs(9)).unwrap_err(), PtpError::Gone);
    assert!(session.elapsed() - before < Duration::from_secs(1));
}

#[test]
fn events_are_taken_and_nonsense_among_them_is_passed_over() {
    let (mut session, pipes) = session(SimResponder::new());
    pipes.camera().say(0x4002, 7);
    pipes.camera().say_bytes(&[1, 2, 3]);
    pipes.camera().say(0x4005, 0x0001_0001);
    let events = session.events(Duration::from_millis(5)).unwrap();
    let storage = crate::ptp::StorageId::new(0x0001_0001);
    assert_eq!(events, [Event::ObjectAdded(ObjectHandle::new(7)), Event::StorageRemoved(storage)]);
    for _ in 0..1000 {
        pipes.camera().say(0x4002, 7);
    }
    assert_eq!(session.events(Duration::ZERO).unwrap().len(), 64);
}

#[test]
fn a_deletion_in_silence_is_not_repeated_by_itself() {
    let (mut session, pipes, handle) = with_file(10);
    pipes.camera().faults.push(SimFault::once(Operation::DELETE_OBJECT, Trouble::DoneInSilence));
    assert!(matches!(session.delete(handle), Err(PtpError::Timeout { .. })));
    let asked = pipes.camera().asked.iter().filter(|o| **o == Operation::DELETE_OBJECT).count();
    assert_eq!(asked, 1);
    assert_eq!(
        session.object_info(handle).unwrap_err().code(),
        Some(ResponseCode::INVALID_OBJECT_HANDLE)
    );
}

#[test]
fn a_property_is_set_with_a_data_phase_to_the_camera() {
    let (mut session, _pipes) = session(SimResponder::new());
    let time = crate::ptp::Text::encode("20300102T030405").unwrap();
    session.set_prop_value(DeviceProp::DATE_TIME, &time).unwrap();
    let shown = session.prop_text(DeviceProp::DATE_TIME).unwrap();
    assert_eq!(shown.as_str(), Some("20300102T030405"));
    let refused = session.set_prop_value(DeviceProp::BATTERY_LEVEL, &[1]).unwrap_err();
    assert_eq!(refused.code(), Some(ResponseCode::DEVICE_PROP_NOT_SUPPORTED));
}

#[test]
fn lists_and_datasets_beyond_their_bounds_are_refused() {
    let (mut session, pipes) = session(SimResponder::new());
    let storage = session.storages().unwrap()[0];
    let claims = |claimed| Trouble::Endless { claimed };
    for operation in [Operation::GET_OBJECT_HANDLES, Operation::GET_STORAGE_INFO] {
        for claimed in [u32::MAX, 2_000_000_000] {
            pipes.camera().faults.push(SimFault::once(operation, claims(claimed)));
            let refused = if operation == Operation::GET_OBJECT_HANDLES {
                session.handles(storage, Err(Root::Standard)).map(drop)
            } else {
                session.storage_info(storage).map(drop)
            };
            assert!(matches!(refused, Err(PtpError::TooLarge { .. })), "{refused:?}");
        }
    }
    assert_eq!(session.storages().unwrap().len(), 1);
}

/// Pipes that give whatever bytes they are told to, in whatever bites, and then nothing.
struct Hostile {
    transfers: std::vec::IntoIter<(Vec<u8>, u8)>,
    now: Duration,
}

impl Pipes for Hostile {
    fn packet_bytes(&self) -> usize {
        64
    }
    fn elapsed(&self) -> Duration {
        self.now
    }
    fn pause(&mut self, time: Duration) {
        self.now += time;
    }
    fn bulk_out(&mut self, _: &[u8], _: Duration) -> Result<(), PipeError> {
        Ok(())
    }
    fn bulk_in(
        &mut self,
        buffer: &mut [u8],
        timeout: Duration,
    ) -> Result<crate::ptp::Moved, PipeError> {
        let Some((bytes, kind)) = self.transfers.next() else {
            self.now += timeout;
            return Err(PipeError::Timeout);
        };
        match kind {
            0 => return Err(PipeError::Stalled),
            1 => return Err(PipeError::Io),
            _ => {}
        }
        let moved = bytes.len().min(buffer.len());
        buffer[..moved].copy_from_slice(&bytes[..moved]);
        Ok(crate::ptp::Moved { bytes: moved, ended: kind % 2 == 0 })
    }
    fn interrupt_in(&mut self, buffer: &mut [u8], timeout: Duration) -> Result<usize, PipeError> {
        self.bulk_in(buffer, timeout).map(|moved| moved.bytes)
    }
    fn clear_halt(&mut self, _: crate::ptp::Pipe) -> Result<(), PipeError> {
        Ok(())
    }
    fn class_out(
        &mut self,
        _: crate::ptp::ClassRequest,
        _: &[u8],
        _: Duration,
    ) -> Result<(), PipeError> {
        Ok(())
    }
    fn class_in(
        &mut self,
        _: crate::ptp::ClassRequest,
        buffer: &mut [u8],
        timeout: Duration,
    ) -> Result<usize, PipeError> {
        self.bulk_in(buffer, timeout).map(|moved| moved.bytes)
    }
    fn probe(&mut self, _: Duration) -> Result<(), PipeError> {
        Ok(())
    }
}

/// Mostly almost right: a header that fits, with rubbish in the rest of it.
fn transfer() -> impl Strategy<Value = (Vec<u8>, u8)> {
    let header = (0u32..80, 1u16..6, prop_oneof![0x1001u16..0x1010, 0x2001u16..0x2004], 0u32..6);
    let body = prop::collection::vec(any::<u8>(), 0..200);
    let near = (header, body).prop_map(|((length, kind, code, transaction), body)| {
        let length = if length == 79 { u32::MAX } else { length };
        let parts = [
            &length.to_le_bytes()[..],
            &kind.to_le_bytes(),
            &code.to_le_bytes(),
            &transaction.to_le_bytes(),
            &body,
        ];
        parts.concat()
    });
    let bytes = prop_oneof![3 => near, 1 => prop::collection::vec(any::<u8>(), 0..600)];
    (bytes, 0u8..12)
}

proptest! {
    /// Whatever a camera sends, every operation ends, within a bound, in a result.
    #[test]
    fn a_hostile_camera_never_panics_or_hangs(transfers in prop::collection::vec(transfer(), 0..60)) {
        let pipes = Hostile { transfers: transfers.into_iter(), now: Duration::ZERO };
        let mut session = Session::new(pipes, Limits::default());
        let object = ObjectHandle::new(5).unwrap();
        let storage = crate::ptp::StorageId::new(0x10001).unwrap();
        let _ = session.device_info();
        let _ = session.open();
        let _ = session.storages();
        let _ = session.handles(storage, Err(Root::Standard));
        let _ = session.object_info(object);
        if let Ok(transaction) = session.begin_partial_64(object, 0, 1000) {
            let mut taken = 0;
            while let Ok(Some(Received::Bytes(n))) = session.take(transaction, &mut [0; 333]) {
                taken += n;
            }
            prop_assert!(taken <= 1000);
        }
        let _ = session.delete(object);
        let _ = session.events(Duration::from_millis(1));
        session.close();
        prop_assert!(session.elapsed() < Duration::from_secs(15 * 60));
    }

    /// Whatever is wrong with the answer, wrong bytes are never taken for right ones.
    #[test]
    fn a_read_is_right_or_an_error(
        size in 0usize..5000,
        offset in 0u64..6000,
        bytes in 1u32..6000,
        packet in prop_oneof![Just(64usize), Just(512)],
        trouble in prop_oneof![
            (0u64..6000).prop_map(Trouble::Truncate),
            (0u64..6000).prop_map(Trouble::StallAfter),
            (0u64..6000).prop_map(Trouble::SilenceAfter),
            Just(Trouble::StaleFirst),
            Just(Trouble::WrongTransaction),
            Just(Trouble::OutOfOrder),
        ],
    ) {
        let (mut session, pipes, handle) = with_file(size);
        pipes.camera().packet_bytes = packet;
        pipes.camera().faults.push(SimFault::once(Operation::GET_PARTIAL_OBJECT_64, trouble));
        let from = usize::try_from(offset).unwrap().min(size);
        let to = size.min(from + bytes as usize);
        for _ in 0..2 {
            if let Ok((read, response)) = partial(&mut session, handle, offset, bytes, 700) {
                let claimed = response.parameter(0).unwrap_or(0) as usize;
                // Both must hold for a reader to use them.
                if read.len() == claimed {
                    prop_assert!(read == pattern(size)[from..to]);
                }
            }
        }
    }
}
