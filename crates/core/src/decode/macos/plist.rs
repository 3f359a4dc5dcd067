//! Property lists, as launchd's jobs are written in: XML and Apple's binary form
//! (`CFBinaryPList.c` of CoreFoundation, plist(5)). What no job needs (dates, data, real numbers)
//! is read over. A crate for them would bring an XML parser, base64 and dates along.

/// The largest file that is read, in bytes: no job of a person has more.
pub const LONGEST: usize = 1 << 20;
/// How deep values may be in one another.
const DEEPEST: usize = 32;
/// How many values a file may have: a binary one can name one value many times.
const MOST: usize = 10_000;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Values by name, in the file's order.
    Dict(Vec<(String, Self)>),
    /// Values in order.
    Array(Vec<Self>),
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Bool(bool),
    /// Something that is not read.
    Other,
}

impl Value {
    /// The value of that name, in a dictionary.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Dict(entries) => {
                entries.iter().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The value that a file is; `None` where it is neither form, breaks off, or is deeper or larger
/// than any that a person made.
pub fn parse(bytes: &[u8]) -> Option<Value> {
    if bytes.len() > LONGEST {
        return None;
    }
    match bytes.strip_prefix(b"bplist") {
        Some(_) => Binary::new(bytes)?.value(Binary::new(bytes)?.top, 0, &mut 0),
        None => Xml { rest: std::str::from_utf8(bytes).ok()?, count: 0 }.document(),
    }
}

/// A binary list: a head, values, a table of where they are, and 32 bytes about that table.
struct Binary<'a> {
    bytes: &'a [u8],
    /// How many bytes a place in the table has, and a reference to a value.
    place: usize,
    reference: usize,
    count: usize,
    top: usize,
    table: usize,
}

impl<'a> Binary<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        const TRAILER: usize = 32;
        let trailer = &bytes[bytes.len().checked_sub(TRAILER)?..];
        let number = |at: usize| usize::try_from(big(&trailer[at..at + 8])).ok();
        let found = Self {
            bytes,
            place: usize::from(trailer[6]),
            reference: usize::from(trailer[7]),
            count: number(8)?,
            top: number(16)?,
            table: number(24)?,
        };
        let sane = (1..=8).contains(&found.place) && (1..=8).contains(&found.reference);
        sane.then_some(found)
    }

    /// The value of that number.
    fn value(&self, number: usize, depth: usize, made: &mut usize) -> Option<Value> {
        *made += 1;
        if number >= self.count || depth > DEEPEST || *made > MOST {
            return None;
        }
        let at = self.table.checked_add(number.checked_mul(self.place)?)?;
        let at = usize::try_from(big(self.slice(at, self.place)?)).ok()?;
        let marker = *self.bytes.get(at)?;
        let (kind, low) = (marker >> 4, usize::from(marker & 0xf));
        let at = at + 1;
        match kind {
            0x0 => Some(match low {
                8 => Value::Bool(false),
                9 => Value::Bool(true),
                _ => Value::Other,
            }),
            0x1 => {
                let bytes = self.slice(at, 1_usize.checked_shl(u32::try_from(low).ok()?)?)?;
                // 16 bytes are a number beyond what any job has.
                let number = (bytes.len() <= 8).then(|| big(bytes));
                Some(number.map_or(Value::Other, |number| Value::Integer(number.cast_signed())))
            }
            0x5 => {
                let (length, at) = self.length(low, at)?;
                let text = String::from_utf8_lossy(self.slice(at, length)?);
                Some(Value::Text(text.into_owned()))
            }
            0x6 => {
                let (length, at) = self.length(low, at)?;
                let (units, _) = self.slice(at, length.checked_mul(2)?)?.as_chunks::<2>();
                let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
                let text = char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}'));
                Some(Value::Text(text.collect()))
            }
            0xa => {
                let (length, at) = self.length(low, at)?;
                let items = (0..length).map(|item| {
                    let number = self.reference(at, item)?;
                    self.value(number, depth + 1, made)
                });
                items.collect::<Option<Vec<Value>>>().map(Value::Array)
            }
            0xd => {
                let (length, at) = self.length(low, at)?;
                let entries = (0..length).map(|item| {
                    let key = self.value(self.reference(at, item)?, depth + 1, made)?;
                    let value = self.reference(at, length.checked_add(item)?)?;
                    let value = self.value(value, depth + 1, made)?;
                    Some((key.text()?.to_owned(), value))
                });
                entries.collect::<Option<Vec<(String, Value)>>>().map(Value::Dict)
            }
            _ => Some(Value::Other),
        }
    }

    fn slice(&self, at: usize, length: usize) -> Option<&'a [u8]> {
        self.bytes.get(at..at.checked_add(length)?)
    }

    /// A length, and where what it counts begins: lengths from 15 on are a number of their own.
    fn length(&self, low: usize, at: usize) -> Option<(usize, usize)> {
        const LONG: usize = 0xf;
        if low != LONG {
            return Some((low, at));
        }
        let marker = *self.bytes.get(at)?;
        let size = 1_usize.checked_shl(u32::from(marker & 0xf))?;
        let number = self.slice(at + 1, size).filter(|bytes| bytes.len() <= 8)?;
        Some((usize::try_from(big(number)).ok()?, at + 1 + size))
    }

    fn reference(&self, at: usize, item: usize) -> Option<usize> {
        let at = at.checked_add(item.checked_mul(self.reference)?)?;
        usize::try_from(big(self.slice(at, self.reference)?)).ok()
    }
}

