//! Property values and descriptions.

use super::{DeviceProp, Malformed, Text, bytes::Cursor};

/// A value of a simple type, a text, or an array that nobody here looks into (PIMA 15740:2000
/// clause 5.3; MTP 1.1 section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Signed(i128),
    Unsigned(u128),
    Text(Text),
    Array,
}

/// How long and of what kind a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DataType(u16);

impl DataType {
    /// Bytes of one entry and whether it has a sign; `None` for texts and what is unknown.
    fn simple(self) -> Option<(usize, bool)> {
        let width = match self.0 & 0xBFFF {
            0x0001 | 0x0002 => 1,
            0x0003 | 0x0004 => 2,
            0x0005 | 0x0006 => 4,
            0x0007 | 0x0008 => 8,
            0x0009 | 0x000A => 16,
            _ => return None,
        };
        Some((width, self.0 & 1 == 1))
    }

    fn read(self, at: &mut Cursor<'_>) -> Result<Value, Malformed> {
        if self.0 == 0xFFFF {
            return at.text("a text value").map(Value::Text);
        }
        let (width, signed) = self.simple().ok_or(Malformed::DataType(self.0))?;
        if self.0 & 0x4000 != 0 {
            return at.array(width, "an array value").map(|_| Value::Array);
        }
        let bytes = at.take(width, "a value")?;
        let negative = signed && bytes[width - 1] & 0x80 != 0;
        let mut wide = [if negative { 0xFF } else { 0 }; 16];
        wide[..width].copy_from_slice(bytes);
        Ok(if signed {
            Value::Signed(i128::from_le_bytes(wide))
        } else {
            Value::Unsigned(u128::from_le_bytes(wide))
        })
    }
}

/// Which values a property may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    None,
    Range {
        least: Value,
        most: Value,
        step: Value,
    },
    OneOf(Vec<Value>),
    /// A form this dock has no use for.
    Other(u8),
}

/// DevicePropDesc: PIMA 15740:2000 clause 13.3; MTP 1.1 section 5.1.2.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropDesc {
    pub property: DeviceProp,
    pub is_writable: bool,
    pub current: Value,
    pub form: Form,
    data_type: DataType,
}

impl PropDesc {
    /// The same property with the value that GetDevicePropValue gave: some responders describe
    /// their properties from a table that nobody keeps up to date (umtp-responder 1.3.10).
    ///
    /// # Errors
    /// [`Malformed`] if it is too short for the property's type.
    pub fn with_value(self, bytes: &[u8]) -> Result<Self, Malformed> {
        let current = self.data_type.read(&mut Cursor::new(bytes))?;
        Ok(Self { current, ..self })
    }

    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut at = Cursor::new(bytes);
        let property = DeviceProp(at.u16("the property's code")?);
        let data_type = DataType(at.u16("the property's type")?);
        let is_writable = at.u8("whether the property can be set")? == 1;
        data_type.read(&mut at)?;
        let current = data_type.read(&mut at)?;
        // Some end here, which can only mean that there is no form.
        let form = match at.u8("the form").unwrap_or(0) {
            0 => Form::None,
            1 => Form::Range {
                least: data_type.read(&mut at)?,
                most: data_type.read(&mut at)?,
                step: data_type.read(&mut at)?,
            },
            2 => {
                let count = at.u16("the number of values")?;
                let values = (0..count).map(|_| data_type.read(&mut at));
                Form::OneOf(values.collect::<Result<_, _>>()?)
            }
            other => Form::Other(other),
        };
        Ok(Self { property, is_writable, current, form, data_type })
    }
}

impl Value {
    /// As a number, if it is one that can be counted with.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Signed(n) => i64::try_from(*n).ok(),
            Self::Unsigned(n) => i64::try_from(*n).ok(),
            Self::Text(_) | Self::Array => None,
        }
    }
}

/// BatteryLevel in percent (PIMA 15740:2000 clause 13.3; MTP 1.1 appendix C.2.2): the place
/// between the least and the most of its range or its list. `None` where the scale is not said and
/// the number is no percentage, for a value outside of its own range, and for 0: that is also what
/// cameras say that do not know, or that run on other power.
pub fn battery_percent(desc: &PropDesc) -> Option<u8> {
    let current = desc.current.number().filter(|current| *current != 0)?;
    let (least, most) = match &desc.form {
        Form::Range { least, most, .. } => (least.number()?, most.number()?),
        Form::OneOf(values) => {
            let numbers: Vec<i64> = values.iter().map(Value::number).collect::<Option<_>>()?;
            // A list need not name "empty": 25, 50, 75, 100 are four steps of a hundred.
            (numbers.iter().copied().min()?.min(0), numbers.iter().copied().max()?)
        }
        Form::None | Form::Other(_) => (0, 100),
    };
    percent(current, least, most)
}

fn percent(current: i64, least: i64, most: i64) -> Option<u8> {
    if most <= least || current < least || current > most {
        return None;
    }
    let (done, whole) =
        (i128::from(current) - i128::from(least), i128::from(most) - i128::from(least));
    u8::try_from(done * 100 / whole).ok()
}

/// BatteryLevel where only its value can be had: 1, 2 or 4 bytes that are a percentage, or nothing.
pub fn battery_percent_of_value(bytes: &[u8]) -> Option<u8> {
    let mut wide = [0; 4];
    wide.get_mut(..bytes.len()).filter(|w| !w.is_empty())?.copy_from_slice(bytes);
    let current = u32::from_le_bytes(wide);
    percent(i64::from(current), 0, 100).filter(|percent| *percent > 0)
}

