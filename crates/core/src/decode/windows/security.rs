//! Who may do what with a file, a directory or a named object: security descriptors in their
//! self-relative form ([MS-DTYP] 2.4.6), read and made. Windows takes and gives these bytes; what a
//! descriptor has to say before it is trusted is decided here too.

/// A user, a group, or a set of everybody ([MS-DTYP] 2.4.2): as its bytes, which have one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sid(Vec<u8>);

/// The longest: fifteen numbers (SID_MAX_SUB_AUTHORITIES).
const MOST_NUMBERS: u8 = 15;

impl Sid {
    /// The one at the beginning of these bytes; `None` where they are none, or cut.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (&revision, &numbers) = (bytes.first()?, bytes.get(1)?);
        let length = 8 + 4 * usize::from(numbers);
        let whole = revision == 1 && numbers <= MOST_NUMBERS;
        bytes.get(..length).filter(|_| whole).map(|own| Self(own.to_vec()))
    }

    /// `S-1-AUTHORITY-NUMBER-…`.
    fn of(authority: u8, numbers: &[u32]) -> Self {
        let count = u8::try_from(numbers.len()).unwrap_or(MOST_NUMBERS).min(MOST_NUMBERS);
        let mut bytes = vec![1, count, 0, 0, 0, 0, 0, authority];
        bytes.extend(numbers.iter().take(count.into()).flat_map(|number| number.to_le_bytes()));
        Self(bytes)
    }

    /// Everybody (`S-1-1-0`).
    pub fn everyone() -> Self {
        Self::of(1, &[0])
    }

    /// The system itself (`S-1-5-18`).
    pub fn system() -> Self {
        Self::of(5, &[18])
    }

    /// The group of administrators (`S-1-5-32-544`), which owns what its elevated members make.
    pub fn administrators() -> Self {
        Self::of(5, &[32, 544])
    }

    /// The last number, by which a machine or a domain knows its user.
    pub fn last(&self) -> Option<u32> {
        let (_, last) = self.0.get(8..)?.split_last_chunk()?;
        Some(u32::from_le_bytes(*last))
    }

    /// Whether it may do everything on a machine anyway: the system, its administrators, and its
    /// installer (`S-1-5-80-956008885-…`).
    pub fn is_of_the_machine(&self) -> bool {
        const INSTALLER: [u32; 6] =
            [80, 956_008_885, 3_418_522_649, 1_831_038_044, 1_853_292_631, 2_271_478_464];
        [Self::system(), Self::administrators(), Self::of(5, &INSTALLER)].contains(self)
    }

    /// Whether it stands for whoever owns the thing itself: CREATOR OWNER and OWNER RIGHTS
    /// (`S-1-3-0`, `S-1-3-4`).
    fn is_the_owner(&self) -> bool {
        [Self::of(3, &[0]), Self::of(3, &[4])].contains(self)
    }
}

/// Rights to read what is in a file or directory: its data, or everything.
pub const TO_READ: u32 = 0x1 | 0x8000_0000 | 0x1000_0000;
/// Rights to change it: its data (of a directory: new files and directories), its children's end, its
/// own end, who may what, whose it is; or everything.
pub const TO_CHANGE: u32 =
    0x2 | 0x4 | 0x40 | 0x1_0000 | 0x4_0000 | 0x8_0000 | 0x4000_0000 | 0x1000_0000;

/// Whose a thing is, and who may do what with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The owner.
    pub owner: Option<Sid>,
    /// Who may; `None` where there is no list, so that everybody may do everything.
    pub allowed: Option<Vec<Allowed>>,
}

/// One line of the list that gives rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// To whom; `None` for a line of a form that is not read here.
    pub to: Option<Sid>,
    /// Which.
    pub rights: u32,
    /// How it is handed on to what is made inside ([MS-DTYP] 2.4.4.1).
    pub flags: u8,
}

impl Allowed {
    /// Only for what is made inside (INHERIT_ONLY_ACE).
    const ONLY_INSIDE: u8 = 0x08;
    /// For files and directories made inside too (OBJECT_INHERIT_ACE, CONTAINER_INHERIT_ACE).
    pub const INSIDE_TOO: u8 = 0x03;

