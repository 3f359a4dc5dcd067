//! Who may be told Ctrl-C: a console tells everybody in it, so only who is alone there. Pure.

/// Whether telling a console tells the one process that is meant, and nobody else but the one that
/// tells. `attached` are the processes in it; nobody in it means that they could not be read.
pub fn tells_only(target: u32, attached: &[u32], teller: u32) -> bool {
    attached.contains(&target) && attached.iter().all(|&pid| pid == target || pid == teller)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shares_a_console_is_never_told() {
        for (attached, want) in [
            (&[10, 99][..], true),
            (&[99, 10], true),
            (&[10], true),
            // A shell, a child, somebody who came meanwhile.
            (&[10, 99, 7], false),
            (&[7, 10], false),
            // It left the console, or it cannot be read who is in it.
            (&[99], false),
            (&[], false),
            (&[7, 99], false),
        ] {
            assert_eq!(tells_only(10, attached, 99), want, "{attached:?}");
        }
    }
}
