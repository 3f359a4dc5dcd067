//! What a process of Windows keeps of itself in its own memory (RTL_USER_PROCESS_PARAMETERS, which the
//! process environment block points to): its directory, its command line, its environment. The places
//! are those since Vista, of 64-bit programs and of 32-bit ones on a 64-bit Windows, which has a block
//! of each kind for those (winternl.h names some; the rest are in Microsoft's public symbols).

/// Where things are, by the width of the program's pointers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Octets of a pointer.
    width: u64,
    /// PEB.ProcessParameters.
    parameters: u64,
    /// CurrentDirectory.DosPath.
    directory: u64,
    /// CommandLine.
    command_line: u64,
    /// Environment.
    environment: u64,
    /// EnvironmentSize, in octets.
    environment_size: u64,
}

/// Of a 64-bit program.
pub const WIDE: Places = Places {
    width: 8,
    parameters: 0x20,
    directory: 0x38,
    command_line: 0x70,
    environment: 0x80,
    environment_size: 0x3f0,
};

/// Of a 32-bit program.
pub const NARROW: Places = Places {
    width: 4,
    parameters: 0x10,
    directory: 0x24,
    command_line: 0x40,
    environment: 0x48,
    environment_size: 0x290,
};

/// The longest environment that is read, in octets: more than anybody's.
const MOST: u64 = 4 << 20;

/// The memory of a process: that many octets at an address, or nothing.
pub trait Memory: Fn(u64, usize) -> Option<Vec<u8>> {}

impl<T: Fn(u64, usize) -> Option<Vec<u8>>> Memory for T {}

/// The parameters of one process, read through its memory.
pub struct Parameters<R> {
    read: R,
    places: Places,
    at: u64,
}

impl<R: Memory> Parameters<R> {
    /// Those that the block at this address points to; `None` where it cannot be read, or points
    /// nowhere.
    pub fn of(block: u64, places: Places, read: R) -> Option<Self> {
        let this = Self { read, places, at: 0 };
        let at = this.number(block.checked_add(places.parameters)?)?;
        (at != 0).then_some(Self { at, ..this })
    }

    /// The current directory, in UTF-16, without the backslash that it ends in.
    pub fn directory(&self) -> Option<Vec<u16>> {
        const BACKSLASH: u16 = 0x5c;
        let mut path = self.string(self.places.directory)?;
        while path.len() > 3 && path.last() == Some(&BACKSLASH) {
            path.pop();
        }
        Some(path)
    }

    /// The command line, in UTF-16.
    pub fn command_line(&self) -> Option<Vec<u16>> {
        self.string(self.places.command_line)
    }

    /// The environment, in UTF-16: `NAME=value`, each ended by a zero; `None` where it is longer than
    /// anybody's.
    pub fn environment(&self) -> Option<Vec<u16>> {
        let start = self.number(self.at.checked_add(self.places.environment)?)?;
        let size = self.number(self.at.checked_add(self.places.environment_size)?)?;
        self.units(start, Some(size).filter(|size| *size <= MOST)?)
    }

    /// A UNICODE_STRING at that offset: its length in octets in the first 16 bits, and after that,
    /// at a pointer's alignment, where it is.
    fn string(&self, offset: u64) -> Option<Vec<u16>> {
        let at = self.at.checked_add(offset)?;
        let length = self.number(at)? & 0xffff;
        let start = self.number(at.checked_add(self.places.width)?)?;
        self.units(start, length).filter(|text| !text.is_empty())
    }

    fn units(&self, start: u64, octets: u64) -> Option<Vec<u16>> {
        let octets = self.read(start, octets & !1)?;
        Some(octets.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect())
    }

    /// A pointer, or a number of that width.
    fn number(&self, at: u64) -> Option<u64> {
        let octets = self.read(at, self.places.width)?;
        Some(octets.iter().rev().fold(0, |number, &octet| number << 8 | u64::from(octet)))
    }

