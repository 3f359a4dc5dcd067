//! `/proc/PID/mountinfo` (proc_pid_mountinfo(5)) as values: which device is behind a path, and with
//! which options a file system is mounted.

use std::collections::{HashMap, HashSet};

/// A device by its two numbers, as the kernel names the file system itself: a subvolume of btrfs
/// has another number in stat(2).
pub type Device = (u32, u32);

/// The mounts that one mount namespace shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts {
    devices: HashMap<Vec<u8>, Device>,
    /// The mount points of whole file systems; at the others a part of one was mounted (a bind).
    whole: HashSet<Vec<u8>>,
}

impl Mounts {
    /// The device of the mount that a path without links is on: that of the longest mount point
    /// above it, or at it.
    pub fn device_of(&self, path: &[u8]) -> Option<Device> {
        let mut above = path;
        while !above.is_empty() {
            if let Some(device) = self.devices.get(above) {
                return Some(*device);
            }
            above = match above.iter().rposition(|&byte| byte == b'/')? {
                0 if above.len() > 1 => b"/",
                at => &above[..at],
            };
        }
        None
    }

    /// Whether a whole file system is mounted at this very path.
    pub fn has_whole(&self, path: &[u8]) -> bool {
        self.whole.contains(path)
    }

    /// How many mount points there are.
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether nothing is mounted, or nothing could be read.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }
}

/// Reads it. `root` is put before every mount point: what the reader of a link sees before the root
/// directory of the process whose mounts these are. Of mounts on one point the last one counts.
pub fn mounts(bytes: &[u8], root: &[u8]) -> Mounts {
    let root = root.strip_suffix(b"/").unwrap_or(root);
    let placed = rows(bytes).filter_map(|row| {
        let device = device(row.device)?;
        let point = match (root.is_empty(), row.point.as_slice()) {
            (true, _) => row.point,
            (false, b"/") => root.to_vec(),
            (false, point) => [root, point].concat(),
        };
        Some((point, device, row.root == b"/"))
    });
    let mut mounts = Mounts::default();
    for (point, device, whole) in placed {
        match whole {
            true => mounts.whole.insert(point.clone()),
            false => mounts.whole.remove(&point),
        };
        mounts.devices.insert(point, device);
    }
    mounts
}

/// The value of an option of the file system that is mounted on that path last, which is the one
/// that is seen: of the mount's own options and of the file system's. An option without a value has
/// an empty one.
pub fn option(bytes: &[u8], mount_point: &str, option: &str) -> Option<String> {
    let row = rows(bytes).filter(|row| row.point == mount_point.as_bytes()).last()?;
    [row.own, row.of_file_system]
        .into_iter()
        .flat_map(|words| words.split(|&byte| byte == b','))
        .find_map(|word| {
            let word = String::from_utf8_lossy(word);
            let (name, value) = word.split_once('=').unwrap_or((&word, ""));
            (name == option).then(|| value.to_owned())
        })
}

/// One mount.
struct Row<'a> {
    /// `MAJOR:MINOR`.
    device: &'a [u8],
    /// What of the file system is mounted: `/` is all of it.
    root: &'a [u8],
    /// Where it is mounted.
    point: Vec<u8>,
    /// The mount's own options, with a comma between them.
    own: &'a [u8],
    /// Those of the file system; empty where the line is cut off.
    of_file_system: &'a [u8],
}

fn rows(bytes: &[u8]) -> impl Iterator<Item = Row<'_>> {
    bytes.split(|&byte| byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|&byte| byte == b' ');
        let (device, root, point) = (fields.nth(2)?, fields.next()?, fields.next()?);
        let own = fields.next().unwrap_or_default();
        // A lone dash ends the fields that there may be any number of.
        let of_file_system = fields.skip_while(|&field| field != b"-").nth(3).unwrap_or_default();
        Some(Row { device, root, point: unescaped(point), own, of_file_system })
    })
}

fn device(text: &[u8]) -> Option<Device> {
    let (major, minor) = std::str::from_utf8(text).ok()?.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Blanks, newlines and backslashes stand there as `\040` and so on (`mangle` in fs/proc_namespace.c).
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = (byte == b'\\')
            .then(|| after.get(..3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        plain.push(octal.unwrap_or(byte));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 27 0:40 / /mnt rw - tmpfs none rw
32 31 0:41 / /mnt/my\\040disk rw - tmpfs none rw
33 31 0:42 / /mnt rw - tmpfs none rw
garbage
34 31 x:y / /bad rw - tmpfs none rw
35 27 0:50 /hosts /etc/hosts rw - overlay none rw
";

    #[test]
    fn the_longest_mount_point_counts_and_the_last_of_those_on_one_point() {
        let mounts = mounts(TABLE, b"/");
        for (path, want) in [
            ("/", Some((254, 0))),
            ("/etc/passwd", Some((254, 0))),
            ("/etc/hosts", Some((0, 50))),
            ("/etc/hosts2", Some((254, 0))),
            ("/mnt", Some((0, 42))),
            ("/mnt/x", Some((0, 42))),
            ("/mnt/my disk/x", Some((0, 41))),
            ("/mntx", Some((254, 0))),
            ("/bad", Some((254, 0))),
            ("/proc/1/exe", Some((0, 21))),
        ] {
            assert_eq!(mounts.device_of(path.as_bytes()), want, "{path}");
        }
        assert_eq!(mounts.len(), 5);
        assert!(mounts.has_whole(b"/mnt") && mounts.has_whole(b"/"));
        assert!(!mounts.has_whole(b"/etc/hosts") && !mounts.has_whole(b"/etc"));
    }

    #[test]
    fn a_changed_root_stands_before_every_point() {
        let mounts = mounts(TABLE, b"/srv/jail");
        assert_eq!(mounts.device_of(b"/srv/jail"), Some((254, 0)));
        assert_eq!(mounts.device_of(b"/srv/jail/mnt/x"), Some((0, 42)));
        assert_eq!(mounts.device_of(b"/etc/passwd"), None);
    }

    #[test]
    fn nothing_is_nowhere() {
        assert!(mounts(b"", b"/").is_empty());
        assert_eq!(mounts(b"", b"/").device_of(b"/a"), None);
        assert_eq!(mounts(TABLE, b"/").device_of(b""), None);
        assert_eq!(unescaped(b"a\\04"), b"a\\04");
        assert_eq!(unescaped(b"\\134x\\999"), b"\\x\\999");
    }

    const OPTIONS: &[u8] = b"\
22 28 0:20 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n\
23 28 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw\n\
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard\n\
90 28 0:21 / /proc rw,relatime - proc proc rw,gid=5,hidepid=invisible\n\
broken\n\
91 28 0:50 / /mnt";

    #[test]
    fn the_last_mount_is_the_one_that_counts() {
        assert_eq!(option(OPTIONS, "/proc", "hidepid").as_deref(), Some("invisible"));
        assert_eq!(option(OPTIONS, "/proc", "gid").as_deref(), Some("5"));
        assert_eq!(option(OPTIONS, "/proc", "nosuid"), None);
        assert_eq!(option(OPTIONS, "/sys", "nosuid").as_deref(), Some(""));
    }

    #[test]
    fn what_is_not_there_or_cut_off_has_none() {
        assert_eq!(option(OPTIONS, "/nowhere", "hidepid"), None);
        assert_eq!(option(OPTIONS, "/mnt", "rw"), None);
        assert_eq!(option(b"", "/proc", "hidepid"), None);
        assert_eq!(option(b"\xff\xfe 1 2 3 /proc", "/proc", "hidepid"), None);
    }
}
