//! The numbers of the system calls in which processes get stuck, by name
//! (`arch/x86/entry/syscalls/syscall_64.tbl`, `include/uapi/asm-generic/unistd.h`).

/// Number, name, and whether the first argument is a descriptor.
type Row = (u64, &'static str, bool);

#[cfg(target_arch = "x86_64")]
const CALLS: &[Row] = &[
    (0, "read", true),
    (1, "write", true),
    (2, "open", false),
    (3, "close", true),
    (4, "stat", false),
    (5, "fstat", true),
    (6, "lstat", false),
    (11, "munmap", false),
    (16, "ioctl", true),
    (17, "pread64", true),
    (18, "pwrite64", true),
    (19, "readv", true),
    (20, "writev", true),
    (21, "access", false),
    (40, "sendfile", true),
    (56, "clone", false),
    (58, "vfork", false),
    (59, "execve", false),
    (72, "fcntl", true),
    (73, "flock", true),
    (74, "fsync", true),
    (75, "fdatasync", true),
    (76, "truncate", false),
    (77, "ftruncate", true),
    (82, "rename", false),
    (83, "mkdir", false),
    (84, "rmdir", false),
    (87, "unlink", false),
    (137, "statfs", false),
    (162, "sync", false),
    (165, "mount", false),
    (166, "umount2", false),
    (217, "getdents64", true),
    (257, "openat", false),
    (262, "newfstatat", false),
    (263, "unlinkat", false),
    (285, "fallocate", true),
    (306, "syncfs", true),
    (316, "renameat2", false),
    (332, "statx", false),
    (435, "clone3", false),
];

#[cfg(target_arch = "aarch64")]
const CALLS: &[Row] = &[
    (25, "fcntl", true),
    (29, "ioctl", true),
    (32, "flock", true),
    (34, "mkdirat", false),
    (35, "unlinkat", false),
    (39, "umount2", false),
    (40, "mount", false),
    (43, "statfs", false),
    (45, "truncate", false),
    (46, "ftruncate", true),
    (47, "fallocate", true),
    (48, "faccessat", false),
    (56, "openat", false),
    (57, "close", true),
    (61, "getdents64", true),
    (63, "read", true),
    (64, "write", true),
    (65, "readv", true),
    (66, "writev", true),
    (67, "pread64", true),
    (68, "pwrite64", true),
    (71, "sendfile", true),
    (79, "newfstatat", false),
    (80, "fstat", true),
    (81, "sync", false),
    (82, "fsync", true),
    (83, "fdatasync", true),
    (215, "munmap", false),
    (220, "clone", false),
    (221, "execve", false),
    (267, "syncfs", true),
    (276, "renameat2", false),
    (291, "statx", false),
    (435, "clone3", false),
];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const CALLS: &[Row] = &[];

fn row(number: u64) -> Option<&'static Row> {
    CALLS.iter().find(|(own, ..)| *own == number)
}

/// The name of a system call, where it is one of these and this processor's numbers are known.
pub fn name(number: u64) -> Option<&'static str> {
    row(number).map(|(_, name, _)| *name)
}

/// Whether its first argument is known to be a descriptor.
pub fn is_about_descriptor(number: u64) -> bool {
    row(number).is_some_and(|(.., descriptor)| *descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_and_name_stands_there_once() {
        for (at, (number, name, _)) in CALLS.iter().enumerate() {
            let same = |(other, word, _): &&Row| other == number || word == name;
            assert_eq!(CALLS.iter().filter(same).count(), 1, "{number} {name}");
            assert!(at == 0 || CALLS[at - 1].0 < *number, "{name} is out of order");
        }
        assert_eq!(name(100_000), None);
        assert!(!is_about_descriptor(100_000));
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[test]
    fn calls_about_descriptors() {
        let number = |wanted: &str| CALLS.iter().find(|(_, name, _)| *name == wanted).unwrap().0;
        assert!(is_about_descriptor(number("read")));
        assert!(!is_about_descriptor(number("openat")));
        assert_eq!(name(number("clone")), Some("clone"));
    }
}
