//! `/etc/passwd` (passwd(5)), read by hand: a static program has no name service to ask.

use std::collections::BTreeMap;

/// The user names of a passwd(5) file by uid. Where several share a uid the first wins, as
/// getpwuid(3) answers. Lines that are not users are skipped.
pub fn user_names(bytes: &[u8]) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for line in bytes.split(|&byte| byte == b'\n') {
        if let Some((uid, name)) = user(line) {
            names.entry(uid).or_insert(name);
        }
    }
    names
}

/// The home directory of a user, by the same rules.
pub fn home(bytes: &[u8], uid: u32) -> Option<String> {
    let line = bytes
        .split(|&byte| byte == b'\n')
        .find(|line| user(line).is_some_and(|(other, _)| other == uid))?;
    let home = line.split(|&byte| byte == b':').nth(5)?;
    let home = String::from_utf8_lossy(home).into_owned();
    home.starts_with('/').then_some(home)
}

/// One line `name:password:uid:gid:…`. `+` and `-` lines are NIS compatibility entries.
fn user(line: &[u8]) -> Option<(u32, String)> {
    let mut fields = line.split(|&byte| byte == b':');
    let name = fields.next().filter(|name| !name.is_empty() && !b"+-#".contains(&name[0]))?;
    let uid = std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()?;
    Some((uid, String::from_utf8_lossy(name).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_names_wins_and_junk_is_skipped() {
        let text = b"root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n+::::::\n\n# note\n\
                     half:x\nme:x:1000:1000:Me,,,:/home/me:/bin/zsh\nbad:x:-1:0::/:\n";
        let names = user_names(text);
        assert_eq!(names.len(), 2);
        assert_eq!(names[&0], "root");
        assert_eq!(names[&1000], "me");
        assert_eq!(home(text, 1000).as_deref(), Some("/home/me"));
        assert_eq!(home(text, 0).as_deref(), Some("/root"));
        assert_eq!(home(text, 7), None);
    }
}