/// ObjectSize (MTP 1.1 appendix B): 64 bits by the standard, 32 from some.
///
/// # Errors
/// [`Malformed`] for any other length.
pub fn decode_object_size(bytes: &[u8]) -> Result<u64, Malformed> {
    let mut at = Cursor::new(bytes);
    match bytes.len() {
        4 => at.u32("the object's size").map(u64::from),
        _ => at.u64("the object's size"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// BatteryLevel as UINT8 with a range of 0 to 100 in steps of 1, now 80.
    const RANGE: [u8; 11] = [0x01, 0x50, 0x02, 0, 0, 100, 80, 1, 0, 100, 1];

    fn of(bytes: &[u8]) -> Option<u8> {
        battery_percent(&PropDesc::decode(bytes).unwrap())
    }

    #[test]
    fn battery_as_a_range_of_a_byte() {
        let desc = PropDesc::decode(&RANGE).unwrap();
        assert_eq!((desc.property, desc.is_writable), (DeviceProp::BATTERY_LEVEL, false));
        assert_eq!(battery_percent(&desc), Some(80));
        let mut unknown = RANGE;
        unknown[6] = 0;
        assert_eq!((of(&unknown), battery_percent_of_value(&[0])), (None, None));
    }

    /// umtp-responder 1.3.10 describes it as a UINT16 that is 0, and gives 8000 hex as its value.
    #[test]
    fn battery_whose_description_is_never_kept_up_to_date() {
        let desc = || PropDesc::decode(&[0x01, 0x50, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!(battery_percent(&desc()), None);
        let told = |bytes: &[u8]| desc().with_value(bytes).map(|desc| battery_percent(&desc));
        assert_eq!(told(&[0x00, 0x80]), Ok(None), "that is no percentage");
        assert_eq!(told(&[43, 0]), Ok(Some(43)));
        assert!(told(&[43]).is_err());
        let steps = PropDesc::decode(&[0x01, 0x50, 2, 0, 0, 0, 0, 2, 4, 0, 0, 1, 2, 3]).unwrap();
        let told = steps.with_value(&[2]).map(|desc| battery_percent(&desc));
        assert_eq!(told, Ok(Some(66)), "the value is on the scale of its description");
    }

    #[test]
    fn battery_as_a_list_of_steps() {
        assert_eq!(of(&[0x01, 0x50, 2, 0, 0, 0, 50, 2, 4, 0, 25, 50, 75, 100]), Some(50));
        assert_eq!(of(&[0x01, 0x50, 2, 0, 0, 0, 3, 2, 4, 0, 0, 1, 2, 3]), Some(100));
        assert_eq!(of(&[0x01, 0x50, 2, 0, 0, 0, 1, 2, 0, 0]), None);
    }

    #[test]
    fn battery_in_odd_sizes() {
        // UINT16, 0 to 0x8000.
        let half = [0x01, 0x50, 4, 0, 0, 0, 0, 0, 0x40, 1, 0, 0, 0, 0x80, 1, 0];
        assert_eq!(of(&half), Some(50));
        // UINT16 with no form: 0x8000 is no percentage, 55 is.
        assert_eq!(of(&[0x01, 0x50, 4, 0, 0, 0, 0, 0, 0x80, 0]), None);
        assert_eq!(of(&[0x01, 0x50, 4, 0, 0, 0, 0, 55, 0, 0]), Some(55));
        // INT8 below its range; a form that is missing altogether; INT32.
        assert_eq!(of(&[0x01, 0x50, 1, 0, 0, 0, 0xFF, 1, 0, 100, 1]), None);
        assert_eq!(of(&[0x01, 0x50, 2, 0, 0, 0, 42]), Some(42));
        assert_eq!(of(&[0x01, 0x50, 5, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0]), Some(7));
        for (bytes, percent) in [
            (&[80][..], Some(80)),
            (&[80, 0], Some(80)),
            (&[0, 0x80], None),
            (&[101], None),
            (&[], None),
            (&[0; 5], None),
        ] {
            assert_eq!(battery_percent_of_value(bytes), percent, "{bytes:?}");
        }
    }

    #[test]
    fn texts_arrays_and_unknown_types() {
        let text = [0x11, 0x50, 0xFF, 0xFF, 1, 0, 2, b'x', 0, 0, 0, 0];
        let desc = PropDesc::decode(&text).unwrap();
        assert!(desc.is_writable);
        assert_eq!(battery_percent(&desc), None);
        assert_eq!(PropDesc::decode(&[1, 0x50, 0x0B, 0, 0]), Err(Malformed::DataType(0x0B)));
        let array = [1, 0xD0, 0x02, 0x40, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0];
        assert_eq!(PropDesc::decode(&array).unwrap().current, Value::Array);
        let giant = [1, 0xD0, 0x08, 0x40, 0, 0xFF, 0xFF, 0xFF, 0xFF, 9];
        assert!(matches!(PropDesc::decode(&giant), Err(Malformed::Array { .. })));
    }

    #[test]
    fn sizes_of_64_and_32_bits() {
        assert_eq!(decode_object_size(&[0, 0, 0, 0, 1, 0, 0, 0]), Ok(1 << 32));
        assert_eq!(decode_object_size(&[5, 0, 0, 0]), Ok(5));
        assert!(decode_object_size(&[5, 0, 0]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_description_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(percent) = PropDesc::decode(&bytes).ok().as_ref().and_then(battery_percent) {
                prop_assert!(percent <= 100);
            }
        }

        #[test]
        fn a_changed_description_is_a_percentage_or_nothing(at in 0usize..RANGE.len(), to: u8) {
            let mut bytes = RANGE;
            bytes[at] = to;
            if let Some(percent) = PropDesc::decode(&bytes).ok().as_ref().and_then(battery_percent) {
                prop_assert!(percent <= 100);
            }
        }
    }
}
