//! What Firefox reads of CBOR (RFC 8949): numbers, byte strings, arrays, maps, tags and null, of definite length. Read in place.

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// A number; from -2^63 on.
    Number(i128),
    Bytes(&'a [u8]),
    Array(Vec<Item<'a>>),
    Map(Vec<(Item<'a>, Item<'a>)>),
    Tag(u64, Box<Item<'a>>),
    Null,
}

impl<'a> Item<'a> {
    /// The first item of `bytes`, nested at most `depth` times and of at most `count` items. `None` where there is none that Firefox would
    /// read. What follows it means nothing.
    pub(super) fn first(mut bytes: &'a [u8], depth: usize, mut count: usize) -> Option<Self> {
        Self::read(&mut bytes, depth, &mut count)
    }

    fn read(bytes: &mut &'a [u8], depth: usize, count: &mut usize) -> Option<Self> {
        let depth = depth.checked_sub(1)?;
        *count = count.checked_sub(1)?;
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let value = match first & 0x1f {
            info @ 0..24 => info.into(),
            24 => number(bytes, 1)?,
            25 => number(bytes, 2)?,
            26 => number(bytes, 4)?,
            27 => number(bytes, 8)?,
            _ => return None,
        };
        Some(match first >> 5 {
            0 => Self::Number(value.into()),
            1 => Self::Number(-1 - i128::from(i64::try_from(value).ok()?)),
            2 => {
                let (string, rest) = bytes.split_at_checked(usize::try_from(value).ok()?)?;
                *bytes = rest;
                Self::Bytes(string)
            }
            // Nothing is reserved for what is only claimed: each item takes a byte at least.
            4 => Self::Array((0..value).map(|_| Self::read(bytes, depth, count)).collect::<Option<_>>()?),
            5 => {
                let pair = |_| Some((Self::read(bytes, depth, count)?, Self::read(bytes, depth, count)?));
                Self::Map((0..value).map(pair).collect::<Option<_>>()?)
            }
            6 => Self::Tag(value, Box::new(Self::read(bytes, depth, count)?)),
            7 if *first == 0xf6 => Self::Null,
            _ => return None,
        })
    }
}

fn number(bytes: &mut &[u8], len: usize) -> Option<u64> {
    let (head, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(head.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use ciborium::Value;
    use proptest::prelude::*;

    use super::*;

    fn encoded(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        bytes
    }

    fn ours(value: &Value) -> Option<Item<'_>> {
        Some(match value {
            Value::Integer(number) => Item::Number(i128::from(*number)),
            Value::Bytes(bytes) => Item::Bytes(bytes),
            Value::Array(items) => Item::Array(items.iter().map(ours).collect::<Option<_>>()?),
            Value::Map(pairs) => {
                Item::Map(pairs.iter().map(|(a, b)| Some((ours(a)?, ours(b)?))).collect::<Option<_>>()?)
            }
            Value::Tag(tag, item) => Item::Tag(*tag, Box::new(ours(item)?)),
            Value::Null => Item::Null,
            _ => return None,
        })
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
            Just(Value::Null),
            Just(Value::Bool(true)),
            Just(Value::from("text")),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::vec((inner.clone(), inner.clone()), 0..3).prop_map(Value::Map),
                (any::<u64>(), inner).prop_map(|(tag, item)| Value::Tag(tag, Box::new(item))),
            ]
        })
    }

    #[test]
    fn what_is_claimed_and_not_there_costs_nothing() {
        for bytes in [
            b"\x9b\0\0\xff\xff\xff\xff\xff\xff".as_slice(),
            b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(Item::first(bytes, 16, 1000), None);
        }
        assert_eq!(Item::first(&[0x81; 50_000], 16, 1000), None);
        assert!(Item::first(b"\x82\xf6\xf6", 2, 3).is_some());
        assert_eq!(Item::first(b"\x82\xf6\xf6", 2, 2), None);
        assert_eq!(Item::first(b"\x82\xf6\xf6", 1, 3), None);
        assert_eq!(Item::first(b"\x9f\xff", 16, 1000), None);
    }

    proptest! {
        #[test]
        fn it_reads_what_the_library_writes(value in values(), behind in proptest::collection::vec(any::<u8>(), 0..4)) {
            let bytes = [encoded(&value), behind].concat();
            // Tags that the library writes as big numbers aside, whole values are read, and others not at all.
            prop_assert_eq!(Item::first(&bytes, 16, 1000), ours(&value));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Item::first(&bytes, 16, 1000);
        }
    }
}