    fn read(&self, at: u64, length: u64) -> Option<Vec<u8>> {
        let length = usize::try_from(length).ok()?;
        (self.read)(at, length).filter(|octets| octets.len() == length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process whose memory begins at 0x1000, with its block there.
    fn memory(places: Places) -> Vec<u8> {
        let mut memory = vec![0_u8; 0x1000];
        let mut put = |at: u64, octets: &[u8]| {
            let at = usize::try_from(at).unwrap();
            memory[at..at + octets.len()].copy_from_slice(octets);
        };
        let width = usize::try_from(places.width).unwrap();
        let number = |value: u64| value.to_le_bytes()[..width].to_vec();
        let text = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        put(places.parameters, &number(0x1200));
        for (offset, start, words) in
            [(places.directory, 0x800, r"C:\web\"), (places.command_line, 0x900, "node.exe ä.js")]
        {
            let octets = text(words);
            // Length, MaximumLength, and rubbish where a 64-bit structure has a gap.
            let length = u16::try_from(octets.len()).unwrap().to_le_bytes();
            put(0x200 + offset, &[length, length].concat());
            put(0x200 + offset + places.width, &number(0x1000 + start));
            put(start, &octets);
        }
        let environment = text("A=1\0B=\0\0");
        put(0x200 + places.environment, &number(0x1a00));
        put(0x200 + places.environment_size, &number(environment.len() as u64));
        put(0xa00, &environment);
        memory
    }

    fn reader(memory: &[u8]) -> impl Fn(u64, usize) -> Option<Vec<u8>> + '_ {
        move |at, length| {
            let start = usize::try_from(at.checked_sub(0x1000)?).ok()?;
            memory.get(start..start.checked_add(length)?).map(<[u8]>::to_vec)
        }
    }

    fn text(units: Option<Vec<u16>>) -> String {
        String::from_utf16(&units.unwrap()).unwrap()
    }

    #[test]
    fn programs_of_either_width_tell_the_same() {
        for places in [WIDE, NARROW] {
            let memory = memory(places);
            let found = Parameters::of(0x1000, places, reader(&memory)).unwrap();
            assert_eq!(text(found.directory()), r"C:\web");
            assert_eq!(text(found.command_line()), "node.exe ä.js");
            assert_eq!(text(found.environment()), "A=1\0B=\0\0");
        }
    }

    #[test]
    fn a_root_keeps_its_backslash() {
        let mut memory = memory(WIDE);
        memory[0x238..0x23a].copy_from_slice(&6_u16.to_le_bytes());
        let found = Parameters::of(0x1000, WIDE, reader(&memory)).unwrap();
        assert_eq!(text(found.directory()), r"C:\");
    }

    #[test]
    fn what_cannot_be_read_or_be_true_is_nothing() {
        assert!(Parameters::of(0x1000, WIDE, |_, _| None).is_none());
        assert!(Parameters::of(u64::MAX, WIDE, |_, _| Some(vec![0; 8])).is_none());
        assert!(Parameters::of(0x1000, WIDE, |_, length| Some(vec![0; length])).is_none());
        // Fewer octets than asked for.
        assert!(Parameters::of(0x1000, WIDE, |_, _| Some(vec![1])).is_none());
        for places in [WIDE, NARROW] {
            let whole = memory(places);
            // An environment without an end, and strings that lead out of the memory.
            let mut wild = whole.clone();
            for octet in &mut wild[0x200..0x700] {
                *octet = 0xff;
            }
            let found = Parameters::of(0x1000, places, reader(&wild)).unwrap();
            assert_eq!(
                (found.directory(), found.command_line(), found.environment()),
                (None, None, None)
            );
            for end in 0..whole.len() {
                let cut = &whole[..end];
                if let Some(found) = Parameters::of(0x1000, places, reader(cut)) {
                    let _ = (found.directory(), found.command_line(), found.environment());
                }
            }
        }
    }
}