    /// Rights to one, handed on to everything inside.
    pub const fn inside_too(to: Sid, rights: u32) -> Self {
        Self { to: Some(to), rights, flags: Self::INSIDE_TOO }
    }

    /// Rights to one, for the thing alone.
    pub const fn alone(to: Sid, rights: u32) -> Self {
        Self { to: Some(to), rights, flags: 0 }
    }
}

impl Descriptor {
    /// Reads one; `None` where the bytes are none or cut.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        const PRESENT: u16 = 0x0004;
        const SELF_RELATIVE: u16 = 0x8000;
        let control = u16_at(bytes, 2)?;
        if bytes.first() != Some(&1) || control & SELF_RELATIVE == 0 {
            return None;
        }
        let owner = match u32_at(bytes, 4)? {
            0 => None,
            at => Some(Sid::read(bytes.get(usize::try_from(at).ok()?..)?)?),
        };
        let allowed = match u32_at(bytes, 16)? {
            at if at != 0 && control & PRESENT != 0 => {
                Some(list(bytes.get(usize::try_from(at).ok()?..)?)?)
            }
            _ => None,
        };
        Some(Self { owner, allowed })
    }

    /// Whether it is that user's, or of those who may do everything here anyway.
    pub fn is_owned_by(&self, user: &Sid) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner == user || owner.is_of_the_machine())
    }

    /// Whether anybody else than that user, and those who may do everything anyway, has one of these
    /// rights. Lines that deny are not counted: they can only take.
    pub fn others_may(&self, user: &Sid, rights: u32) -> bool {
        let trusted = |sid: &Sid| sid == user || sid.is_of_the_machine() || sid.is_the_owner();
        self.allowed.as_ref().is_none_or(|lines| {
            lines.iter().any(|line| {
                line.flags & Allowed::ONLY_INSIDE == 0
                    && line.rights & rights != 0
                    && !line.to.as_ref().is_some_and(trusted)
            })
        })
    }
}

