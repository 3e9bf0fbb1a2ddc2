//! What the simulated camera answers.

use super::{
    Content, Outgoing, SimFault, SimResponder, Trouble,
    encode::{array_u32, words},
};
use crate::ptp::{
    CameraTime, DeviceProp, Kind, ObjectProp, Operation, ResponseCode, TransactionId,
    container::{HEADER_BYTES, Header, LENGTH_UNKNOWN, container},
};
use jiff::SignedDuration;
use std::time::Duration;

/// An answer before it is packed.
struct Answer {
    code: ResponseCode,
    parameters: Vec<u32>,
    data: Option<Data>,
}

enum Data {
    Bytes(Vec<u8>),
    Object { content: Content, from: u64, to: u64 },
}

impl Answer {
    fn code(code: ResponseCode) -> Self {
        Self { code, parameters: Vec::new(), data: None }
    }

    fn data(bytes: Vec<u8>) -> Self {
        Self { data: Some(Data::Bytes(bytes)), ..Self::code(ResponseCode::OK) }
    }
}

impl SimResponder {
    /// One transfer from the host.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        let Ok(header) = Header::decode(bytes) else { return };
        let payload = &bytes[HEADER_BYTES..];
        let operation = Operation(header.code);
        match header.kind {
            Kind::Command => {
                let parameters: Vec<u32> =
                    payload.as_chunks().0.iter().map(|p| u32::from_le_bytes(*p)).collect();
                self.asked.push(operation);
                // It can hear again, so what it kept silent about is over.
                self.outgoing.retain(|outgoing| !matches!(outgoing, Outgoing::Silence));
                if operation == Operation::SET_DEVICE_PROP_VALUE {
                    self.waiting = Some((operation, header.transaction.0, parameters));
                } else {
                    let answer = |camera: &mut Self| camera.answer(operation, &parameters, &[]);
                    self.respond(operation, header.transaction, answer);
                }
            }
            Kind::Data => {
                if let Some((operation, transaction, parameters)) = self.waiting.take() {
                    let answer = |camera: &mut Self| camera.answer(operation, &parameters, payload);
                    self.respond(operation, TransactionId(transaction), answer);
                }
            }
            Kind::Response | Kind::Event => {}
        }
    }

    fn trouble(&mut self, operation: Operation) -> Option<Trouble> {
        let hit = |fault: &&mut SimFault| {
            fault.times > 0 && fault.operation.is_none_or(|struck| struck == operation)
        };
        let fault = self.faults.iter_mut().find(hit)?;
        fault.times -= 1;
        Some(fault.trouble.clone())
    }

    fn respond(
        &mut self,
        operation: Operation,
        transaction: TransactionId,
        answer: impl FnOnce(&mut Self) -> Answer,
    ) {
        let trouble = self.trouble(operation);
        match &trouble {
            Some(Trouble::Silence) => return self.outgoing.push_back(Outgoing::Silence),
            Some(Trouble::Refuse(code)) => {
                return self.push_response(transaction, &Answer::code(ResponseCode(*code)));
            }
            Some(Trouble::Garbage(bytes)) => return self.push(bytes.clone()),
            Some(Trouble::Endless { claimed }) => {
                let header = self.header(operation, transaction, *claimed);
                self.outgoing.push_back(Outgoing::Bytes { bytes: header, at: 0, ends: false });
                return self.outgoing.push_back(Outgoing::Endless);
            }
            _ => {}
        }
        let mut answer = answer(self);
        if self.listing_hung && operation == Operation::GET_OBJECT_HANDLES {
            return self.outgoing.push_back(Outgoing::Silence);
        }
        let mut transaction = transaction;
        match &trouble {
            Some(Trouble::WrongTransaction) => transaction.0 += 100,
            Some(Trouble::StaleFirst) => {
                let before = TransactionId(transaction.0.wrapping_sub(1));
                self.push_response(before, &Answer::code(ResponseCode::INCOMPLETE_TRANSFER));
            }
            Some(Trouble::OutOfOrder) => self.push_response(transaction, &answer),
            Some(Trouble::WrongCount) => answer.parameters = vec![0xDEAD],
            Some(Trouble::DoneInSilence) => return self.outgoing.push_back(Outgoing::Silence),
            _ => {}
        }
        self.push_answer(operation, transaction, answer, trouble.as_ref());
    }

    fn header(&self, operation: Operation, transaction: TransactionId, length: u32) -> Vec<u8> {
        Header { length, kind: Kind::Data, code: operation.0, transaction }.encode().to_vec()
    }

    fn push_answer(
        &mut self,
        operation: Operation,
        transaction: TransactionId,
        mut answer: Answer,
        trouble: Option<&Trouble>,
    ) {
        if let Some(data) = answer.data.take() {
            let (content, from, to) = match data {
                Data::Bytes(bytes) => {
                    let to = bytes.len() as u64;
                    (Content::from(bytes), 0, to)
                }
                Data::Object { content, from, to } => (content, from, to),
            };
            self.push_data(operation, transaction, content, from, to, trouble);
        }
        match trouble {
            Some(Trouble::StallAfter(_)) => self.outgoing.push_back(Outgoing::Stall),
            Some(Trouble::SilenceAfter(_)) => self.outgoing.push_back(Outgoing::Silence),
            Some(Trouble::VanishAfter(_)) => self.outgoing.push_back(Outgoing::Vanish),
            _ => self.push_response(transaction, &answer),
        }
    }

    fn push_data(
        &mut self,
        operation: Operation,
        transaction: TransactionId,
        content: Content,
        from: u64,
        to: u64,
        trouble: Option<&Trouble>,
    ) {
        let whole = HEADER_BYTES as u64 + (to - from);
        let silent = self.oddities.never_announces && operation == Operation::GET_OBJECT;
        let length = if silent { LENGTH_UNKNOWN } else { u32::try_from(whole).unwrap_or(u32::MAX) };
        let sent_to = match trouble {
            Some(
                Trouble::StallAfter(bytes)
                | Trouble::SilenceAfter(bytes)
                | Trouble::VanishAfter(bytes)
                | Trouble::Truncate(bytes),
            ) => to.min(from + bytes),
            _ => to,
        };
        let header = self.header(operation, transaction, length);
        if let Some(Trouble::Drip { pause_ms }) = trouble {
            self.latency = Duration::from_millis(*pause_ms);
            let mut bytes = vec![0; usize::try_from(to - from).unwrap_or(0)];
            content.copy(from, &mut bytes);
            self.push(header);
            bytes.into_iter().for_each(|byte| self.push(vec![byte]));
            return;
        }
        let content = match trouble {
            Some(Trouble::FlipBit(at)) => {
                let mut bytes = vec![0; usize::try_from(to).unwrap_or(0)];
                content.copy(0, &mut bytes);
                if let Some(byte) = bytes.get_mut(usize::try_from(from + at).unwrap_or(0)) {
                    *byte ^= 1;
                }
                Content::from(bytes)
            }
            _ => content,
        };
        let sent = HEADER_BYTES as u64 + (sent_to - from);
        let packets = sent.is_multiple_of(self.packet_bytes as u64);
        let ends = !(packets && self.oddities.omits_empty_packet);
        let split = self.oddities.splits_header;
        self.outgoing.push_back(Outgoing::Bytes {
            bytes: header,
            at: 0,
            ends: split || sent_to == from,
        });
        if sent_to > from {
            let packets = (sent_to - from).is_multiple_of(self.packet_bytes as u64);
            let ends = if split { !(packets && self.oddities.omits_empty_packet) } else { ends };
            self.outgoing.push_back(Outgoing::Object { content, at: from, end: sent_to, ends });
        }
    }

    pub(super) fn push(&mut self, bytes: Vec<u8>) {
        self.outgoing.push_back(Outgoing::Bytes { bytes, at: 0, ends: true });
    }

    fn push_response(&mut self, transaction: TransactionId, answer: &Answer) {
        let payload: Vec<u8> = answer.parameters.iter().flat_map(|p| p.to_le_bytes()).collect();
        self.push(container(Kind::Response, answer.code.0, transaction, &payload));
    }

    fn answer(&mut self, operation: Operation, parameters: &[u32], data: &[u8]) -> Answer {
        let p = |index: usize| parameters.get(index).copied().unwrap_or(0);
        let sessionless = operation == Operation::OPEN_SESSION
            || operation == Operation::GET_DEVICE_INFO && !self.oddities.info_needs_session;
        if !self.operations.contains(&operation) {
            return Answer::code(ResponseCode::OPERATION_NOT_SUPPORTED);
        }
        if self.session.is_none() && !sessionless {
            return Answer::code(ResponseCode::SESSION_NOT_OPEN);
        }
        match operation {
            Operation::GET_DEVICE_INFO => Answer::data(self.encode_device_info()),
            Operation::OPEN_SESSION => self.open_session(p(0)),
            Operation::CLOSE_SESSION if self.oddities.keeps_session => {
                Answer::code(ResponseCode::GENERAL_ERROR)
            }
            Operation::CLOSE_SESSION => {
                self.session = None;
                Answer::code(ResponseCode::OK)
            }
            Operation::GET_STORAGE_IDS => {
                Answer::data(array_u32(self.storages.iter().map(|storage| storage.id)))
            }
            Operation::GET_STORAGE_INFO => {
                match self.storages.iter().find(|storage| storage.id == p(0)) {
                    Some(storage) => Answer::data(storage.encode()),
                    None => Answer::code(ResponseCode::INVALID_STORAGE_ID),
                }
            }
            Operation::GET_OBJECT_HANDLES => self.list(p(0), p(2)),
            Operation::GET_OBJECT_INFO => match self.objects.get(&p(0)) {
                Some(object) => Answer::data(self.encode_object_info(object)),
                None => Answer::code(ResponseCode::INVALID_OBJECT_HANDLE),
            },
            Operation::GET_OBJECT => self.read(p(0), 0, u64::MAX),
            Operation::GET_PARTIAL_OBJECT => self.read(p(0), u64::from(p(1)), u64::from(p(2))),
            Operation::GET_PARTIAL_OBJECT_64 => {
                self.read(p(0), u64::from(p(1)) | u64::from(p(2)) << 32, u64::from(p(3)))
            }
            Operation::DELETE_OBJECT => self.delete(p(0)),
            Operation::GET_OBJECT_PROP_VALUE if p(1) == u32::from(ObjectProp::OBJECT_SIZE.0) => {
                match self.objects.get(&p(0)) {
                    Some(object) => Answer::data(object.content.len().to_le_bytes().to_vec()),
                    None => Answer::code(ResponseCode::INVALID_OBJECT_HANDLE),
                }
            }
            Operation::GET_DEVICE_PROP_DESC
            | Operation::GET_DEVICE_PROP_VALUE
            | Operation::SET_DEVICE_PROP_VALUE => self.property(operation, p(0), data),
            _ => Answer::code(ResponseCode::PARAMETER_NOT_SUPPORTED),
        }
    }

    fn open_session(&mut self, id: u32) -> Answer {
        match self.session {
            Some(open) => Answer {
                parameters: vec![open],
                ..Answer::code(ResponseCode::SESSION_ALREADY_OPEN)
            },
            None => {
                self.session = Some(id);
                Answer::code(ResponseCode::OK)
            }
        }
    }

    fn list(&mut self, storage: u32, folder: u32) -> Answer {
        if storage == u32::MAX && self.oddities.hangs_on_all_storages {
            self.listing_hung = true;
            return Answer::code(ResponseCode::INVALID_STORAGE_ID);
        }
        if storage != u32::MAX && !self.has_storage(storage) {
            return Answer::code(ResponseCode::INVALID_STORAGE_ID);
        }
        let odd = self.oddities.zero_is_everything || self.oddities.zero_is_root;
        let everything = folder == 0 && !self.oddities.zero_is_root;
        if folder == u32::MAX && odd {
            return Answer::code(ResponseCode::INVALID_PARENT);
        }
        let parent = if folder == u32::MAX { 0 } else { folder };
        if parent != 0 && !self.objects.contains_key(&parent) {
            return Answer::code(ResponseCode::INVALID_PARENT);
        }
        let listed = self.objects.iter().filter(|(_, object)| {
            (storage == u32::MAX || object.storage == storage)
                && (everything || object.parent == parent)
        });
        Answer::data(array_u32(listed.map(|(handle, _)| *handle)))
    }

    fn read(&self, handle: u32, offset: u64, bytes: u64) -> Answer {
        let Some(object) = self.objects.get(&handle) else {
            return Answer::code(ResponseCode::INVALID_OBJECT_HANDLE);
        };
        let size = object.content.len();
        let beyond = bytes != u64::MAX && offset.saturating_add(bytes) > size;
        if self.oddities.refuses_beyond_end && beyond {
            return Answer::code(ResponseCode::INVALID_PARAMETER);
        }
        let from = offset.min(size);
        let to = from.saturating_add(bytes).min(size);
        let sent = u32::try_from(to - from).unwrap_or(u32::MAX);
        let parameters = if bytes == u64::MAX { Vec::new() } else { vec![sent] };
        let content = object.content.clone();
        Answer {
            code: ResponseCode::OK,
            parameters,
            data: Some(Data::Object { content, from, to }),
        }
    }

    fn delete(&mut self, handle: u32) -> Answer {
        let Some(object) = self.objects.get(&handle) else {
            return Answer::code(ResponseCode::INVALID_OBJECT_HANDLE);
        };
        let storage = self.storages.iter().find(|storage| storage.id == object.storage);
        if storage.is_some_and(|storage| storage.access == 1) {
            return Answer::code(ResponseCode::STORE_READ_ONLY);
        }
        if object.protection != 0 {
            return Answer::code(ResponseCode::OBJECT_WRITE_PROTECTED);
        }
        if !self.oddities.lies_about_deletion {
            self.objects.remove(&handle);
        }
        Answer::code(ResponseCode::OK)
    }

    fn property(&mut self, operation: Operation, code: u32, data: &[u8]) -> Answer {
        let property = DeviceProp(u16::try_from(code).unwrap_or(0));
        let answer = match (operation, property) {
            (Operation::GET_DEVICE_PROP_DESC, DeviceProp::BATTERY_LEVEL) => {
                self.encode_battery_desc()
            }
            (Operation::GET_DEVICE_PROP_VALUE, DeviceProp::BATTERY_LEVEL) => self.encode_battery(),
            (Operation::GET_DEVICE_PROP_DESC, DeviceProp::DATE_TIME) => self.encode_clock_desc(),
            (Operation::GET_DEVICE_PROP_VALUE, DeviceProp::DATE_TIME) => {
                self.clock_text().map(|text| words(&text))
            }
            (Operation::SET_DEVICE_PROP_VALUE, DeviceProp::DATE_TIME) => {
                return Answer::code(self.set_clock(data));
            }
            _ => None,
        };
        answer.map_or(Answer::code(ResponseCode::DEVICE_PROP_NOT_SUPPORTED), Answer::data)
    }

    fn set_clock(&mut self, data: &[u8]) -> ResponseCode {
        let text = crate::ptp::bytes::Cursor::new(data).text("the time");
        let time = text.ok().and_then(|text| CameraTime::parse(text.as_str()?)?.milliseconds());
        match (time, &mut self.clock) {
            (Some(time), Some((offset, start))) => {
                let elapsed = i64::try_from(self.now.as_millis()).unwrap_or(0);
                *offset = SignedDuration::from_millis(time - elapsed - start.as_millisecond());
                ResponseCode::OK
            }
            _ => ResponseCode::INVALID_PARAMETER,
        }
    }
}
