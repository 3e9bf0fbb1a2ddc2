//! Just enough XML for what S3 stores answer: elements and text, names without their prefix.
//!
//! Namespaces are ignored, since stores disagree on them. Depth and number of elements are
//! bounded; entities beyond the predefined ones are refused.

use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};

/// An element with its text and its children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Node>,
}

impl Node {
    const DEPTH_MAX: usize = 16;
    const ELEMENTS_MAX: usize = 50_000;

    /// The root element; none if this is no well-formed XML within the bounds.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        // While a store works on Complete it may send white space before anything else.
        let mut reader = Reader::from_reader(bytes.trim_ascii_start());
        let (mut open, mut elements): (Vec<Node>, usize) = (Vec::new(), 0);
        loop {
            let done = match reader.read_event().ok()? {
                Event::Start(start) => {
                    elements += 1;
                    if open.len() >= Self::DEPTH_MAX || elements > Self::ELEMENTS_MAX {
                        return None;
                    }
                    open.push(Self::named(start.local_name().as_ref())?);
                    None
                }
                Event::Empty(start) => Some(Self::named(start.local_name().as_ref())?),
                Event::End(_) => Some(open.pop()?),
                Event::Text(text) => {
                    Self::add(&mut open, &text.decode().ok()?);
                    None
                }
                Event::CData(text) => {
                    Self::add(&mut open, &text.decode().ok()?);
                    None
                }
                Event::GeneralRef(entity) => {
                    match entity.resolve_char_ref().ok()? {
                        Some(c) => Self::add(&mut open, c.encode_utf8(&mut [0; 4])),
                        None => {
                            let name = entity.decode().ok()?;
                            Self::add(&mut open, resolve_predefined_entity(&name)?);
                        }
                    }
                    None
                }
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => None,
                // Nothing S3 says has one; a page of HTML does.
                Event::DocType(_) | Event::Eof => return None,
            };
            if let Some(node) = done {
                match open.last_mut() {
                    Some(parent) => parent.children.push(node),
                    None => return Some(node),
                }
            }
        }
    }

    /// An element with nothing but text in it.
    pub(super) fn leaf(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), text: text.to_owned(), children: Vec::new() }
    }

    pub(super) fn branch(name: &str, children: Vec<Self>) -> Self {
        Self { name: name.to_owned(), text: String::new(), children }
    }

    /// Written again, without a namespace of its own.
    pub(super) fn to_xml(&self) -> String {
        let Self { name, text, children } = self;
        let inner: String = match children.is_empty() {
            true => quick_xml::escape::escape(text.trim()).into_owned(),
            false => children.iter().map(Self::to_xml).collect(),
        };
        format!("<{name}>{inner}</{name}>")
    }

    /// The same with its children in the order of their names and texts, without empty ones.
    pub(super) fn sorted(&self) -> Self {
        let children = self.children.iter().map(Self::sorted);
        let mut children: Vec<Self> =
            children.filter(|c| !c.children.is_empty() || !c.text.trim().is_empty()).collect();
        children.sort_by_key(Self::to_xml);
        Self { children, ..self.clone() }
    }

    fn named(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?.to_owned();
        Some(Self { name, ..Self::default() })
    }

    fn add(open: &mut [Self], text: &str) {
        if let Some(node) = open.last_mut() {
            node.text.push_str(text);
        }
    }

    /// The text of the first child of that name, trimmed; none if it is not there or empty.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        let child = self.children.iter().find(|child| child.name == name)?;
        Some(child.text.trim()).filter(|text| !text.is_empty())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prefixes_entities_and_leading_space_are_understood() {
        let text =
            b"\n  <?xml version=\"1.0\"?><s:R xmlns:s=\"x\"><ETag>&quot;a&#38;b&quot;</ETag>\
                     <P/><P>2</P></s:R>";
        let root = Node::parse(text).unwrap();
        assert_eq!((root.name.as_str(), root.text_of("ETag")), ("R", Some("\"a&b\"")));
        assert_eq!(root.all("P").count(), 2);
        assert_eq!(root.text_of("P"), None);
    }

    #[test]
    fn what_is_no_answer_is_none() {
        let deep = "<a>".repeat(20) + &"</a>".repeat(20);
        let many = format!("<a>{}</a>", "<b></b>".repeat(Node::ELEMENTS_MAX));
        for text in
            ["", "   ", "hello", "<a>", "<a></b>", "<!DOCTYPE html><html></html>", "<a>&x;</a>"]
        {
            assert_eq!(Node::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Node::parse(deep.as_bytes()), None);
        assert_eq!(Node::parse(many.as_bytes()), None);
        assert_eq!(Node::parse(b"<a>\xff</a>"), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Node::parse(&bytes);
        }

        #[test]
        fn arbitrary_markup_never_panics(text in "[<>/&;!?a\" \\[\\]-]{0,60}") {
            let _ = Node::parse(text.as_bytes());
        }
    }
}
