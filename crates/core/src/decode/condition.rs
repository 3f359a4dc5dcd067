//! `/proc/PID/stat` and `/proc/PID/status` as a [`Condition`]: what a process would do with a
//! signal, and whether it can do anything.

use crate::condition::Condition;

use super::procfs;

/// How a process stands, of the texts of its `stat` and `status` (proc_pid_stat(5),
/// proc_pid_status(5)); `None` where they are cut off. What other files tell is left open.
pub fn condition(stat: &[u8], status: &[u8]) -> Option<Condition> {
    let known = procfs::stat(stat)?;
    let masks = procfs::status(status);
    let close = stat.iter().rposition(|&byte| byte == b')')?;
    let fields: Vec<&str> =
        std::str::from_utf8(&stat[close + 1..]).ok()?.split_ascii_whitespace().collect();
    // Numbered as in the manual page: the first field after the name is 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<i64>().ok();
    let (group, foreground) = (number(5)?, number(8)?);
    let value = |name: &str| {
        let line =
            std::str::from_utf8(status).ok()?.lines().find_map(|line| line.strip_prefix(name));
        line?.trim().parse::<u32>().ok()
    };
    Some(Condition {
        leader: value("Tgid:").unwrap_or(known.pid),
        state: known.process_state(),
        tracer: value("TracerPid:").filter(|&pid| pid != 0),
        caught: masks.caught?,
        ignored: masks.ignored?,
        in_background: known.tty != 0 && foreground > 0 && group != foreground,
        freezer: None,
        stuck: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::ProcessState;

    const STAT: &[u8] =
        b"4242 (a) b) T 4200 4242 4200 34819 4200 4194304 1 2 3 4 50 7 0 0 20 0 1 0 99 1 2";
    const STATUS: &[u8] = b"Name:\ta) b\nTgid:\t4240\nPid:\t4242\nTracerPid:\t7\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000004001\n";

    #[test]
    fn what_it_would_do_with_a_signal() {
        let condition = condition(STAT, STATUS).unwrap();
        assert_eq!((condition.leader, condition.tracer), (4240, Some(7)));
        assert_eq!(condition.state, ProcessState::Stopped);
        assert!(condition.in_background && condition.is_stopped());
        assert!(condition.catches(1) && condition.catches(15) && !condition.catches(2));
        assert!(condition.ignores(13) && !condition.ignores(1));
        assert!(!condition.catches(0) && !condition.catches(65) && !condition.ignores(-1));
    }

    #[test]
    fn nothing_cut_off_is_made_up() {
        for end in 0..STAT.len() - 4 {
            let cut = condition(&STAT[..end], STATUS);
            assert!(cut.is_none_or(|cut| cut.in_background && cut.leader == 4240), "{end}");
        }
        assert_eq!(condition(STAT, b"Name:\tx\n"), None);
        assert_eq!(condition(b"", b""), None);
    }
}