/// The bytes of a descriptor that gives these rights and no others, and takes none from where the
/// thing is made.
pub fn protected(lines: &[Allowed]) -> Vec<u8> {
    /// SE_SELF_RELATIVE, SE_DACL_PROTECTED, SE_DACL_PRESENT.
    const CONTROL: u16 = 0x8000 | 0x1000 | 0x0004;
    const HEAD: u32 = 20;
    let mut entries: Vec<u8> = Vec::new();
    let mut count: u16 = 0;
    for line in lines {
        let Some(Sid(sid)) = &line.to else { continue };
        let size = u16::try_from(8 + sid.len()).unwrap_or(u16::MAX);
        entries.extend([ALLOW, line.flags]);
        entries.extend(size.to_le_bytes());
        entries.extend(line.rights.to_le_bytes());
        entries.extend(sid);
        count += 1;
    }
    let size = u16::try_from(8 + entries.len()).unwrap_or(u16::MAX);
    let mut bytes = vec![1, 0];
    bytes.extend(CONTROL.to_le_bytes());
    // No owner and no group: whoever makes it. No list of what is audited.
    bytes.extend([0; 12]);
    bytes.extend(HEAD.to_le_bytes());
    bytes.extend([2, 0]);
    bytes.extend(size.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(entries);
    bytes
}

/// ACCESS_ALLOWED_ACE_TYPE.
const ALLOW: u8 = 0;
/// What denies, audits, or is a label: none of it gives a right ([MS-DTYP] 2.4.4.1).
const GIVES_NOTHING: [u8; 12] =
    [0x01, 0x02, 0x03, 0x06, 0x07, 0x0a, 0x0c, 0x0d, 0x0f, 0x11, 0x12, 0x13];

fn list(bytes: &[u8]) -> Option<Vec<Allowed>> {
    let size = usize::from(u16_at(bytes, 2)?);
    let count = u16_at(bytes, 4)?;
    let mut rest = bytes.get(8..size)?;
    let mut lines = Vec::new();
    for _ in 0..count {
        let size = usize::from(u16_at(rest, 2)?);
        let line = rest.get(..size).filter(|line| line.len() >= 8)?;
        let (kind, flags) = (line[0], line[1]);
        if !GIVES_NOTHING.contains(&kind) {
            // Lines of other forms have their SID elsewhere: whom they are for is not read.
            let to = if kind == ALLOW { Some(Sid::read(line.get(8..)?)?) } else { None };
            lines.push(Allowed { to, rights: u32_at(line, 4)?, flags });
        }
        rest = rest.get(size..)?;
    }
    Some(lines)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: u32 = 0x1f_01ff;
    const LOOK: u32 = 0x12_00a9;

    fn user(number: u32) -> Sid {
        Sid::of(5, &[21, 1, 2, 3, number])
    }

    fn owned(owner: Sid, lines: Vec<Allowed>) -> Descriptor {
        Descriptor { owner: Some(owner), allowed: Some(lines) }
    }

    #[test]
    fn what_is_made_reads_back() {
        let lines = vec![
            Allowed::inside_too(user(1001), ALL),
            Allowed::inside_too(Sid::system(), ALL),
            Allowed::alone(Sid::everyone(), LOOK),
        ];
        let read = Descriptor::read(&protected(&lines)).unwrap();
        assert_eq!(read, Descriptor { owner: None, allowed: Some(lines) });
    }

    #[test]
    fn a_descriptor_as_windows_gives_it() {
        // O:S-1-5-32-544 D:(A;;FR;;;WD)(D;;FA;;;S-1-5-18), by the layout of [MS-DTYP] 2.4.6.
        let mut bytes = vec![1, 0, 0x04, 0x80];
        bytes.extend([20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 36, 0, 0, 0]);
        bytes.extend([1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0]);
        bytes.extend([2, 0, 48, 0, 2, 0, 0, 0]);
        bytes.extend([0, 0, 20, 0, 0x89, 0, 0x12, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
        bytes.extend([1, 0, 20, 0, 0xff, 1, 0x1f, 0, 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0]);
        let read = Descriptor::read(&bytes).unwrap();
        assert_eq!(read.owner, Some(Sid::administrators()));
        assert_eq!(read.allowed, Some(vec![Allowed::alone(Sid::everyone(), 0x12_0089)]));
        assert!(read.others_may(&user(1001), TO_READ) && !read.others_may(&user(1001), TO_CHANGE));
        for cut in 0..bytes.len() {
            assert_eq!(Descriptor::read(&bytes[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn others_are_all_but_the_user_and_whoever_may_do_everything_anyway() {
        let me = user(1001);
        let own = Allowed::inside_too(me.clone(), ALL);
        let may =
            |line: Allowed| owned(me.clone(), vec![own.clone(), line]).others_may(&me, TO_CHANGE);
        assert!(!may(Allowed::alone(Sid::administrators(), ALL)));
        assert!(!may(Allowed::alone(Sid::everyone(), LOOK)));
        // CREATOR OWNER, as directories hand it on.
        assert!(!may(Allowed::alone(Sid::of(3, &[0]), ALL)));
        assert!(may(Allowed::alone(user(1002), ALL)));
        // Users may make files in it, as everywhere below ProgramData.
        assert!(may(Allowed::alone(Sid::of(5, &[32, 545]), 0x2)));
        assert!(!may(Allowed { flags: 0x0b, ..Allowed::alone(Sid::everyone(), ALL) }));
        // A form that is not read may be for anybody.
        assert!(may(Allowed { to: None, rights: ALL, flags: 0 }));
        let unguarded = Descriptor { owner: Some(me.clone()), allowed: None };
        assert!(unguarded.others_may(&me, TO_READ));
    }

    #[test]
    fn the_machines_own_may_own_a_users_directory_and_nobody_else() {
        let me = user(1001);
        assert!(owned(me.clone(), Vec::new()).is_owned_by(&me));
        assert!(owned(Sid::administrators(), Vec::new()).is_owned_by(&me));
        assert!(!owned(user(1002), Vec::new()).is_owned_by(&me));
        assert!(!Descriptor { owner: None, allowed: None }.is_owned_by(&me));
        assert_eq!((me.last(), Sid::everyone().last()), (Some(1001), Some(0)));
    }

    proptest! {
        #[test]
        fn hostile_bytes_end_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(read) = Descriptor::read(&bytes) {
                let _ = (read.others_may(&user(1), TO_CHANGE), read.is_owned_by(&user(1)));
            }
            let _ = Sid::read(&bytes).and_then(|sid| sid.last());
        }
    }
}
