//! `/proc/PID/mountinfo` (proc_pid_mountinfo(5)): with which options a file system is mounted.

/// The value of an option of the file system that is mounted on that path last, which is the one
/// that is seen: of the mount's own options and of the file system's. An option without a value has
/// an empty one.
pub fn option(bytes: &[u8], mount_point: &str, option: &str) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().rev().find(|line| line.split(' ').nth(4) == Some(mount_point))?;
    let (mount, file_system) = line.split_once(" - ")?;
    let own = mount.split(' ').nth(5).unwrap_or_default();
    let of_file_system = file_system.split(' ').nth(2).unwrap_or_default();
    own.split(',').chain(of_file_system.split(',')).find_map(|word| {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        (name == option).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\
22 28 0:20 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n\
23 28 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw\n\
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard\n\
90 28 0:21 / /proc rw,relatime - proc proc rw,gid=5,hidepid=invisible\n\
broken\n\
91 28 0:50 / /mnt";

    #[test]
    fn the_last_mount_is_the_one_that_counts() {
        assert_eq!(option(TABLE, "/proc", "hidepid").as_deref(), Some("invisible"));
        assert_eq!(option(TABLE, "/proc", "gid").as_deref(), Some("5"));
        assert_eq!(option(TABLE, "/proc", "nosuid"), None);
        assert_eq!(option(TABLE, "/sys", "nosuid").as_deref(), Some(""));
    }

    #[test]
    fn what_is_not_there_or_cut_off_has_none() {
        assert_eq!(option(TABLE, "/nowhere", "hidepid"), None);
        assert_eq!(option(TABLE, "/mnt", "rw"), None);
        assert_eq!(option(b"", "/proc", "hidepid"), None);
        assert_eq!(option(b"\xff\xfe 1 2 3 /proc", "/proc", "hidepid"), None);
    }
}