/// A big-endian number of at most eight bytes.
fn big(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// A list in XML. Only what `plutil` and people write: no elements but those of plist(5).
struct Xml<'a> {
    rest: &'a str,
    count: usize,
}

impl<'a> Xml<'a> {
    fn document(mut self) -> Option<Value> {
        match self.tag()? {
            Tag::Open("plist") => {}
            _ => return None,
        }
        let first = self.tag()?;
        self.value(first, 0)
    }

    /// The value that this tag begins.
    fn value(&mut self, tag: Tag<'a>, depth: usize) -> Option<Value> {
        self.count += 1;
        if depth > DEEPEST || self.count > MOST {
            return None;
        }
        match tag {
            Tag::Whole("true") => Some(Value::Bool(true)),
            Tag::Whole("false") => Some(Value::Bool(false)),
            Tag::Whole("string") => Some(Value::Text(String::new())),
            Tag::Whole("dict") => Some(Value::Dict(Vec::new())),
            Tag::Whole("array") => Some(Value::Array(Vec::new())),
            Tag::Open("string") => self.text("string").map(Value::Text),
            Tag::Open("integer") => Some(integer(self.text("integer")?.trim())),
            Tag::Open(name @ ("true" | "false")) => {
                self.text(name)?;
                Some(Value::Bool(name == "true"))
            }
            Tag::Open("array") => {
                let mut items = Vec::new();
                loop {
                    match self.tag()? {
                        Tag::Close("array") => return Some(Value::Array(items)),
                        tag => items.push(self.value(tag, depth + 1)?),
                    }
                }
            }
            Tag::Open("dict") => {
                let mut entries = Vec::new();
                loop {
                    match self.tag()? {
                        Tag::Close("dict") => return Some(Value::Dict(entries)),
                        Tag::Open("key") => {
                            let key = self.text("key")?;
                            let tag = self.tag()?;
                            entries.push((key, self.value(tag, depth + 1)?));
                        }
                        _ => return None,
                    }
                }
            }
            Tag::Open(name @ ("data" | "date" | "real")) => {
                self.text(name)?;
                Some(Value::Other)
            }
            Tag::Open(_) | Tag::Close(_) | Tag::Whole(_) => None,
        }
    }

    /// The next tag, past text, comments, and what stands before the first one.
    fn tag(&mut self) -> Option<Tag<'a>> {
        loop {
            let (_, rest) = self.rest.split_once('<')?;
            if let Some(comment) = rest.strip_prefix("!--") {
                self.rest = comment.split_once("-->")?.1;
                continue;
            }
            let (inside, after) = rest.split_once('>')?;
            self.rest = after;
            if inside.starts_with(['?', '!']) {
                continue;
            }
            if let Some(name) = inside.strip_prefix('/') {
                return Some(Tag::Close(name.trim()));
            }
            let whole = inside.strip_suffix('/');
            let name = whole.unwrap_or(inside).split_ascii_whitespace().next()?;
            return Some(if whole.is_some() { Tag::Whole(name) } else { Tag::Open(name) });
        }
    }

    /// The text up to the end of that element.
    fn text(&mut self, name: &str) -> Option<String> {
        let (raw, rest) = self.rest.split_once('<')?;
        if let Some(section) = rest.strip_prefix("![CDATA[") {
            let (data, after) = section.split_once("]]>")?;
            self.rest = after;
            let before = unescaped(raw);
            return Some(before + data + &self.text(name)?);
        }
        let closed = rest.strip_prefix('/')?.trim_start().strip_prefix(name)?;
        self.rest = closed.split_once('>')?.1;
        Some(unescaped(raw))
    }
}

