//! The kernel's list of processes with their threads (SystemProcessInformation of
//! NtQuerySystemInformation), as 64-bit Windows lays it out since Vista: what Toolhelp's list leaves
//! out. Offsets are those of `SYSTEM_PROCESS_INFORMATION` and `SYSTEM_THREAD_INFORMATION` in
//! System Informer's `ntexapi.h`; Microsoft's `winternl.h` documents the greater part.

/// A process in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number; 0 is the idle loop.
    pub pid: u32,
    /// When it was created, as a FILETIME; 0 where that is not said.
    pub created: u64,
    /// What its threads do.
    pub threads: Threads,
}

/// What the threads of a process do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// One runs, or is next.
    Running,
    /// All wait for something.
    Waiting,
    /// All are held: somebody suspended them, or Windows an app that nobody looks at.
    Suspended,
    /// There are none.
    None,
}

/// The kernel's own process, which is there from the beginning of a boot to its end.
const SYSTEM: u32 = 4;

/// The length of a process's fixed part, after which its threads are.
const PROCESS: usize = 0x100;
/// The length of a thread.
const THREAD: usize = 0x50;
/// More threads than any process has; the number is the kernel's, and this keeps it from being a
/// length by mistake.
const MOST_THREADS: usize = 1 << 20;

/// Every process of the list, as far as it is whole.
pub fn listed(bytes: &[u8]) -> Vec<Listed> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some(process) = one(rest) {
        found.push(process);
        let next = u32_at(rest, 0).and_then(|next| usize::try_from(next).ok());
        match next.filter(|next| *next >= PROCESS).and_then(|next| rest.get(next..)) {
            Some(after) => rest = after,
            None => break,
        }
    }
    found
}

/// What is the same for all of a boot and for no other: when the kernel's process was created, which no
/// clock that is set later changes. Where there is none of its number, the oldest's.
pub fn boot(list: &[Listed]) -> Option<u64> {
    let known = |process: &&Listed| process.created != 0;
    let kernel = list.iter().filter(known).find(|process| process.pid == SYSTEM);
    let oldest = || list.iter().filter(known).min_by_key(|process| process.created);
    kernel.or_else(oldest).map(|process| process.created)
}

fn one(bytes: &[u8]) -> Option<Listed> {
    let count = usize::try_from(u32_at(bytes, 4)?).ok()?.min(MOST_THREADS);
    Some(Listed {
        pid: u32::try_from(u64_at(bytes, 0x50)?).ok()?,
        created: u64_at(bytes, 0x20)?,
        threads: threads(bytes.get(PROCESS..)?, count)?,
    })
}

fn threads(bytes: &[u8], count: usize) -> Option<Threads> {
    /// KTHREAD_STATE: Ready, Running, Standby, DeferredReady.
    const ACTIVE: [u32; 4] = [1, 2, 3, 7];
    const TERMINATED: u32 = 4;
    const WAITING: u32 = 5;
    /// KWAIT_REASON: Suspended, WrSuspended.
    const SUSPENDED: [u32; 2] = [5, 12];
    let mut all = Threads::None;
    for at in 0..count {
        let thread = bytes.get(at * THREAD..)?;
        let (state, reason) = (u32_at(thread, 0x44)?, u32_at(thread, 0x48)?);
        let held = state == WAITING && SUSPENDED.contains(&reason);
        match (state, held) {
            (TERMINATED, _) => {}
            (state, _) if ACTIVE.contains(&state) => return Some(Threads::Running),
            (_, true) if all != Threads::Waiting => all = Threads::Suspended,
            (_, true) => {}
            (_, false) => all = Threads::Waiting,
        }
    }
    Some(all)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RUNS: (u32, u32) = (2, 0);
    const WAITS: (u32, u32) = (5, 6);
    const HELD: (u32, u32) = (5, 5);
    const ENDED: (u32, u32) = (4, 0);

    fn process(pid: u64, created: u64, threads: &[(u32, u32)], last: bool) -> Vec<u8> {
        let length = PROCESS + threads.len() * THREAD + 16;
        let mut bytes = vec![0; length];
        let next = if last { 0 } else { u32::try_from(length).unwrap() };
        bytes[..4].copy_from_slice(&next.to_le_bytes());
        bytes[4..8].copy_from_slice(&u32::try_from(threads.len()).unwrap().to_le_bytes());
        bytes[0x20..0x28].copy_from_slice(&created.to_le_bytes());
        bytes[0x50..0x58].copy_from_slice(&pid.to_le_bytes());
        for (at, (state, reason)) in threads.iter().enumerate() {
            let at = PROCESS + at * THREAD;
            bytes[at + 0x44..at + 0x48].copy_from_slice(&state.to_le_bytes());
            bytes[at + 0x48..at + 0x4c].copy_from_slice(&reason.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn each_process_has_its_threads() {
        for (threads, want) in [
            (&[WAITS, RUNS, HELD][..], Threads::Running),
            (&[WAITS, HELD], Threads::Waiting),
            (&[HELD, WAITS], Threads::Waiting),
            (&[HELD, ENDED, HELD], Threads::Suspended),
            (&[(5, 12)], Threads::Suspended),
            // Initialized, or on its way into memory.
            (&[(0, 0)], Threads::Waiting),
            (&[ENDED], Threads::None),
            (&[], Threads::None),
        ] {
            let list = [process(0, 0, &[RUNS; 2], false), process(700, 9, threads, true)].concat();
            let own = Listed { pid: 700, created: 9, threads: want };
            assert_eq!(listed(&list)[1..], [own], "{threads:?}");
        }
    }

    #[test]
    fn a_cut_list_has_those_that_are_whole() {
        let whole = process(4, 5, &[WAITS], false);
        let list = [whole.clone(), process(700, 9, &[HELD], true)].concat();
        assert_eq!(listed(&list).len(), 2);
        assert_eq!(listed(&list[..whole.len() + PROCESS + 8]).len(), 1);
        assert_eq!(listed(&list[..PROCESS]).len(), 0);
        // A next one inside of this one would be no other.
        let mut inside = whole;
        inside[0] = 8;
        inside[1] = 0;
        assert_eq!(listed(&inside).len(), 1);
    }

    #[test]
    fn a_boot_is_known_by_its_kernels_process_or_by_the_oldest() {
        let of = |list: &[(u32, u64)]| {
            let listed = |&(pid, created)| Listed { pid, created, threads: Threads::None };
            boot(&list.iter().map(listed).collect::<Vec<_>>())
        };
        assert_eq!(of(&[(0, 0), (700, 3), (4, 7)]), Some(7));
        assert_eq!(of(&[(0, 0), (4, 0), (700, 3), (60, 9)]), Some(3));
        assert_eq!(of(&[(0, 0)]), None);
    }

    proptest! {
        #[test]
        fn hostile_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
            prop_assert!(listed(&bytes).len() <= 1 + bytes.len() / PROCESS);
        }
    }
}