enum Tag<'a> {
    Open(&'a str),
    Close(&'a str),
    Whole(&'a str),
}

fn integer(text: &str) -> Value {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number = match hexadecimal {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_or(Value::Other, Value::Integer)
}

/// The five entities of XML and characters by number; what is none of them stays as it is.
fn unescaped(text: &str) -> String {
    let mut found = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        found.push_str(before);
        let entity = after.split_once(';').and_then(|(name, rest)| Some((entity(name)?, rest)));
        match entity {
            Some((character, after)) => {
                found.push(character);
                rest = after;
            }
            None => {
                found.push('&');
                rest = after;
            }
        }
    }
    found + rest
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(number.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>homebrew.mxcl.postgresql@16</string>
	<!-- a <comment> -->
	<key>KeepAlive</key><true/>
	<key>ProgramArguments</key>
	<array><string>/bin/a &amp; b</string><string/><integer> 0x10 </integer></array>
	<key>Weird</key><data>AAAA</data>
</dict>
</plist>"#;

    #[test]
    fn xml_is_read() {
        let value = parse(XML.as_bytes()).unwrap();
        assert_eq!(value.get("Label").and_then(Value::text), Some("homebrew.mxcl.postgresql@16"));
        assert_eq!(value.get("KeepAlive"), Some(&Value::Bool(true)));
        let words = ["/bin/a & b", ""].map(|word| Value::Text(word.to_owned()));
        let [first, second] = words;
        let array = Value::Array(vec![first, second, Value::Integer(16)]);
        assert_eq!(value.get("ProgramArguments"), Some(&array));
        assert_eq!(value.get("Weird"), Some(&Value::Other));
        assert_eq!(value.get("None"), None);
    }

    #[test]
    fn text_has_its_entities_and_sections() {
        let text = |inner: &str| {
            let file = format!("<plist><string>{inner}</string></plist>");
            parse(file.as_bytes()).and_then(|value| value.text().map(str::to_owned))
        };
        assert_eq!(text("&#65;&#x42;&lt;&bogus;&").as_deref(), Some("AB<&bogus;&"));
        assert_eq!(text("a<![CDATA[<b>]]>c").as_deref(), Some("a<b>c"));
        assert_eq!(text("<b/>"), None);
    }

    #[test]
    fn xml_that_breaks_off_is_none() {
        let end = XML.find("</dict>").unwrap();
        for length in 0..end {
            assert_eq!(parse(&XML.as_bytes()[..length]), None, "{length}");
        }
        let deep = format!("<plist>{}{}</plist>", "<array>".repeat(40), "</array>".repeat(40));
        assert_eq!(parse(deep.as_bytes()), None);
    }

    /// `{"Label": "a", "KeepAlive": true, "Ports": [80, "é"]}` as plutil writes it.
    fn binary() -> Vec<u8> {
        let objects: [&[u8]; 9] = [
            b"\xd3\x01\x02\x03\x04\x05\x06",
            b"\x55Label",
            b"\x59KeepAlive",
            b"\x55Ports",
            b"\x51a",
            b"\x09",
            b"\xa2\x07\x08",
            b"\x10\x50",
            b"\x61\x00\xe9",
        ];
        let mut bytes = b"bplist00".to_vec();
        let mut table = Vec::new();
        for object in objects {
            table.push(u8::try_from(bytes.len()).unwrap());
            bytes.extend_from_slice(object);
        }
        let start = bytes.len() as u64;
        bytes.extend_from_slice(&table);
        bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 1, 1]);
        bytes.extend_from_slice(&9_u64.to_be_bytes());
        bytes.extend_from_slice(&0_u64.to_be_bytes());
        bytes.extend_from_slice(&start.to_be_bytes());
        bytes
    }

    #[test]
    fn binary_is_read() {
        let value = parse(&binary()).unwrap();
        assert_eq!(value.get("Label").and_then(Value::text), Some("a"));
        assert_eq!(value.get("KeepAlive"), Some(&Value::Bool(true)));
        let ports = Value::Array(vec![Value::Integer(80), Value::Text("é".to_owned())]);
        assert_eq!(value.get("Ports"), Some(&ports));
    }

    #[test]
    fn a_binary_that_holds_itself_is_none() {
        let mut bytes = binary();
        let at = bytes.windows(3).position(|window| window == b"\xa2\x07\x08").unwrap();
        bytes[at + 1] = 6;
        assert_eq!(parse(&bytes), None);
        for length in 0..bytes.len() {
            let _ = parse(&bytes[..length]);
        }
        assert_eq!(parse(b"bplist00"), None);
        assert_eq!(parse(&vec![b' '; LONGEST + 1]), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
            let _ = parse(&[b"bplist00".to_vec(), bytes.clone()].concat());
            let _ = parse(&[b"<plist>".to_vec(), bytes].concat());
        }

        #[test]
        fn damaged_binaries_do_not_panic(at in 0_usize..200, byte: u8) {
            let mut bytes = binary();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = parse(&bytes);
        }
    }
}
